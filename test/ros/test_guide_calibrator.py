"""The estimator node that the guide and `imu-emg call` talk to."""

from types import SimpleNamespace

import pytest
import rclpy
from fixtures.factories import refusal
from imu_emg_estimator.srv import Calibrate
from rclpy.node import Node

from imu_emg_estimator.ros import guide_calibrator
from imu_emg_estimator.ros.guide_calibrator import CALIBRATE, RESET, NodeCalibrator, find_estimator


@pytest.mark.parametrize("space", ["", "/left", "/left/above"])
def test_find_estimator_takes_the_service_of_the_named_node_alone(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lies in the namespace of another would calibrate the other's subject."""
    monkeypatch.setattr(guide_calibrator, "NodeCalibrator", lambda node, name, service: (name, service))
    spaces = ("/left/above", "/left", "")
    services = [(f"{each}/calibrate", [CALIBRATE]) for each in spaces]
    services += [(f"{each}/imu_emg_estimator/reset_calibration", [RESET]) for each in spaces]
    node = SimpleNamespace(get_service_names_and_types=lambda: services)
    name = f"{space}/imu_emg_estimator"
    assert find_estimator(node, 0.0, name) == (name, f"{space}/calibrate")


def test_call_of_a_node_that_ended_does_not_wait_for_ever(
    context: rclpy.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guide_calibrator, "ANSWER_TIMEOUT_S", 0.3)
    node = Node("caller", context=context, start_parameter_services=False)
    calibrator = NodeCalibrator(node, "/ended", "/calibrate")
    answer = SimpleNamespace(done=lambda: False)
    client = SimpleNamespace(
        wait_for_service=lambda patience: True, call_async=lambda request: answer, service_is_ready=lambda: False
    )
    monkeypatch.setattr(calibrator, "_calibrate", client)
    with refusal("/ended ended before it answered", "start it"):
        calibrator.call_calibrate(Calibrate.Request(), lambda progress: None)
    node.destroy_node()
