"""Tests of what is remembered of a sensor's gravity."""

from __future__ import annotations

import pytest

from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector
from imu_emg_estimator.signals.usual_gravity import UsualGravity

STEP_NS = 10_000_000
UP: Vector = (0.0, 0.0, 9.81)
DOWN: Vector = (0.0, 0.0, -9.81)
SIDE: Vector = (9.81, 0.0, 0.0)


def usual(*stays: tuple[Vector, float]) -> UsualGravity:
    """Return the memory of a sensor whose gravity lay so, for so many seconds each."""
    windows, memory, instant = SampleWindows(), UsualGravity(), 0
    for gravity, seconds in stays:
        windows.forget_blocks()
        for _ in range(round(100 * seconds)):
            instant += STEP_NS
            if windows.take(instant, gravity):
                memory.take(windows)
    return memory


@pytest.mark.parametrize(
    ("stays", "before", "after", "is_back"),
    [
        ([(UP, 10.0), (DOWN, 20.0)], DOWN, UP, True),
        ([(UP, 10.0), (DOWN, 20.0)], DOWN, (0.0, 0.0, 0.0), True),  # half of the mean is of before the turn
        ([(UP, 10.0)], UP, DOWN, False),
        ([(DOWN, 10.0), (UP, 10.0)], DOWN, UP, False),
        ([(SIDE, 10.0), (UP, 10.0)], UP, DOWN, False),
        ([(UP, 2.5), (DOWN, 5.0)], DOWN, UP, True),
        ([(UP, 1.5), (DOWN, 5.0)], DOWN, UP, False),
        ([(UP, 10.0), (DOWN, 70.0)], DOWN, UP, False),
        ([], DOWN, UP, False),
    ],
)
def test_turn_leads_back_to_where_gravity_lay_first(
    stays: list[tuple[Vector, float]], before: Vector, after: Vector, is_back: bool
) -> None:
    assert usual(*stays).is_turn_back(before, after) == is_back


def test_memory_forgets_a_turn_that_was_not_seen_when_it_is_seen_to_end() -> None:
    memory = usual((UP, 5.0), (DOWN, 5.0), (SIDE, 5.0))
    assert memory.is_turn_back(DOWN, UP)
    assert not memory.is_turn_back(SIDE, DOWN)


def test_memory_is_empty_after_reset() -> None:
    memory = usual((UP, 5.0), (DOWN, 5.0))
    memory.reset()
    assert not memory.is_turn_back(DOWN, UP)


@pytest.mark.parametrize("axis", range(3))
def test_turn_leads_back_along_any_axis(axis: int) -> None:
    right, wrong = [0.0] * 3, [0.0] * 3
    right[axis], wrong[axis] = 9.81, -9.81
    memory = usual((tuple(right), 5.0), (tuple(wrong), 5.0))
    assert not usual((tuple(wrong), 5.0)).is_turn_back(tuple(wrong), tuple(right))
    assert memory.is_turn_back(tuple(wrong), tuple(right))
