"""Angles count while they are fresh and plausible."""

import math

import pytest

from imu_emg_estimator.assistance.joint_angles import JointAngles

NOW = 50.0


@pytest.fixture
def angles() -> JointAngles:
    return JointAngles({"knee": (-2.0, 0.0), "hip": (-0.5, 1.5)}, timeout=0.1, max_ahead=0.02)


def test_angles_are_missing_until_each_has_come(angles: JointAngles) -> None:
    assert angles.advance(0.0)
    angles.receive(["knee"], [-1.0], NOW, NOW)
    assert angles.advance(0.0) == "hip"
    angles.receive(["other", "hip"], [9.0, 0.3], 0.0, NOW)  # without a timestamp, as some drivers send it
    assert angles.advance(0.0) == ""
    assert (angles.angle("knee"), angles.angle("hip")) == (-1.0, 0.3)


def test_angle_is_missing_after_its_timeout(angles: JointAngles) -> None:
    angles.receive(["knee", "hip"], [-1.0, 0.3], NOW, NOW)
    assert angles.advance(0.1) == ""
    angles.receive(["hip"], [0.3], NOW, NOW)
    assert angles.advance(0.001) == "knee"


@pytest.mark.parametrize("position", [math.nan, math.inf, -math.inf, -2.21, 0.21, 90.0])
def test_angle_that_cannot_be_is_passed_over(position: float, angles: JointAngles) -> None:
    angles.receive(["knee", "hip"], [-1.0, 0.3], NOW, NOW)
    angles.receive(["knee"], [position], NOW, NOW)
    assert angles.angle("knee") == -1.0


@pytest.mark.parametrize(("delay", "counts"), [(0.09, True), (0.11, False), (-0.01, True), (-0.03, False)])
def test_angle_counts_unless_old_or_of_the_future(delay: float, counts: bool, angles: JointAngles) -> None:
    angles.receive(["knee", "hip"], [-1.0, 0.3], NOW - delay, NOW)
    assert (angles.advance(0.0) == "") == counts


def test_message_without_positions_is_passed_over(angles: JointAngles) -> None:
    angles.receive(["knee", "hip"], [], NOW, NOW)
    assert angles.advance(0.0)
