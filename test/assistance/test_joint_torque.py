"""Moment arms over the angle, and the limits of one joint."""

import pytest
from fixtures.assistance_inputs import settings

from imu_emg_estimator.assistance.assistance_settings import MusclePull
from imu_emg_estimator.assistance.joint_torque import JointTorque, moment_arm

TABLE = MusclePull("vastus", 100.0, None, (-2.0, -1.0, 0.5), (0.02, 0.04, 0.01))


@pytest.mark.parametrize(
    ("angle", "arm"),
    [(-2.0, 0.02), (-1.5, 0.03), (-1.0, 0.04), (-0.25, 0.025), (0.5, 0.01), (-2.1, 0.02), (0.6, 0.01)],
)
def test_moment_arm_is_interpolated_and_held_beyond_the_table(angle: float, arm: float) -> None:
    assert moment_arm(TABLE, angle) == pytest.approx(arm)


def step(joint: JointTorque, assistance: float, gain: float = 1.0, is_trusted: bool = True) -> float:
    return joint.step([assistance, 0.0], 0.0, gain, is_trusted, 0.01, 0.01)


@pytest.fixture
def knee() -> JointTorque:
    """At most 10 Nm, 40 Nm/s, 100 Nm/s in fading out; 8 Nm at an assistance of 1 and 0 rad."""
    return JointTorque(settings().joints[0], ("right", "left"), 0.1)


def test_torque_rises_by_its_rate(knee: JointTorque) -> None:
    assert [step(knee, 1.0) for _ in range(3)] == pytest.approx([0.4, 0.8, 1.2])


def test_torque_falls_as_fast_as_a_fade_out(knee: JointTorque) -> None:
    for _ in range(30):
        step(knee, 1.0)
    assert step(knee, 0.0) == pytest.approx(8.0 - 1.0)


def test_torque_stays_below_the_share_that_is_granted(knee: JointTorque) -> None:
    for _ in range(30):
        step(knee, 1.0)
    assert step(knee, 1.0, gain=0.75, is_trusted=False) == pytest.approx(7.5)


def test_untrusted_torque_does_not_rise(knee: JointTorque) -> None:
    assert step(knee, 1.0, is_trusted=False) == 0.0


def test_torque_that_changes_sides_rises_by_its_rate_there(knee: JointTorque) -> None:
    step(knee, 1.0)
    assert knee.step([1.0, 0.0], 0.0, 1.0, True, 0.01, 0.01) > 0.0
    against = JointTorque(settings().joints[1], ("right", "left"), 0.1)
    against.torque = 0.1
    assert step(against, 0.0) == 0.0
    against.torque = 0.1
    assert against.step([0.0, 1.0], 0.0, 1.0, True, 0.01, 0.01) == pytest.approx(-0.4)
