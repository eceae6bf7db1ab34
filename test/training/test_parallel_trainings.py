"""Trainings on a Dask cluster give the scores that they give in this process; progress of several is shown as one."""

import os
import sys

import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.training.evaluation import evaluate_folds
from imu_emg_estimator.training.parallel_trainings import job_backend, joined_progress
from imu_emg_estimator.training.pretraining import TrainingSettings


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True], ids=["local cluster", "address"])
def test_folds_on_two_dask_workers_equal_those_here(
    make_recording: RecordingFactory, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    subjects = [make_recording([("walking", 12.0)], subject=str(seed), seed=seed) for seed in range(4)]
    training = TrainingSettings(steps=2, sequence=32)
    here, bundles = evaluate_folds(subjects, 2, "synthetic", [0.0], training)
    steps: list[tuple[int, int]] = []

    def there(address: str | None) -> None:
        with job_backend("dask", 2, address):
            scores, others = evaluate_folds(
                subjects, 2, "synthetic", [0.0], training, workers=2, progress=lambda *done: steps.append(done)
            )
        assert scores == here
        assert [own.content_hash for own in others] == [own.content_hash for own in bundles]
        assert steps[-1] == (4, 4)

    if not given:
        there(None)
        return
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there(cluster.scheduler_address)


@pytest.mark.slow
def test_dask_scheduler_that_does_not_answer_is_named() -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    nobody, brief = "tcp://127.0.0.1:9", {"distributed.comm.timeouts.connect": 0.2}
    with dask.config.set(brief), refusal(nobody, "start one"), job_backend("dask", 2, nobody):
        pass


def test_cluster_without_backend_is_refused() -> None:
    with refusal("tcp://somewhere:8786", "--backend"), job_backend("loky", 2, "tcp://somewhere:8786"):
        pass


def test_joined_progress_adds_up_the_steps_of_all_trainings() -> None:
    seen: list[tuple[int, int]] = []
    with joined_progress(2, 30, lambda done, total: seen.append((done, total))) as notes:
        first, second = notes
        assert first is not None
        assert second is not None
        first(20, 30, 0.5)
        second(30, 30, 0.5)
        second(7, 30, 0.5)  # is not noted: not every step is worth a write
    assert seen[-1] == (50, 60)


def test_joined_progress_without_listener_notes_nothing() -> None:
    with joined_progress(3, 30, None) as notes:
        assert list(notes) == [None] * 3
