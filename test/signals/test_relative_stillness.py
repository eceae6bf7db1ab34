"""RelativeStillness: a sensor that hardly moves while half of the others do is frozen."""

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.relative_stillness import RelativeStillness
from imu_emg_estimator.signals.sensor_verdict import Verdict

QUARTER = SECOND // 4
LONG_AGO = 1_700_000_000 * SECOND


def rig(*others: tuple[float, float], age: int = 0) -> RelativeStillness:
    """Sensors after the first one that moved so much over 0.2 and 0.5 s, this long ago [ns]."""
    stillness = RelativeStillness(1 + len(others))
    for sensor, (short, half) in enumerate(others, 1):
        stillness.judge(sensor, LONG_AGO - age, short, half)
    return stillness


@pytest.mark.parametrize(
    ("short", "half", "others", "frozen"),
    [
        (0.034, None, [(1.1, 0.0)] * 2, True),  # over 0.2 s
        (0.035, None, [(1.1, 0.0)] * 2, False),
        (0.034, None, [(1.0, 0.0)] * 2, False),
        (0.05, 0.094, [(0.0, 3.1)] * 2, True),  # over 0.5 s
        (0.05, 0.095, [(0.0, 3.1)] * 2, False),
        (0.05, 0.094, [(0.0, 3.0)] * 2, False),
        (0.034, 0.034, [(1.1, 0.0)], False),  # one other is not enough
        (0.034, 0.034, [(1.1, 0.0), (0.0, 0.0)], False),  # the lesser of two
        (0.034, 0.034, [(1.1, 0.0), (1.1, 0.0), (0.0, 0.0)], True),  # the middle of three
        (0.034, 0.034, [(1.1, 0.0), (0.0, 0.0), (0.0, 0.0)], False),
    ],
)
def test_sensor_is_frozen_if_it_stands_still_while_half_of_the_others_move(
    short: float, half: float | None, others: list[tuple[float, float]], frozen: bool
) -> None:
    state = rig(*others).judge(0, LONG_AGO, short, half)
    assert (state is not None) is frozen
    if state:
        assert (state.verdict, state.masked) == (Verdict.FROZEN, True)
        assert "while the others move" in state.reason


def test_stillness_says_how_still_to_a_thousandth() -> None:
    state = rig((1.1, 0.0), (1.1, 0.0)).judge(0, LONG_AGO, 0.0123, None)
    assert state is not None
    assert "0.012 m/s²" in state.reason


@pytest.mark.parametrize(("age", "frozen"), [(QUARTER - 1, True), (QUARTER, False)])
def test_sensor_is_compared_with_what_others_did_within_a_quarter_of_a_second(age: int, frozen: bool) -> None:
    assert (rig((1.1, 0.0), (1.1, 0.0), age=age).judge(0, LONG_AGO, 0.0, None) is not None) is frozen


def test_others_move_is_told_over_half_a_second() -> None:
    for half, moves in ((3.1, True), (3.0, False)):
        stillness = rig((0.0, half), (0.0, half))
        stillness.judge(0, LONG_AGO, 5.0, 5.0)
        assert stillness.others_move(0) is moves


def test_stillness_forgets_a_sensor_that_is_reset() -> None:
    stillness = rig((1.1, 0.0), (1.1, 0.0))
    stillness.reset(2)
    assert stillness.judge(0, LONG_AGO, 0.0, None) is None


@pytest.mark.parametrize(("short", "seconds", "frozen"), [(0.14, 1.4, True), (0.14, 1.6, False), (0.16, 0.1, False)])
def test_sensor_stays_frozen_for_a_stride_in_which_the_others_pause(short: float, seconds: float, frozen: bool) -> None:
    stillness = rig((1.1, 0.0), (1.1, 0.0))
    assert stillness.judge(0, LONG_AGO, 0.03, None) is not None
    later = LONG_AGO + round(seconds * SECOND)
    for sensor in (1, 2):
        stillness.judge(sensor, later, 0.5, 0.5)
    assert (stillness.judge(0, later, short, None) is not None) is frozen


@pytest.mark.parametrize(("sensors", "limit"), [(1, 0.06), (2, 0.1), (3, 0.15)])
@pytest.mark.parametrize(("share", "before", "frozen"), [(0.9, 1.1, True), (1.1, 1.1, False), (0.9, 0.9, False)])
def test_sensors_that_stop_in_one_instant_are_frozen_the_stiller_the_fewer_there_are(
    sensors: int, limit: float, share: float, before: float, frozen: bool
) -> None:
    stillness = RelativeStillness(sensors)
    for sensor in range(sensors):
        stillness.judge(sensor, LONG_AGO, 2.0, 2.0)
    for instant in (LONG_AGO + QUARTER // 5, LONG_AGO + QUARTER // 2):
        states = [stillness.judge(sensor, instant, share * limit, 1.0, before) for sensor in range(sensors)]
    assert [state is not None for state in states] == [frozen] * sensors
    assert [stillness.judge(sensor, instant, 1.9 * limit, 1.0) is not None for sensor in range(sensors)][-1] is frozen
    assert stillness.judge(0, instant, 2.1 * limit, 1.0) is None
