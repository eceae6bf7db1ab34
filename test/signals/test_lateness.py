"""Lateness: when late samples make a sensor late, and when its clock is behind instead."""

import pytest

from imu_emg_estimator.signals.lateness import Lateness

MS = 1_000_000  # ns
ON_TIME = 1000 * MS  # arrival of the last sample on time


def late(*arrivals: float, delays: tuple[float, ...] = (80.0,), pause: float = 1000.0) -> Lateness:
    """Return what follows from late samples, in ms since the last one on time; their delays are these in turns."""
    lateness = Lateness()
    for index, arrival in enumerate(arrivals):
        delay = round(delays[index % len(delays)] * MS)
        lateness.add(ON_TIME + round(arrival * MS), delay, round(pause * MS), ON_TIME)
    return lateness


@pytest.mark.parametrize(
    ("arrivals", "is_late"),
    [
        ((90, 120, 149), False),  # nothing has come on time for 150 ms
        ((90, 120, 151), True),
        ((140, 160, 189), False),  # late samples have come for 50 ms
        ((140, 160, 191), True),
        ((90, 200), False),  # three of them
        ((90, 200, 210), True),
    ],
)
def test_sensor_is_late_by_three_late_samples_that_are_no_burst(arrivals: tuple[float, ...], is_late: bool) -> None:
    lateness = late(*arrivals)
    assert lateness.is_late == is_late
    assert (lateness.samples, lateness.latest) == (len(arrivals), ON_TIME + arrivals[-1] * MS)


def test_late_samples_after_one_on_time_begin_a_new_burst() -> None:
    lateness = late(20, 40)
    lateness.add(ON_TIME + 400 * MS, 80 * MS, 0, ON_TIME + 200 * MS)
    assert not lateness.is_late
    lateness.add(ON_TIME + 451 * MS, 80 * MS, 0, ON_TIME + 200 * MS)
    assert lateness.is_late


def test_samples_go_on_late_until_one_comes_more_than_100_ms_after_the_last() -> None:
    lateness = late(90)
    assert lateness.goes_on(ON_TIME + 190 * MS)
    assert lateness.goes_on(ON_TIME + 290 * MS)
    assert not lateness.goes_on(ON_TIME + 391 * MS)


def test_second_block_on_time_ends_lateness() -> None:
    lateness = late(90, 200, 210)
    lateness.end_block()
    assert lateness.is_late
    lateness.end_block()
    assert not lateness.is_late
    assert not lateness.samples


@pytest.mark.parametrize(
    ("seconds", "delays", "excess", "is_clock"),
    [
        (1.02, (80.0,), 499.0, True),
        (1.0, (80.0,), 499.0, False),  # too short to tell
        (1.02, (80.0,), 500.0, False),  # half of the pause explains it
        (1.02, (80.0, 89.0), 499.0, True),
        (1.02, (80.0, 91.0), 499.0, False),  # scatters by more than 5 ms
    ],
)
def test_constant_lateness_beyond_the_pause_is_another_clock(
    seconds: float, delays: tuple[float, ...], excess: float, is_clock: bool
) -> None:
    lateness = late(*[100.0 + 20.0 * index for index in range(round(50 * seconds) + 1)], delays=delays)
    assert lateness.is_other_clock(round(excess * MS), 5 * MS) == is_clock
