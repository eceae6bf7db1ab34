"""The process that calibrates, and when it can be stopped."""

import threading
from pathlib import Path

import pytest

from imu_emg_estimator.calibration.worker import Worker
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import Stopped

PATIENCE = 60.0  # s


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path, threads=1, nice=0, told=lambda progress: None)


def test_stop_comes_too_late_for_what_is_done(worker: Worker, tmp_path: Path) -> None:
    report = worker.run([f"--bag={tmp_path / 'nowhere'}"], PATIENCE)
    assert "does not exist" in report["message"]
    assert not worker.stop()


def test_stopped_before_it_began(worker: Worker, tmp_path: Path) -> None:
    assert worker.stop()
    with pytest.raises(Stopped):
        worker.run([f"--bag={tmp_path}"], PATIENCE)
    assert not (tmp_path / "report.json").exists()


def test_stopped_in_the_midst_of_it(worker: Worker, tmp_path: Path) -> None:
    """While Python starts, which takes longer than this."""
    threading.Timer(0.05, worker.stop).start()
    with pytest.raises(Stopped):
        worker.run([f"--bag={tmp_path / 'nowhere'}"], PATIENCE)


def test_out_of_time(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        worker.run([f"--bag={tmp_path / 'nowhere'}"], 0.0)


def test_end_without_a_report_is_told_with_its_last_words(worker: Worker) -> None:
    with pytest.raises(InputError, match=r"ended without a report .*--no-such-option"):
        worker.run(["--no-such-option"], PATIENCE)
