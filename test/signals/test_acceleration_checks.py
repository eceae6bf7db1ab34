"""AccelerationChecks: what is told at, and what is not beside, each limit; all accelerations in m/s² at 100 Hz."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import cycle, islice
from types import SimpleNamespace

import numpy as np
import pytest

from imu_emg_estimator.signals.acceleration_checks import AccelerationChecks
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

Array = np.ndarray
STEP_NS = 10_000_000
NEVER = math.inf
PAIRS = [1.0, 1.0, -1.0, -1.0]  # a movement that no alternation of two sources resembles


def states(samples: Array) -> list[SensorState | None]:
    """Return the states after each sample [samples, 3]."""
    checks = AccelerationChecks()
    return [checks.take(index * STEP_NS, (x, y, z)) for index, (x, y, z) in enumerate(samples.tolist())]


def told(samples: Array) -> tuple[float, Verdict | None, str]:
    """Return when [s] something is told first, and what."""
    for index, state in enumerate(states(samples)):
        if state:
            return index / 100, state.verdict, state.reason
    return NEVER, None, ""


def resting(gravity: float, noise: float = 0.05, seconds: float = 1.5) -> Array:
    """Return a sensor that lies still: gravity along z, and noise of this standard deviation along x."""
    samples = np.zeros((round(100 * seconds) + 1, 3))
    samples[:, 0], samples[:, 2] = repeated([noise, -noise], len(samples)), gravity
    return samples


def repeated(pattern: Iterable[float], count: int) -> Array:
    return np.array(list(islice(cycle(pattern), count)))


@pytest.mark.parametrize(
    ("gravity", "seconds", "verdict", "words"),
    [
        (0.55, 0.2, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (0.65, 0.2, Verdict.OTHER_UNITS, "a gravity of 0.65 instead of 9.81 m/s², as if in g"),
        (1.95, 0.2, Verdict.OTHER_UNITS, "as if in g"),
        (2.05, 0.2, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (3.35, 0.2, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (3.45, 0.5, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (5.75, 0.5, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (5.85, 1.0, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (7.25, 1.0, Verdict.IMPLAUSIBLE, "as if its driver removed it"),
        (8.15, 1.0, Verdict.IMPLAUSIBLE, "a gravity of 8.2 instead of 9.81 m/s²"),
        (8.25, NEVER, None, ""),
        (11.45, NEVER, None, ""),
        (11.55, 1.0, Verdict.IMPLAUSIBLE, "a gravity of 11.6 instead of 9.81 m/s²"),
        (44.5, 1.0, Verdict.IMPLAUSIBLE, "a gravity of 44.5 instead of 9.81 m/s²"),
        (45.5, 0.2, Verdict.OTHER_UNITS, "measures 46 m/s² on average, as if in another unit"),
        (299.0, 0.2, Verdict.OTHER_UNITS, "as if in another unit"),
        (301.0, 0.2, Verdict.OTHER_UNITS, "as if in mg"),
    ],
)
def test_checks_tell_wrong_gravity_of_a_resting_sensor(
    gravity: float, seconds: float, verdict: Verdict | None, words: str
) -> None:
    when, found, reason = told(resting(gravity, noise=0.2))
    assert (when, found) == (seconds, verdict)
    assert reason.endswith(words)


@pytest.mark.parametrize("gravity", [5.85, 8.15, 8.25, 11.45, 11.55, 44.5])
@pytest.mark.parametrize("noise", [0.14, 0.16])
def test_checks_tell_wrong_gravity_of_a_sensor_in_quiet_within_half_a_second(gravity: float, noise: float) -> None:
    when, _, _ = told(resting(gravity, noise))
    assert when == (NEVER if 8.2 < gravity < 11.5 else 0.5 if noise == 0.14 else 1.0)


@pytest.mark.parametrize(("share", "unit"), [(0.47, False), (0.53, True)])
def test_checks_take_short_accelerations_for_g_where_half_of_them_is_gravity(share: float, unit: bool) -> None:
    samples = resting(share)
    samples[:, 0] = math.sqrt(1.0 - share**2) * repeated(PAIRS, len(samples))
    assert told(samples)[:2] == (0.2, Verdict.OTHER_UNITS if unit else Verdict.IMPLAUSIBLE)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_checks_wait_for_movement_that_is_weightless_or_huge_all_the_time(seconds: float) -> None:
    """One sample of 9.81 m/s² now and then says that the others are a movement."""
    for gravity in (2.5, 60.0):
        samples = resting(gravity, seconds=0.4)
        samples[round(100 * seconds) + 5 :: 20, 2] = 9.81
        assert told(samples)[0] == (NEVER if not seconds else 0.2)


@pytest.mark.parametrize(("noise", "seconds"), [(0.0038, 0.2), (0.0042, NEVER)])
def test_checks_tell_a_sensor_that_changes_less_than_noise(noise: float, seconds: float) -> None:
    when, verdict, _ = told(resting(9.81, noise))
    assert (when, verdict) == (seconds, Verdict.FROZEN if seconds < NEVER else None)


@pytest.mark.parametrize(("deviation", "seconds"), [(0.34, 1.0), (0.36, NEVER)])
def test_checks_judge_gravity_at_rest_alone(deviation: float, seconds: float) -> None:
    assert told(resting(8.0, deviation))[0] == seconds


def swinging(gravity: float, variation: float = 0.4, seconds: float = 1.5) -> Array:
    """Return a movement around gravity along x, whose lengths have a mean of 9 and vary by this share."""
    samples = resting(0.3, 0.3, seconds)
    long, short = (math.sqrt((9.0 * (1.0 + sign * variation)) ** 2 - gravity**2) for sign in (1, -1))
    samples[:, 0] += gravity
    turning = np.exp(0.4j * math.pi * np.arange(len(samples))) * repeated([long] * 5 + [short] * 5, len(samples))
    samples[:, 1], samples[:, 2] = turning.real, turning.imag  # steps that never take each other back
    return samples


@pytest.mark.parametrize(
    ("gravity", "variation", "seconds"),
    [
        (3.4, 0.4, 0.5),
        (3.6, 0.4, 1.0),
        (4.9, 0.4, 1.0),
        (5.1, 0.4, NEVER),
        (3.0, 0.31, 0.5),
        (3.0, 0.29, NEVER),
    ],
)
def test_checks_tell_missing_gravity_in_movement(gravity: float, variation: float, seconds: float) -> None:
    assert told(swinging(gravity, variation))[0] == seconds


@pytest.mark.parametrize(("newest", "seconds"), [(6.4, 0.5), (6.6, NEVER)])
def test_checks_accept_gravity_that_is_back_in_the_newest_fifth_of_a_second(newest: float, seconds: float) -> None:
    assert told(np.concatenate([swinging(0.0)[:31], swinging(newest, 0.25)[:60]]))[0] == seconds


@pytest.mark.parametrize(("gravity", "ends"), [(6.4, (3.95, 4.05)), (6.6, (0.8, 1.1))])
def test_checks_hold_that_gravity_is_removed_until_seven_tenths_of_a_second_show_it(
    gravity: float, ends: tuple[float, float]
) -> None:
    moving = resting(gravity, seconds=4.0)
    moving[:, 1] = 3.9 * repeated(PAIRS, len(moving))
    moving[:, [0, 2]] += 0.3 * repeated(PAIRS, len(moving))[:, None]
    found = states(np.concatenate([resting(2.5, seconds=0.99), moving]))
    masked = [index / 100 - 1.0 for index, state in enumerate(found) if state]
    assert ends[0] < masked[-1] < ends[1]


@pytest.mark.parametrize(("jumps", "is_told"), [(8, False), (9, True)])
def test_checks_tell_two_units_by_nine_jumps_of_twenty_messages(jumps: int, is_told: bool) -> None:
    samples = resting(9.81)
    samples[105 : 105 + jumps : 2] = [0.0, 0.0, 2.0]
    if jumps % 2:
        samples[105 + jumps :] = [0.0, 0.0, 2.0]
    reasons = [state.reason for state in states(samples)[:121] if state]
    assert any("in two units" in reason for reason in reasons) == is_told


@pytest.mark.parametrize(
    ("step", "other", "is_told"), [(1.9, 0.0, False), (2.1, 0.0, True), (6.0, 1.15, True), (6.0, 1.24, False)]
)
def test_checks_tell_two_sources_by_values_that_return_every_other_message(
    step: float, other: float, is_told: bool
) -> None:
    samples = resting(9.81)
    samples[:, 1] = step / 2 * repeated([1.0, -1.0], len(samples))
    samples[:, 0] += other / 2 * repeated(PAIRS, len(samples))
    samples[:, 2] += 0.12 * repeated(PAIRS, len(samples))
    assert told(samples)[:2] == ((0.25, Verdict.TWO_PUBLISHERS) if is_told else (NEVER, None))


def turned(
    before: tuple[float, float, float], after: tuple[float, float, float], steps: Iterable[float] = (), first: int = 41
) -> Array:
    """Return a sensor at rest that turns over from its 41st sample on, over these shares of the way."""
    samples = resting(0.0, 0.05)
    samples[:first] += before
    samples[first:] += after
    for index, share in enumerate(steps, first):
        samples[index] = np.array(before) + share * np.subtract(after, before)
    return samples


def angled(degrees: float) -> tuple[float, float, float]:
    return 9.81 * math.sin(math.radians(degrees)), 0.0, 9.81 * math.cos(math.radians(degrees))


@pytest.mark.parametrize(
    ("samples", "axes"),
    [
        (turned(angled(0.0), angled(98.0)), None),
        (turned(angled(0.0), angled(102.0)), "z"),
        (turned(angled(30.0), angled(-150.0)), "x and z"),
        (turned((6.9, 0.0, 6.9), (6.9, 1.31, -6.9)), "z"),
        (turned((6.9, 0.0, 6.9), (6.9, 1.45, -6.9)), None),
        (turned((9.67, 0.0, 1.45), (9.67, 0.0, -1.45)), None),
        (turned((9.67, 0.0, 1.55), (9.67, 0.0, -1.55)), "z"),
        (turned((9.81, 0.0, 0.0), (-9.81, 0.0, 0.0), (0.48, 0.52), 39)[:61], None),
        (turned((9.81, 0.0, 0.0), (-9.81, 0.0, 0.0), (0.52,), 40)[:61], "x"),
    ],
)
def test_checks_tell_axes_that_change_sign_in_one_step(samples: Array, axes: str | None) -> None:
    when, verdict, reason = told(samples)
    if axes is None:
        assert "turned over" not in reason
    else:
        assert (when, verdict) == (0.55, Verdict.IMPLAUSIBLE)
        assert reason == f"turned over from one message to the next: {axes} changed sign"


@pytest.mark.parametrize("axes", [0, 1, 2])
@pytest.mark.parametrize(("degrees", "is_told"), [(98.0, False), (102.0, True)])
def test_checks_tell_a_turn_by_more_than_100_degrees_in_any_plane(axes: int, degrees: float, is_told: bool) -> None:
    samples = turned(angled(30.0), angled(30.0 + degrees))
    assert ("turned over" in told(np.roll(samples, axes, axis=1))[2]) == is_told


@pytest.mark.parametrize(("gravity", "is_judged"), [(3.9, False), (4.1, True)])
def test_checks_do_not_judge_the_direction_of_little_gravity(gravity: float, is_judged: bool) -> None:
    reason = told(turned((gravity, 0.0, 0.0), (-gravity, 0.0, 0.0), first=21))[2]
    assert ("x changed sign" if is_judged else "as if its driver removed it") in reason


@pytest.mark.parametrize(("deviation", "seconds"), [(1.45, 0.55), (1.55, NEVER)])
def test_checks_tell_one_negated_axis_in_little_movement_alone(deviation: float, seconds: float) -> None:
    samples = turned((6.9, 0.0, 6.9), (6.9, 0.0, -6.9))
    samples[:, 1] = deviation * repeated(PAIRS, len(samples))
    assert told(samples)[0] == seconds


def test_checks_mask_negated_axes_for_a_minute() -> None:
    found = states(np.concatenate([turned(angled(0.0), angled(180.0)), resting(-9.81, seconds=65.0)]))
    masked = [index / 100 for index, state in enumerate(found) if state]
    assert (masked[0], masked[-1]) == (0.55, 60.54)
    assert all(found[70:6055])


def test_checks_accept_axes_at_once_that_turn_back() -> None:
    samples = np.concatenate([turned(angled(0.0), angled(180.0)), resting(9.81)])
    assert [index / 100 for index, state in enumerate(states(samples)) if state][-1] <= 1.7


def test_checks_accept_axes_that_turn_back_after_a_turn_that_was_not_seen() -> None:
    unseen = np.linspace(0.0, math.pi, 100)[:, None]  # a second is too slow for negated axes
    turning = 9.81 * np.concatenate([np.sin(unseen), 0.0 * unseen, np.cos(unseen)], axis=1)
    samples = np.concatenate([resting(9.81, seconds=5.0), turning, resting(-9.81, seconds=5.0), resting(9.81)])
    assert not [state.reason for state in states(samples) if state and "turned over" in state.reason]


def test_checks_believe_a_sensor_that_turned_over_when_told_to() -> None:
    checks = AccelerationChecks()
    samples = turned(angled(0.0), angled(180.0)).tolist()
    found = [checks.take(index * STEP_NS, (x, y, z)) for index, (x, y, z) in enumerate(samples)]
    assert found[-1] is not None
    assert found[-1].turn == pytest.approx(19.6, abs=0.1)
    checks.forget_turn()
    assert not any(
        checks.take((len(samples) + index) * STEP_NS, (x, y, z)) for index, (x, y, z) in enumerate(samples[60:])
    )


@pytest.mark.parametrize(
    ("moving", "noise", "seconds"), [(2.05, 0.095, 1.0), (2.05, 0.105, NEVER), (1.95, 0.095, NEVER)]
)
def test_checks_tell_an_axis_that_stays_while_the_others_move(moving: float, noise: float, seconds: float) -> None:
    samples = resting(9.81, noise)
    samples[:, 1] = moving * repeated(PAIRS, len(samples))
    samples[:, 2] += 0.2 * repeated(PAIRS[1:] + PAIRS[:1], len(samples))
    when, verdict, reason = told(samples)
    assert (when, verdict) == (seconds, Verdict.FROZEN if seconds < NEVER else None)
    assert not reason or "its acceleration in x stays at" in reason


@pytest.mark.parametrize(("deviation", "ends"), [(0.3, (0.15, 0.25)), (0.4, (1.4, 1.6))])
def test_checks_believe_right_gravity_again_at_rest_at_once_and_in_movement_after_a_second(
    deviation: float, ends: tuple[float, float]
) -> None:
    after = resting(9.81, 0.0, 3.0)
    after[:, 1] = deviation * repeated(PAIRS, len(after))
    found = states(np.concatenate([resting(13.0, seconds=1.49), after]))
    assert ends[0] <= [index / 100 - 1.5 for index, state in enumerate(found) if state][-1] <= ends[1]


@pytest.mark.parametrize("faulty", [resting(7.8), np.concatenate([resting(9.8), resting(-9.8)])])
def test_checks_hold_a_fault_of_gravity_across_a_pause(faulty: Array) -> None:
    checks = AccelerationChecks()
    samples = np.concatenate([faulty, faulty[-150:]])
    instants = [index * STEP_NS + (index >= len(faulty)) * 50 * STEP_NS for index in range(len(samples))]
    found = [checks.take(instant, (x, y, z)) for instant, (x, y, z) in zip(instants, samples.tolist(), strict=True)]
    assert all(found[len(faulty) - 1 :])


def test_checks_take_no_limb_that_turns_quickly_with_a_knock_for_negated_axes() -> None:
    """As the wrist in a curl, where the dumbbell swings: 150° in a third of a second, and one sample sideways."""
    angle = math.radians(150.0) * np.clip((np.arange(300) - 100) / 33, 0.0, 1.0)
    samples = 9.81 * np.column_stack([np.sin(angle), np.zeros(300), np.cos(angle)])
    samples[:, 0] += 0.5 * repeated(PAIRS, 300)
    samples[125, 1] += 14.0
    assert not [state.reason for state in states(samples) if state and "turned over" in state.reason]


def thigh(seconds: float) -> Array:
    """Return the accelerations of a thigh in a walk of one stride a second."""
    phase = 2.0 * np.pi * np.arange(round(100 * seconds)) / 100
    return np.stack([3.0 * np.sin(phase), 1.5 * np.sin(2.0 * phase), 9.81 + 3.0 * np.cos(2.0 * phase)], axis=1)


def test_loss_of_gravity_in_a_step_is_told_within_a_quarter_of_a_second_and_until_it_is_back() -> None:
    samples = thigh(18.0)
    samples[1210:1500, 2] -= 9.81
    found = [index / 100 for index, state in enumerate(states(samples)) if state]
    assert 12.2 < found[0] < 12.33
    assert len(found) > 100 * (15.0 - found[0])
    assert found[-1] < 15.8


def test_loss_of_gravity_that_was_none_is_told_for_less_than_half_a_second() -> None:
    samples = thigh(18.0)
    samples[1210:1232, 2] -= 9.81
    found = [index / 100 for index, state in enumerate(states(samples)) if state]
    assert 12.2 < found[0] < 12.33
    assert found[-1] < found[0] + 0.5


def test_checks_take_over_where_gravity_vanished_from_all_sensors_and_returned() -> None:
    checks, found = AccelerationChecks(), []
    for vanished, returned in ((0, 0), (5, 0), (9, 0), (9, 12), (9, 15), (20, 15)):
        steps = SimpleNamespace(vanished=vanished, returned=returned, take=lambda *_: None)
        checks._follow_steps(steps, 0)  # type: ignore[arg-type]
        found.append(checks._removed is not None)
    assert found[1:] == [True, True, False, False, True]
