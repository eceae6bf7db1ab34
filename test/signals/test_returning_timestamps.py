"""ReturningTimestamps: timestamps are used again after three regular seconds, not before."""

from collections.abc import Callable

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.returning_timestamps import ReturningTimestamps

PERIOD = SECOND // 100


def returned(timestamp_of: Callable[[int], int], samples: int = 1500) -> list[int]:
    """Indices of the samples, 10 ms apart on arrival, at which the timestamps are regular again."""
    watched = ReturningTimestamps()
    watched.restart(timestamp_of(0), 0)
    return [index for index in range(1, samples) if watched.add(timestamp_of(index), index * PERIOD, PERIOD)]


def test_timestamps_return_after_three_regular_seconds() -> None:
    assert returned(lambda index: SECOND + index * PERIOD)[0] == 301


@pytest.mark.parametrize(
    ("step", "regular"), [(0.4, False), (0.41, True), (1.0, True), (1.49, True), (1.5, False)]
)  # periods from one to the next
def test_timestamps_are_regular_within_0_4_and_1_5_periods(step: float, regular: bool) -> None:
    assert bool(returned(lambda index: SECOND + round(index * step * PERIOD))) is regular


@pytest.mark.parametrize(("first", "regular"), [(0, True), (-20 * SECOND, False)])
def test_timestamps_must_be_positive(first: int, regular: bool) -> None:
    assert bool(returned(lambda index: first + index * PERIOD)) is regular


@pytest.mark.parametrize(("every", "regular"), [(200, True), (20, False)])
def test_timestamps_return_though_one_in_a_hundred_is_irregular(every: int, regular: bool) -> None:
    """A timestamp beside the others gives two irregular steps."""
    assert (
        bool(returned(lambda index: SECOND + index * PERIOD + 40 * PERIOD * (index % every == 50 % every))) is regular
    )


def test_irregular_timestamps_begin_the_wait_anew() -> None:
    def stuttering_until_2_s(index: int) -> int:
        return SECOND + (index if index > 200 else index - index % 2) * PERIOD

    assert returned(stuttering_until_2_s)[0] == pytest.approx(500, abs=5)
