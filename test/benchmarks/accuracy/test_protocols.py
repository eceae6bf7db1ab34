"""Same folds for all models, and nothing chosen on the subjects that it is scored on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy import protocols, tasks
from benchmarks.accuracy.ablations import ABLATIONS
from benchmarks.accuracy.job_runner import with_sources
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import GRID, MODELS
from benchmarks.accuracy.protocols import (
    JOBS,
    Plan,
    make_plan,
    training_job,
    tuned_plan,
    tuning_jobs,
)
from benchmarks.accuracy.tasks import TASKS
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.recording import Recording

COMPARED = ("mean_profile", "ridge", "mlp", "geglu_transformer")


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 3.0)], subject=str(number), seed=number) for number in range(7)]


@pytest.mark.parametrize("protocol", ["streaming", "gait-cycle"])
@pytest.mark.parametrize("folds", ["5", "subjects"])
def test_plan_gives_models_same_folds_seeds_and_budget(recordings: list[Recording], protocol: str, folds: str) -> None:
    plan = make_plan(protocol, recordings, folds, COMPARED, seeds=2)
    jobs = JOBS[protocol](plan)
    by_model = {model: [job for job in jobs if job.model == model] for model in COMPARED}
    shapes = [[(job.fold, job.left_out, job.seed) for job in own] for own in by_model.values()]
    assert all(shape == shapes[0] for shape in shapes)
    assert sorted({name for job in jobs for name in job.left_out}) == [str(number) for number in range(7)]
    assert len(plan.folds) == (7 if folds == "subjects" else 5)
    settings = [job.source.settings if job.source else replace_seed(job) for own in by_model.values() for job in own]
    assert all(each == settings[0] for each in settings)


def replace_seed(job: Job) -> Any:
    return replace(job.settings["settings"], seed=0)


def test_plan_leaves_out_every_subject_once(recordings: list[Recording]) -> None:
    plan = make_plan("streaming", recordings, "3")
    assert sorted(name for part in plan.folds for name in part) == [str(number) for number in range(7)]


def test_jobs_of_a_fold_share_their_training(recordings: list[Recording]) -> None:
    """The within-subject reference and the adaptation protocol use the networks that the streaming protocol trained."""
    plan = make_plan("streaming", recordings, "2", COMPARED)
    jobs = with_sources([*JOBS["streaming"](plan), *JOBS["adaptation"](replace(plan, models=(protocols.OWN,)))])
    assert len([job for job in jobs if job.task == "train"]) == 2 * (len(COMPARED) + 1)
    assert {job.model for job in jobs if job.task == "within_subject"} == {"within_subject"}
    assert all(job.task in TASKS for job in jobs)


def test_training_leaves_the_fold_out(
    recordings: list[Recording], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[set[str]] = []

    def fit(kept: list[Recording], *_: Any) -> None:
        seen.append({recording.subject for recording in kept})

    monkeypatch.setitem(MODELS, "ridge", replace(MODELS["ridge"], fit=fit))
    monkeypatch.setattr(tasks, "save", lambda fitted, path: None)
    plan = make_plan("streaming", recordings, "3", ["ridge"])
    for fold, left_out in enumerate(plan.folds):
        TASKS["train"](recordings, training_job(plan, "ridge", fold, 0), RunFolder(tmp_path, "data"))
        assert seen[-1] == {str(number) for number in range(7)} - set(left_out)


def test_sweep_adapts_one_network_with_and_without_meta_learning(recordings: list[Recording]) -> None:
    methods = ["affine", "ridge_prior", "all_weights", "scratch"]
    plan = make_plan("adaptation", recordings, "2", methods=methods, meta=["reptile"])
    jobs = JOBS["adaptation"](plan)
    chains = {job.model: [job.task for job in reversed(with_sources([job]))] for job in jobs}
    assert chains == {
        **{name: ["adaptation", "train"] for name in ("affine", "all_weights", "scratch")},
        "ridge_prior": ["adaptation", "prior", "train"],
        "all_weights, no episodes": ["adaptation", "train"],
        "all_weights, reptile": ["adaptation", "meta", "train"],
    }
    episodic = {job.model: with_sources([job])[0].settings["budget"].episodic for job in jobs}
    assert [name for name, learned in episodic.items() if not learned] == [
        "all_weights, no episodes",
        "all_weights, reptile",
    ]
    everything = with_sources(jobs)
    assert len([job for job in everything if job.task == "train"]) == 2 * 2  # of each kind, one a fold
    assert len([job for job in everything if job.task == "meta"]) == 2
    assert make_plan("adaptation", recordings, "2", meta=[]).meta == ()


def test_ablations_differ_in_their_key(recordings: list[Recording], tmp_path: Path) -> None:
    plan = make_plan("ablation", recordings, "2")
    folder = RunFolder(tmp_path, "data")
    jobs = JOBS["ablation"](plan)
    assert {job.model for job in jobs} == set(ABLATIONS)
    assert len({folder.key(job) for job in jobs}) == 2 * len(ABLATIONS)


# tuning


@pytest.mark.parametrize(("folds", "choices"), [("5", 5), ("subjects", 5), ("3", 3), ("6", 6)])
def test_tuning_does_not_use_scored_subjects(
    recordings: list[Recording], tmp_path: Path, folds: str, choices: int
) -> None:
    plan = make_plan("streaming", recordings, folds, ["mlp", "ridge"], tune=True)
    jobs = tuning_jobs(plan, "streaming")
    assert {job.model for job in jobs} == {"mlp"}  # the ridge chooses by itself
    assert len(jobs) == choices * len(GRID)
    folder = RunFolder(tmp_path, "data")
    for index, job in enumerate(jobs):
        folder.write(job, 1.0, {"r": (7 * index) % 11})
    tuned = tuned_plan(plan, jobs, folder)
    for fold, left_out in enumerate(tuned.folds):
        chosen = training_job(tuned, "mlp", fold, 0).settings["chosen"]
        (place,) = [part for part in tuned.tuning_folds if set(left_out) <= set(part)]
        tried = [job for job in jobs if job.left_out == place]
        best = max(tried, key=lambda job: folder.read(job)["outcome"]["r"])  # type: ignore[index]
        assert chosen == best.settings["candidate"]
        assert set(left_out) <= set(best.left_out)


def test_tuning_trains_without_validation_subjects(
    recordings: list[Recording], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = make_plan("streaming", recordings, "3", ["mlp"], tune=True)
    given: dict[str, Any] = {}

    def scores(model: Any, kept: list[Recording], *_: Any) -> list[float]:
        given.update(grid=model.grid, subjects={recording.subject for recording in kept})
        return [0.5]

    monkeypatch.setattr(tasks, "tuning_scores", scores)
    for job in tuning_jobs(plan, "streaming"):
        assert TASKS["tune"](recordings, job, RunFolder(tmp_path, "data")) == {"r": 0.5}
        assert given["grid"] == (job.settings["candidate"],)
        assert not given["subjects"] & set(job.left_out)


def test_tuning_ignores_trial_without_score(recordings: list[Recording], tmp_path: Path) -> None:
    plan = make_plan("streaming", recordings, "2", ["mlp"], tune=True)
    folder = RunFolder(tmp_path, "data")
    jobs = tuning_jobs(plan, "streaming")
    for job in jobs:
        folder.write(job, 1.0, {"r": -0.5 if job.settings["candidate"] == GRID[2] else float("nan")})
    assert tuned_plan(plan, jobs, folder).tuned == {"mlp": [GRID[2], GRID[2]]}


def test_untuned_networks_use_default_hyperparameters(recordings: list[Recording]) -> None:
    plan = make_plan("streaming", recordings, "2", ["mlp"])
    assert tuning_jobs(plan, "streaming") == []
    assert training_job(plan, "mlp", 0, 0).settings["chosen"] is None


# bad input


def test_plan_refuses_impossible_settings(recordings: list[Recording]) -> None:
    with refusal("resnet", "ridge", "geglu_transformer"):
        make_plan("streaming", recordings, models=["ridge", "resnet"])
    with refusal("prayer", "affine"):
        make_plan("adaptation", recordings, methods=["prayer"])
    with refusal("mlp", "lstm", "one"):
        make_plan("adaptation", recordings, models=["mlp", "lstm"])
    with refusal("ridge", "adaptation", "mlp"):
        make_plan("adaptation", recordings, models=["ridge"])
    with refusal("no_sleep", "no_mirror"):
        make_plan("ablation", recordings, models=["no_sleep"])
    with refusal("dreaming", "reptile"):
        make_plan("adaptation", recordings, meta=["dreaming"])
    with refusal("8", "7"):
        make_plan("streaming", recordings, folds="8")
    with refusal("no recording"):
        make_plan("streaming", [])
    assert isinstance(make_plan("streaming", recordings), Plan)
