"""Jobs run once, whatever interrupts them, and never stand for other data or other settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.factories import RecordingFactory, refusal
from fixtures.noted_task import note

from benchmarks.accuracy.job_runner import run_jobs, with_sources
from benchmarks.accuracy.jobs import Job
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.checkpoints import fingerprint

TEST = Path(__file__).parents[2]
TRAIN = Job("train", "ridge", ("1", "2"), fold=0)
SCORE = Job("score", "ridge", ("1", "2"), fold=0, settings={"seconds": (0.0, 30.0)}, source=TRAIN)


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 4.0)], subject=str(seed), seed=seed) for seed in range(3)]


@pytest.fixture
def folder(tmp_path: Path, recordings: list[Recording]) -> RunFolder:
    return RunFolder(tmp_path, fingerprint(recordings))


TASKS = {"train": note, "score": note}


def notes(folder: RunFolder) -> list[str]:
    return (folder.path / "notes").read_text().split()


# what is kept


def test_outcome_is_stored_with_its_job(folder: RunFolder, recordings: list[Recording]) -> None:
    assert folder.read(SCORE) is None
    run_jobs(folder, recordings, [SCORE], TASKS)
    kept = folder.read(SCORE)
    assert kept is not None
    assert kept["outcome"] == {"samples": sum(map(len, recordings)), "undefined": None, "array": [0, 1]}
    assert kept["job"] == json.loads(json.dumps(SCORE.to_dict()))
    assert kept["job"]["source"]["task"] == "train"
    assert kept["data"] == folder.data
    assert kept["seconds"] >= 0


def test_finished_jobs_are_not_repeated(folder: RunFolder, recordings: list[Recording]) -> None:
    run_jobs(folder, recordings, [SCORE], TASKS)
    run_jobs(folder, recordings, [SCORE, replace(SCORE, seed=1)], TASKS)
    assert notes(folder) == ["train", "score", "score"]


@pytest.mark.parametrize(
    "change",
    [
        {"task": "train"},
        {"model": "mlp"},
        {"left_out": ("1",)},
        {"seed": 1},
        {"version": SCORE.version + 1},
        {"settings": {"seconds": (0.0, 60.0)}},
        {"settings": {"seconds": (0.0, 30.0), "adaptation": AdaptationSettings()}},
        {"settings": {"seconds": (0.0, 30.0), "adaptation": AdaptationSettings(steps=61)}},
        {"source": replace(TRAIN, settings={"steps": 1})},
        {"source": None},
    ],
)
def test_job_key_depends_on_every_field(folder: RunFolder, change: dict[str, Any]) -> None:
    other = replace(SCORE, **change)
    assert folder.key(other) != folder.key(SCORE)
    folder.write(SCORE, 1.0, {})
    assert folder.read(other) is None


def test_job_key_does_not_depend_on_place_and_time(folder: RunFolder) -> None:
    """Else a run would not go on after a restart, or in a folder that was moved."""
    elsewhere = RunFolder(Path("elsewhere"), "some data")
    assert elsewhere.key(SCORE) == replace(folder, data="some data").key(replace(SCORE))
    assert elsewhere.key(SCORE) == "score-ridge-fold0-seed0-b476bee9bafa90b9"


@pytest.mark.parametrize("field", ["imu", "envelope", "muscle_weight", "condition"])
def test_outcomes_of_other_data_are_ignored(folder: RunFolder, recordings: list[Recording], field: str) -> None:
    folder.write(SCORE, 1.0, {})
    changed = getattr(recordings[1], field).copy()
    changed.flat[0] = "running" if field == "condition" else changed.flat[0] + 1e-3
    others = [recordings[0], replace(recordings[1], **{field: changed}), recordings[2]]
    assert replace(folder, data=fingerprint(recordings)).read(SCORE) is not None
    assert replace(folder, data=fingerprint(others)).read(SCORE) is None


def test_truncated_outcome_is_ignored(folder: RunFolder, recordings: list[Recording]) -> None:
    run_jobs(folder, recordings, [SCORE], TASKS)
    (path,) = (folder.path / "jobs").glob("score-*.json")
    path.write_bytes(path.read_bytes()[:40])
    run_jobs(folder, recordings, [SCORE], TASKS)
    assert notes(folder) == ["train", "score", "score"]


# the order, and what happens on the way


def test_source_jobs_run_first_and_once() -> None:
    jobs = with_sources([SCORE, replace(SCORE, seed=1), TRAIN])
    assert [job.task for job in jobs] == ["train", "score", "score"]


def test_progress_counts_missing_jobs(folder: RunFolder, recordings: list[Recording]) -> None:
    reported: dict[str, list[tuple[int, int]]] = {}

    def progress(title: str) -> Any:
        return lambda done, total: reported.setdefault(title, []).append((done, total))

    run_jobs(folder, recordings, [replace(SCORE, seed=seed) for seed in range(3)], TASKS, progress=progress)
    assert reported["train"][-1] == (1, 1)
    assert reported["score"][0] == (0, 3)
    assert reported["score"][-1] == (3, 3)


def test_failure_keeps_earlier_outcomes(folder: RunFolder, recordings: list[Recording]) -> None:
    def fail(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> Mapping[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_jobs(folder, recordings, [SCORE], {"train": note, "score": fail})
    run_jobs(folder, recordings, [SCORE], TASKS)
    assert notes(folder) == ["train", "score"]


@pytest.mark.slow
def test_two_workers_equal_one(tmp_path: Path, recordings: list[Recording]) -> None:
    jobs = [replace(SCORE, seed=seed) for seed in range(3)]
    folders = [RunFolder(tmp_path / str(workers), fingerprint(recordings)) for workers in (1, 2)]
    for workers, folder in enumerate(folders, start=1):
        folder.path.mkdir()
        run_jobs(folder, recordings, jobs, TASKS, workers)
    alone, together = ([folder.read(job)["outcome"] for job in jobs] for folder in folders)  # type: ignore[index]
    assert alone == together


SLOW = """
import sys, time
from pathlib import Path
from fixtures.factories import synthetic_recording
from benchmarks.accuracy.jobs import Job
from imu_emg_estimator.training.checkpoints import fingerprint
from benchmarks.run_folder import RunFolder
from benchmarks.accuracy.job_runner import run_jobs

def slow(recordings, job, folder):
    with (folder.path / "notes").open("a") as file:
        file.write(f"{job.seed}\\n")
    time.sleep(float(sys.argv[2]) if job.seed else 0)
    return {}

recordings = [synthetic_recording([("walking", 4.0)])]
folder = RunFolder(Path(sys.argv[1]), fingerprint(recordings))
run_jobs(folder, recordings, [Job("slow", "any", ("1",), seed=seed) for seed in range(3)], {"slow": slow})
"""


@pytest.mark.slow
def test_killed_run_continues(tmp_path: Path) -> None:
    def start(pause: float) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path), str(pause)], cwd=TEST, env=environment)

    environment = os.environ | {"PYTHONPATH": f"{TEST}{os.pathsep}{os.environ.get('PYTHONPATH', TEST.parent)}"}
    first = start(pause=1000.0)
    deadline = time.monotonic() + 600.0
    while not (tmp_path / "notes").is_file() or "1" not in (tmp_path / "notes").read_text().split():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert start(pause=0.0).wait(timeout=600.0) == 0
    # The second job was cut short and the third not begun; the first is not done again.
    assert (tmp_path / "notes").read_text().split() == ["0", "1", "1", "2"]


# clusters


@pytest.mark.parametrize(("backend", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_run_refuses_missing_backend(
    folder: RunFolder, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch, backend: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with refusal(backend, "not installed", "pip install"):
        run_jobs(folder, recordings, [SCORE], TASKS, 2, backend)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_run_on_local_cluster_of_two_workers(
    tmp_path: Path, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[backend])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # else Ray's workers find no module of the tests
    folder = RunFolder(tmp_path, fingerprint(recordings))
    jobs = [replace(SCORE, seed=seed) for seed in range(3)]
    run_jobs(folder, recordings, jobs, TASKS, 2, backend)
    assert all(folder.holds(job) for job in jobs)
