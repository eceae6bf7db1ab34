"""GrownDelays: a sensor that paused and went on as before sends old samples."""

from collections.abc import Callable

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.grown_delay import HELD_NS, GrownDelays
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

SENSORS, RATE = 4, 100.0
PAUSE_AT, PAUSE_S = 5.0, 0.3
Arrivals = Callable[[float], float | None]  # of a sample measured at an instant [s]; None = it is lost


def late(at: float) -> float | None:
    return at if at < PAUSE_AT else at + PAUSE_S


def lost(at: float) -> float | None:
    return None if PAUSE_AT <= at < PAUSE_AT + PAUSE_S else at


def caught_up(at: float) -> float | None:
    end = PAUSE_AT + PAUSE_S
    return end + 0.002 * (at - PAUSE_AT) * RATE if PAUSE_AT <= at < end + 0.1 else at


def states(
    arrivals: Arrivals, paused: int = 1, seconds: float = 10.0, counts: Callable[[int], int | None] = lambda at: at
) -> list[SensorState]:
    """Return the states of the first sensor; all messages are stamped on arrival."""
    delays = GrownDelays(SENSORS)
    messages = [
        (when, sensor, number)
        for sensor in range(SENSORS)
        for number in range(round(seconds * RATE))
        if (when := arrivals(number / RATE) if sensor < paused else number / RATE) is not None
    ]
    found = []
    for when, sensor, number in sorted(messages):
        instant = round(when * SECOND)
        state = delays.take(sensor, instant, instant, counts(number))
        found += [state] if sensor == 0 else []
    return found


@pytest.mark.parametrize("paused", [1, 2])
def test_delays_mask_sensors_that_pause_and_lose_nothing(paused: int) -> None:
    found = states(late, paused, seconds=PAUSE_AT + 4.9)
    after = round(PAUSE_AT * RATE)
    assert not any(state.masked for state in found[:after])
    assert all(state.masked and state.verdict is Verdict.LATE for state in found[after:])
    assert "paused for 0.3 s" in found[-1].reason


@pytest.mark.parametrize("arrivals", [lost, caught_up])
def test_delays_accept_losses_that_are_counted_and_bursts_that_catch_up(arrivals: Arrivals) -> None:
    assert not any(state.masked for state in states(arrivals)[-400:])


def test_delays_accept_a_pause_of_most_sensors() -> None:
    assert not any(state.masked for state in states(late, paused=SENSORS))


def test_delays_accept_a_driver_that_starts_again() -> None:
    restart = round((PAUSE_AT + 2.0) * RATE)
    found = states(late, counts=lambda at: at if at < restart else at - restart)
    assert found[restart - 1].masked
    assert not any(state.masked for state in found[restart:])


def test_delays_judge_nothing_without_a_count() -> None:
    assert not any(state.masked for state in states(late, counts=lambda at: None))


def test_delays_end_the_suspicion_in_time() -> None:
    found = states(late, seconds=PAUSE_AT + HELD_NS / SECOND + 2.0)
    assert found[-300].masked
    assert not found[-1].masked
