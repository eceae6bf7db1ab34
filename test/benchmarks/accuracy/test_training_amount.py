"""``python -m benchmarks amount``: what r on unseen people owes to people, minutes and movements of the training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.command_line import strict_json, write_hugadb
from fixtures.factories import RecordingFactory, refusal

from benchmarks.__main__ import main
from benchmarks.accuracy import training_amount
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.training_amount import FOLDS, amount_jobs, pieces, summarised, train_and_score
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.recording import Recording

PEOPLE = 8


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    schedule = [("standing", 2.0), ("walking", 20.0), ("running", 8.0)]
    return [make_recording(schedule, subject=str(seed), seed=seed) for seed in range(PEOPLE)]


def test_jobs_train_on_nobody_whom_they_score_and_score_everyone(recordings: list[Recording]) -> None:
    jobs = amount_jobs(recordings, 10, draws=2)
    for job in jobs:
        assert not set(job.left_out) & set(job.settings["people"])
    assert sorted(name for job in jobs if job.model == "6 people" for name in job.left_out) == list("01234567")
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)
    few = {(job.fold, job.seed): set(job.settings["people"]) for job in jobs if job.model == "2 people"}
    more = {(job.fold, job.seed): set(job.settings["people"]) for job in jobs if job.model == "4 people"}
    assert len(few) == 2 * FOLDS
    assert all(few[key] < more[key] for key in few)
    assert any(few[fold, 0] != few[fold, 1] for fold in range(FOLDS))


def test_first_person_drawn_has_trusted_emg_of_every_muscle(recordings: list[Recording]) -> None:
    weights = {str(number): np.array([1.0, float(number > 5)]) for number in range(PEOPLE)}
    weak = [replace(recording, muscle_weight=weights[recording.subject]) for recording in recordings]
    jobs = [job for job in amount_jobs(weak, 10, draws=3) if job.model == "1 people"]
    assert {name for job in jobs for name in job.settings["people"]} == {"6", "7"}


def test_few_subjects_are_refused(recordings: list[Recording]) -> None:
    with refusal("7 subjects", "8 or more"):
        amount_jobs(recordings[:7], 10, 1)


def test_pieces_last_the_minutes_and_hold_the_movements(recordings: list[Recording]) -> None:
    rate = recordings[0].rig.rate
    whole = pieces(recordings[:1], None, None, 0)
    assert whole == recordings[:1]
    found = pieces(recordings[:1], 0.25, ["walking"], 0)
    assert 15.0 <= sum(map(len, found)) / rate <= 25.0
    assert {str(name) for own in found for name in own.condition} == {"walking"}
    every = pieces(recordings[:1], 10.0, None, 0)  # more than there is
    assert {str(name) for own in every for name in own.condition} == {"walking", "running"}
    assert sum(map(len, every)) / rate == pytest.approx(28.0, abs=0.5)


def test_summary_counts_every_subject_alike() -> None:
    def outcome(subject: str, *r: float | None) -> dict[str, Any]:
        return {"subjects": {subject: {"walking": [{"r": value, "r2": 0.0} for value in r]}}}

    outcomes = [
        ("1 people", outcome("a", 0.2, 0.4)),
        ("1 people", outcome("a", 0.6, None)),
        ("1 people", outcome("b", 0.8)),
    ]
    figures = summarised(outcomes)["1 people"]["walking"]
    assert figures == {"r": pytest.approx(0.6), "r_low": pytest.approx(0.4), "r2": 0.0, "subjects": 2}


@pytest.mark.slow
def test_job_scores_those_left_out(recordings: list[Recording], tmp_path: Path) -> None:
    job = Job("amount", "2 people", ("3",), settings={"steps": 2, "people": ["1", "2"], "minutes": 0.2})
    scores = train_and_score(recordings, job, RunFolder(tmp_path, "data"))["subjects"]
    assert list(scores) == ["3"]
    assert set(scores["3"]) == {"all", "locomotion", "walking", "running"}
    assert len(scores["3"]["walking"]) == 2


def test_command_prints_and_writes_a_row_for_every_amount(
    make_recording: RecordingFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def known(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
        r = len(job.settings["people"]) / 10
        return {"subjects": {name: {"walking": [{"r": r, "r2": 0.0}]} for name in job.left_out}}

    monkeypatch.setattr(training_amount, "train_and_score", known)
    data = tmp_path / "data"
    data.mkdir()
    for number in range(PEOPLE):
        write_hugadb(make_recording([("walking", 6.0)], seed=number), data / f"HuGaDB_v1_various_{number + 20}_00.txt")
    options = ["--steps", "2", "--draws", "1", "--workers", "1", "--run", str(tmp_path / "run")]
    assert main(["amount", "--data", str(data), *options, "--json", str(tmp_path / "a.json")]) == 0
    printed = capsys.readouterr().out
    assert "| recorded | walking |" in printed
    assert "| 6 people | 0.60 |" in printed
    assert "| 1 people | 0.10 |" in printed
    content = strict_json(tmp_path / "a.json")
    assert content["amounts"]["4 people"]["walking"]["subjects"] == PEOPLE
    assert len(content["folds"]) == FOLDS
