"""Calibrations that end early: out of time, cancelled, killed, or on a full disk."""

import os
import signal
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.calibration_files import folders, stored
from fixtures.ros_lab import Lab, workers
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.srv import Calibrate, ResetCalibration

from imu_emg_estimator.calibration import worker_control
from imu_emg_estimator.calibration.private_folder import PREFIX
from imu_emg_estimator.calibration.worker_control import ProcessorTime

BUSY_S = 30.0  # that a busy machine may take beyond the budget until the answer

Answer = Calibrate.Response
Reset = ResetCalibration.Response
StartLab = Callable[..., Lab]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("budget", [0.3, 2.5])
def test_calibrate_ends_within_its_budget(budget: float, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / "raw", subject="hasty", max_duration=budget)
    assert answer.error_code == Answer.TIMEOUT, answer.message
    assert "the old model was kept" in answer.message
    assert answer.calibration_wall_s < budget + BUSY_S
    assert not workers("hasty")
    assert not folders()


@pytest.mark.usefixtures("unchanged")
def test_calibrate_says_that_others_starve_it(lab: Lab, bags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starved = ProcessorTime(0.2, 8.0, 9.0)
    monkeypatch.setattr(worker_control, "processor_time", lambda process, wall_s: starved)
    statuses = lab.statuses()
    answer = lab.calibrated(bags / "raw", max_duration=0.5)
    assert answer.error_code == Answer.TIMEOUT
    assert "other processes keep this computer busy" in answer.message
    assert "allow" not in answer.message
    told = [status for status in statuses if status.state == CalibrationStatus.RUNNING]
    assert "other processes keep this computer busy" in told[-1].message


@pytest.mark.usefixtures("unchanged")
def test_calibrate_can_be_cancelled(lab: Lab, bags: Path) -> None:
    assert not lab.cancel().success
    statuses = lab.statuses()
    answer = lab.calibrate(bags / "raw", subject="changed-her-mind")
    lab.wait(lambda: statuses and statuses[-1].phase == "judging", "status of judging")
    (folder,) = folders()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    busy = lab.reset(subject_id="changed-her-mind")
    assert (busy.success, busy.error_code) == (False, Reset.BUSY)
    assert lab.cancel().success
    lab.wait(answer.done, "answer")
    assert (answer.result().success, answer.result().error_code) == (False, Answer.CANCELLED)
    assert "cancelled; the old model was kept" in answer.result().message
    assert not workers("changed-her-mind")
    assert not folders()
    lab.wait(lambda: statuses[-1].state == CalibrationStatus.CANCELLED, "status of cancelled")
    assert statuses[-1].message == answer.result().message
    assert "done" not in {status.phase for status in statuses}  # it did not work on to its end
    assert not lab.cancel().success


@pytest.mark.usefixtures("unchanged")
def test_calibrate_reports_worker_that_dies(lab: Lab, bags: Path) -> None:
    answer = lab.calibrate(bags / "raw", subject="unlucky")
    lab.wait(lambda: workers("unlucky"), "calibration process")
    os.kill(workers("unlucky")[0], signal.SIGKILL)
    lab.wait(answer.done, "answer")
    assert answer.result().error_code == Answer.FAILED
    assert "ended without a report" in answer.result().message
    assert not folders()


@pytest.mark.usefixtures("unchanged")
def test_calibrate_reports_full_temporary_disk(
    lab: Lab, bags: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)


def test_calibrate_reports_directory_that_cannot_be_written(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lab = start_lab(calibration_directory=str(tmp_path / "file" / "calibrations"))
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)
    assert f"{tmp_path / 'file' / 'calibrations' / 'alice'}" in answer.message
    assert "cannot be written" in answer.message
    assert answer.calibration_id == ""
    assert lab.estimator.bundle.calibration is None


def test_calibrate_refuses_bundle_replaced_meanwhile(
    start_lab: StartLab, make_bundle: Any, bags: Path, tmp_path: Path
) -> None:
    path = tmp_path / "replaced.safetensors"
    make_bundle(seed=1).save(path)
    lab = start_lab(bundle=str(path))
    make_bundle(seed=2).save(path)
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)
    assert f"{path} has changed since the node started; restart the node and calibrate again" in answer.message
    assert lab.estimator.bundle.calibration is None
    assert not stored(lab)


def test_start_removes_folders_of_killed_node(start_lab: StartLab, capfd: pytest.CaptureFixture[str]) -> None:
    left = Path(tempfile.mkdtemp(prefix=PREFIX))
    (left / "adapted.safetensors").touch()
    start_lab()
    assert not left.exists()
    assert f"removed {left}" in capfd.readouterr().err
