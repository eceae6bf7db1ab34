"""The estimator node that the guide and `imu-emg call` talk to."""

from types import SimpleNamespace

import pytest

from imu_emg_estimator.ros import guide_calibrator
from imu_emg_estimator.ros.guide_calibrator import CALIBRATE, RESET, find_estimator


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
