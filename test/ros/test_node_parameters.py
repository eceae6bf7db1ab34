"""Changes of parameters while the node runs: they take effect, or are refused with a reason."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.ros_lab import HOUR, Lab, activations_of
from imu_emg_estimator.msg import MuscleActivation
from numpy.typing import NDArray
from rclpy.parameter import Parameter

from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.parameter_schema import PARAMETERS, Change

StartLab = Callable[..., Lab]


@pytest.fixture
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    return make_recording([("walking", 10.0)]).imu


@pytest.fixture
def lab(start_lab: StartLab) -> Lab:
    return start_lab(stale_after=HOUR)


def refusal(lab: Lab, name: str, value: Any) -> str:
    """Why a change is refused; empty = it is not."""
    result = lab.estimator.set_parameters([Parameter(name, value=value)])[0]
    return "" if result.successful else str(result.reason)


@pytest.mark.parametrize("name", [entry.name for entry in PARAMETERS if entry.change is Change.NEVER])
def test_parameter_of_start_is_read_only(name: str, lab: Lab) -> None:
    before = lab.estimator.get_parameter(name).value
    assert "read-only" in refusal(lab, name, before)


def test_calibrate_cannot_be_let_read_elsewhere(lab: Lab) -> None:
    assert {"bag_directories", "calibration_directory"} <= {e.name for e in PARAMETERS if e.change is Change.NEVER}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("sensor_rotations", [0.0, 1.0], "sensor_rotations holds 2 numbers"),
        ("sensor_rotations", [float("nan")] * 4, "length is not 1"),
        ("subject_id", "../x", "subject '../x' is not a valid name"),
        ("engine", "abacus", "abacus"),
        ("clock_policy", ["guess"], "each must be one of"),
        ("emg_kind", "cooked", "give raw or envelope"),
        ("imu_topics", list("abcdef"), "only while the node is unconfigured: clean up, set it, and configure again"),
        ("bundle", "/no/such", "only while the node is unconfigured"),
    ],
)
def test_unusable_value_is_refused_and_old_one_stays(name: str, value: Any, reason: str, lab: Lab) -> None:
    before, settings = lab.estimator.get_parameter(name).value, lab.estimator.settings
    assert reason in refusal(lab, name, value)
    assert lab.estimator.get_parameter(name).value == before
    assert lab.estimator.settings == settings


def test_rotations_take_effect(start_lab: StartLab, lab: Lab, imu: NDArray[np.floating]) -> None:
    quarter = [0.0, 0.0, 0.5**0.5, 0.5**0.5]
    assert not refusal(lab, "sensor_rotations", quarter)
    lab.clear()
    lab.play(imu[:60], hurry=True)
    came = [message for message in lab.wait_for(50) if message.status != MuscleActivation.STALE]
    expected = start_lab(namespace="/other", stale_after=HOUR, sensor_rotations=quarter)
    expected.play(imu[:60], hurry=True)
    other = [message for message in expected.wait_for(50) if message.status != MuscleActivation.STALE]
    shared = min(len(came), len(other))
    assert shared > 30
    np.testing.assert_allclose(activations_of(came[:shared]), activations_of(other[:shared]), atol=1e-5)


def test_subject_loads_calibration_in_use(start_lab: StartLab, bundle: Bundle, tmp_path: Path) -> None:
    made = calibrated(bundle)
    path = store_calibration(tmp_path / "calibrations", made)
    lab = start_lab()
    assert lab.messages or lab.wait_for(1)
    assert not refusal(lab, "subject_id", "bob")
    assert (lab.estimator.subject, lab.estimator.running_path) == ("bob", path)
    lab.wait(lambda: lab.messages[-1].calibration_id == made.calibration_id, "message with the calibration")
    assert lab.messages[-1].header.frame_id == "bob"
    assert not refusal(lab, "subject_id", "")
    lab.wait(lambda: not lab.messages[-1].calibration_id, "message of the base model")


def calibrated(bundle: Bundle) -> Bundle:
    """A bundle as a calibration to bob makes it."""
    return replace(bundle, parent_id=bundle.model_id, calibration=Calibration.made_now("bob", "head", "bag", 30.0))


def test_settings_cannot_change_during_calibration(start_lab: StartLab) -> None:
    lab = start_lab(stale_after=0.15)
    with lab.estimator._calibrations.idle():
        assert "a calibration is running" in refusal(lab, "frame_id", "hip")
    assert not refusal(lab, "frame_id", "hip")
    lab.clear()
    assert lab.wait_for(1)[0].header.frame_id == "hip"


def test_topics_change_through_cleanup_and_configure(lab: Lab, imu: NDArray[np.floating]) -> None:
    node, topics = lab.estimator, [f"/suit/unit{number}" for number in range(6)]
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert not refusal(lab, "imu_topics", topics)
    node.trigger_configure()
    node.trigger_activate()
    assert node.topics == topics
    with Lab(node, "/second", topics) as second:
        second.wait(lambda: all(driver.get_subscription_count() for driver in second.drivers), "subscriptions")
        second.play(imu[:60], hurry=True)
        lab.wait(lambda: MuscleActivation.OK in {message.status for message in lab.messages}, "message that is OK")


def test_long_stale_after_is_warned_about(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert not refusal(lab, "stale_after", 2.0)
    assert "parameter 'stale_after' is 2 s" in capfd.readouterr().err
