"""GrownDelays: a sensor that paused and went on as before sends old samples."""

from collections.abc import Callable

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.grown_delay import GrownDelays
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

SENSORS, RATE = 4, 100.0
PAUSE_AT, PAUSE_S = 5.0, 0.3
MS = 1_000_000  # ns
Arrivals = Callable[[float], float | None]  # of a sample measured at an instant [s]; None = it is lost


def late(at: float) -> float | None:
    return at if at < PAUSE_AT else at + PAUSE_S


def lost(at: float) -> float | None:
    return None if PAUSE_AT <= at < PAUSE_AT + PAUSE_S else at


def caught_up(at: float) -> float | None:
    end = PAUSE_AT + PAUSE_S
    return end + 0.002 * (at - PAUSE_AT) * RATE if PAUSE_AT <= at < end + 0.1 else at


def followed(arrivals: list[float], counts: list[int] | None = None, instants: list[float] | None = None) -> list[bool]:
    """Return whether each sample of the first sensor is masked, from arrivals and instants in ms, and their numbers."""
    delays, others, found = GrownDelays(SENSORS), 0, []
    counts = counts or list(range(len(arrivals)))
    for arrival, number, instant in zip(arrivals, counts, instants or arrivals, strict=True):
        while (at := others * 10 * MS) <= arrival * MS:
            for sensor in range(1, SENSORS):
                delays.take(sensor, at, at, others)
            others += 1
        found.append(delays.take(0, round(instant * MS), round(arrival * MS), number).masked)
    return found


def paused(pause: float, after: float, samples: int = 100, period: float = 10.0, before: int = 50) -> list[float]:
    """Return arrivals [ms]: regular ones, a pause, and samples that follow each other by ``after``."""
    last = (before - 1) * period
    return [period * number for number in range(before)] + [
        last + period + pause + after * number for number in range(samples)
    ]


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


def test_delays_end_the_suspicion_after_5_s() -> None:
    found = states(late, seconds=PAUSE_AT + 7.0)
    assert [state.masked for state in found[500:]] == [True] * 500 + [False] * 200


@pytest.mark.parametrize(
    ("pause", "masked"), [(149.0, False), (151.0, True), (1989.0, True), (1991.0, False)], ids=lambda value: str(value)
)
def test_delays_suspect_pauses_of_150_ms_to_2_s(pause: float, masked: bool) -> None:
    assert followed(paused(pause, after=10.0))[50:] == [masked] * 100


def test_delays_clear_sensor_that_has_caught_up_half_of_its_pause() -> None:
    """Every sample catches up 5 of the 300 ms: the 31st after the pause, the first of those, more than half."""
    assert followed(paused(300.0, after=5.0))[50:] == [True] * 31 + [False] * 69


@pytest.mark.parametrize(("interval", "catches_up"), [(7.4, True), (7.6, False)])
def test_delays_count_samples_as_catching_up_that_come_within_three_quarters_of_the_period(
    interval: float, catches_up: bool
) -> None:
    found = followed(paused(300.0, after=interval))[50:]
    assert found == ([True] * 58 + [False] * 42 if catches_up else [True] * 100)


@pytest.mark.parametrize(("interval", "catches_up"), [(14.8, True), (15.2, False)])
def test_delays_compare_with_two_periods_where_every_other_sample_is_lost(interval: float, catches_up: bool) -> None:
    numbers = list(range(50)) + [50 + 2 * index for index in range(100)]
    found = followed(paused(300.0, after=interval), numbers)[50:]
    assert found == ([True] * 29 + [False] * 71 if catches_up else [True] * 100)


def test_delays_measure_a_pause_by_instants_and_by_arrivals() -> None:
    assert not any(followed(paused(300.0, after=10.0), instants=[10.0 * number for number in range(150)]))
    assert not any(followed(paused(149.0, after=10.0), instants=paused(200.0, after=10.0)))


def test_delays_accept_a_driver_that_counts_a_number_again() -> None:
    numbers = [*range(100), *range(99, 149)]
    assert followed(paused(300.0, after=10.0), numbers)[50:] == [True] * 50 + [False] * 50
    assert not any(followed([10.0 * number for number in range(150)], numbers))


def test_delays_know_the_period_from_the_second_sample_on() -> None:
    assert not any(followed(paused(145.0, after=10.0, before=3)))


def test_delays_take_two_samples_at_a_time_for_the_period_between_the_pairs() -> None:
    pairs = [10.0 * (number - number % 2) for number in range(100)]
    arrivals = pairs + [pairs[-1] + 165.0 + arrival for arrival in pairs]
    assert not any(followed(arrivals))


@pytest.mark.parametrize(("pause", "masked"), [(115.0, False), (120.0, True)])
def test_delays_learn_a_slower_rate_over_eight_samples(pause: float, masked: bool) -> None:
    """After eight samples at 10 Hz that followed 100 Hz, the period counts as 69 ms; the pause is what is beyond it."""
    slower = [490.0 + 100.0 * number for number in range(1, 9)]
    arrivals = [10.0 * number for number in range(50)] + slower
    assert followed([*arrivals, arrivals[-1] + 100.0 + pause])[-1] == masked


@pytest.mark.parametrize("is_forgotten", [True, False])
def test_pause_of_a_sensor_that_was_forgotten_meanwhile_is_none(is_forgotten: bool) -> None:
    delays, others = GrownDelays(SENSORS), 0
    for number, arrival in enumerate(paused(300.0, 10.0, samples=20)):
        while (at := others * 10 * MS) <= arrival * MS:
            for sensor in range(1, SENSORS):
                delays.take(sensor, at, at, others)
            others += 1
        if number == 50 and is_forgotten:
            delays.forget(0)
        state = delays.take(0, round(arrival * MS), round(arrival * MS), number)
    assert state.masked is not is_forgotten
