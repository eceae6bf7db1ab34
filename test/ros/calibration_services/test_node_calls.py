"""`imu-emg call` on a running node."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from fixtures.calibration_files import stored
from fixtures.factories import refusal
from fixtures.ros_lab import PATIENCE, Lab
from imu_emg_estimator.msg import CalibrationStatus
from rclpy.node import Node

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.guide_calibrator import NodeCalibrator, find_estimator
from imu_emg_estimator.ros.node_calls import call_calibrate, call_cancel, call_reset
from imu_emg_estimator.utils.progress import Progress

StartLab = Callable[..., Lab]


@pytest.fixture
def called(lab: Lab) -> Iterator[NodeCalibrator]:
    yield from calls_of(lab)


def calls_of(lab: Lab) -> Iterator[NodeCalibrator]:
    node = Node("caller", context=lab.node.context, start_parameter_services=False)
    found = find_estimator(node, PATIENCE, lab.estimator.get_fully_qualified_name())
    assert found is not None
    yield found
    node.destroy_node()


def calibrate(node: NodeCalibrator, bag: Path, progress: list[Progress], **options: object) -> dict[str, object]:
    given = {"method": "", "max_duration": 0.0, "dry_run": False, "emg_delay": ""} | options
    return call_calibrate(node, [str(bag)], "anna", on_progress=progress.append, **given)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchanged")
def test_call_calibrate_reports_progress_and_outcome(called: NodeCalibrator, bags: Path) -> None:
    progress: list[Progress] = []
    answer = calibrate(called, bags / "raw", progress, dry_run=True)
    assert answer["success"]
    assert "dry run" in str(answer["message"])
    assert answer["decisions"] == ["adapted", "adapted"]
    assert "judging" in {each.phase for each in progress}
    assert all(one != next_one for one, next_one in pairwise(progress))  # each is told once


def test_progress_is_told_once_though_a_warning_follows(called: NodeCalibrator) -> None:
    """As on a busy computer."""
    progress: list[Progress] = []
    for warning in ("", "others take the processor"):
        status = {"phase": "judging", "fraction": 0.5, "seconds_left": 3.0, "loss": 0.25, "message": warning}
        called._receive(CalibrationStatus(state=CalibrationStatus.RUNNING, **status))
        called._pass_newest(progress.append)
    assert progress == [Progress("judging", 0.5, 3.0, 0.25)]


@pytest.mark.usefixtures("unchanged")
def test_call_calibrate_returns_a_refusal_and_raises_for_a_wrong_call(called: NodeCalibrator, bags: Path) -> None:
    assert not calibrate(called, bags / "standing", [])["success"]
    with refusal("missing does not exist"):
        calibrate(called, bags / "missing", [])


@pytest.mark.usefixtures("unchanged")
def test_call_cancel_says_that_nothing_runs(called: NodeCalibrator) -> None:
    with refusal("no calibration is running"):
        call_cancel(called)


def test_call_reset_changes_what_is_in_use(start_lab: StartLab, alices: Bundle, tmp_path: Path) -> None:
    store_calibration(tmp_path / "calibrations", alices)
    lab = start_lab(subject_id="alice", namespace="/reset")
    for node in calls_of(lab):
        assert call_reset(node, "", "", previous=False)["calibration_id"] == ""
        assert lab.estimator.bundle.calibration is None
        assert call_reset(node, "alice", "", previous=True)["calibration_id"] == alices.calibration_id
        with refusal("holds no calibration 'alice-9'"):
            call_reset(node, "alice", "alice-9", previous=False)
    assert len(stored(lab)) == 1


def test_node_of_another_name_is_not_found(lab: Lab) -> None:
    node = Node("seeker", context=lab.node.context, start_parameter_services=False)
    assert find_estimator(node, 0.2, "/elsewhere/imu_emg_estimator") is None
    node.destroy_node()


def test_call_loads_no_scipy_or_torch() -> None:
    """They take seconds to load where processors are busy, as they are when a call should be cancelled."""
    script = "import sys, imu_emg_estimator.ros.node_calls; print({'scipy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
