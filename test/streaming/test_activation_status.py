"""Statuses without ROS: those of MuscleActivation.msg."""

import re
from pathlib import Path

from imu_emg_estimator.streaming import activation_status

MESSAGE = Path(__file__).resolve().parents[2] / "msg" / "MuscleActivation.msg"


def test_statuses_equal_constants_of_message() -> None:
    constants = dict(re.findall(r"^uint8 (\w+)=(\d+)", MESSAGE.read_text(), flags=re.MULTILINE))
    assert {name: str(getattr(activation_status, name)) for name in constants} == constants
    assert [activation_status.NAMES[int(value)] for value in constants.values()] == list(constants)
