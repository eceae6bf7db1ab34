"""GravitySteps: gravity that most sensors lose in one instant."""

import pytest

from imu_emg_estimator.signals.gravity_steps import GravitySteps
from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sample_windows import SampleWindows

RATE, SENSORS, STEP_S = 100.0, 6, 1.52


def steps_of(struck: int, spread_s: float = 0.0, left: float = 0.0) -> GravitySteps:
    """Feed 2 s in which gravity steps to a share of it at some sensors, one after the other within a time."""
    steps = GravitySteps(SENSORS)
    windows = [SampleWindows() for _ in range(SENSORS)]
    for index in range(round(2.0 * RATE)):
        at = index / RATE
        for sensor in range(SENSORS):
            is_gone = sensor < struck and at >= STEP_S + spread_s * sensor / SENSORS
            z = 9.81 * (left if is_gone else 1.0)
            instant = round(at * SECOND)
            if windows[sensor].take(instant, (3.0 * (-1) ** index, 0.0, z)):
                steps.take(sensor, instant, windows[sensor])
    return steps


@pytest.mark.parametrize(("struck", "told"), [(3, False), (4, True), (6, True)])
def test_steps_of_two_thirds_of_the_sensors_tell(struck: int, told: bool) -> None:
    steps = steps_of(struck)
    assert (steps.vanished > NEVER) is told
    assert steps.returned == NEVER
    if told:
        assert steps.vanished / SECOND == pytest.approx(STEP_S, abs=0.03)


def test_steps_that_are_not_of_one_instant_do_not_tell() -> None:
    assert steps_of(6, spread_s=0.4).vanished == NEVER


def test_steps_that_leave_most_of_gravity_do_not_tell() -> None:
    assert steps_of(6, left=0.7).vanished == NEVER
