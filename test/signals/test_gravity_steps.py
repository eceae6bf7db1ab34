"""GravitySteps: gravity that most sensors lose in one instant."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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


FINE = 400.0  # Hz: steps are placed to 2.5 ms


def fed(
    step_s: Sequence[float],
    *,
    gravity: float = 9.81,
    left: float = 0.0,
    aside: float = 3.0,
    across: float = 0.0,
    back_s: Sequence[float] = (),
    silent_s: Mapping[int, float] | None = None,
    seconds: float = 2.0,
) -> tuple[GravitySteps, float]:
    """Feed sensors, each with a step of its own [s]; return the steps, and when they were told of [s].

    Args:
        gravity: before the step [m/s²].
        left: share of it that is left.
        aside: amplitude of a movement across gravity [m/s²].
        across: acceleration across gravity that stays [m/s²].
        back_s: when gravity is there again, for each sensor.
        silent_s: when some sensors fall silent, by index.
    """
    steps, windows, told = GravitySteps(len(step_s)), [SampleWindows() for _ in step_s], np.inf
    ends = [*back_s, *[np.inf] * (len(step_s) - len(back_s))]
    for index in range(round(seconds * FINE)):
        at = index / FINE
        for sensor, (begin, end) in enumerate(zip(step_s, ends, strict=True)):
            if at < (silent_s or {}).get(sensor, np.inf):
                z = gravity * (left if begin <= at < end else 1.0)
                if windows[sensor].take(round(at * SECOND), (across + aside * (-1) ** index, 0.0, z)):
                    steps.take(sensor, round(at * SECOND), windows[sensor])
        if steps.vanished > NEVER:
            told = min(told, at)
    return steps, told


def is_told(*step_s: float, **options: Any) -> bool:
    return fed(step_s or [STEP_S] * 6, **options)[0].vanished > NEVER


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gravity": 4.9}, False),
        ({"gravity": 5.1}, True),
        ({"gravity": 11.9}, True),
        ({"gravity": 12.1}, False),
        ({"left": 0.48}, True),
        ({"left": 0.52}, False),
        ({"gravity": 5.5, "left": 0.3, "aside": 0.0, "across": 2.0}, False),  # a step of 3.85 m/s²
        ({"gravity": 5.9, "left": 0.3, "aside": 0.0, "across": 2.0}, True),
        ({"aside": 2.4}, False),  # as if in g
        ({"aside": 2.6}, True),
    ],
    ids=str,
)
def test_steps_tell_of_gravity_that_vanishes_at_and_beside_the_limits(options: dict[str, float], told: bool) -> None:
    assert is_told(**options) is told


@pytest.mark.parametrize(("apart_s", "told"), [(0.0275, True), (0.03, False)])
def test_steps_within_30_ms_are_of_one_instant(apart_s: float, told: bool) -> None:
    never = np.inf
    assert is_told(STEP_S, STEP_S, STEP_S, STEP_S + apart_s, never, never) is told


@pytest.mark.parametrize(("sensors", "told"), [(2, False), (3, True)])
def test_steps_of_two_sensors_prove_nothing(sensors: int, told: bool) -> None:
    assert is_told(*[STEP_S] * sensors) is told


@pytest.mark.parametrize(("silent_for_s", "told"), [(0.2, False), (0.3, True)])
def test_steps_count_sensors_that_sent_within_a_quarter_of_a_second(silent_for_s: float, told: bool) -> None:
    """Three of six are too few, three of four enough."""
    never = np.inf
    fell_silent = dict.fromkeys((4, 5), STEP_S + 0.13 - silent_for_s)
    assert is_told(STEP_S, STEP_S, STEP_S, never, never, never, silent_s=fell_silent) is told


@pytest.mark.parametrize(("back", "of", "told"), [(4, 6, False), (5, 6, True), (5, 7, False)])
def test_steps_of_five_sixths_of_the_sensors_tell_that_gravity_returned(back: int, of: int, told: bool) -> None:
    ends = [3.2] * back + [np.inf] * (of - back)
    steps, _ = fed([STEP_S] * of, back_s=ends, seconds=4.0)
    assert (steps.returned > NEVER) is told
    assert steps.vanished / SECOND == pytest.approx(STEP_S, abs=0.003)
    assert not told or steps.returned / SECOND == pytest.approx(3.2, abs=0.003)
    assert steps.has_returned(0, round(3.0 * SECOND)) is told
    assert not steps.has_returned(0, round(3.3 * SECOND))
    steps.reset(0)
    assert not steps.has_returned(0, 0)


@pytest.mark.parametrize(("before_s", "told"), [(0.775, False), (0.825, True)])
def test_steps_are_told_some_100_ms_later_if_what_was_before_is_known(before_s: float, told: bool) -> None:
    steps, instant = fed([before_s] * 6, seconds=before_s + 0.2)
    assert (steps.vanished > NEVER) is told
    if told:
        assert 0.08 < instant - before_s < 0.13
