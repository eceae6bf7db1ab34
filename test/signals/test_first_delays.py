"""FirstDelays: period and delay of a sensor's first samples, whatever single ones of them do."""

from itertools import pairwise

import pytest

from imu_emg_estimator.signals.first_delays import FirstDelays
from imu_emg_estimator.signals.grid_alignment import SECOND

MS = 1_000_000  # ns


def first(
    timestamps: list[int], delays: list[int], steps: list[int] | None = None, clear_at: int = 0
) -> tuple[FirstDelays, list[bool]]:
    """Add samples with timestamps and delays [ms]; return what was learned, and the answers."""
    collected, answers = FirstDelays(), []
    for index, (timestamp, delay) in enumerate(zip(timestamps, delays, strict=True)):
        if index == clear_at:
            collected.clear()
        answers.append(collected.add(timestamp * MS, (timestamp + delay) * MS, steps[index] if steps else 1))
    return collected, answers


@pytest.mark.parametrize(
    ("period", "suffice"), [(5, 20), (24, 5), (25, 4), (33, 4), (100, 4)]
)  # ms, index of the first sample after 100 ms and four others
def test_first_delays_suffice_after_100_ms_and_5_samples(period: int, suffice: int) -> None:
    _, answers = first([index * period for index in range(suffice + 1)], [3] * (suffice + 1))
    assert answers == [False] * suffice + [True]


def test_first_delays_count_time_from_the_first_sample_and_from_clear() -> None:
    times = [1000 + 10 * index for index in range(31)]
    _, answers = first(times, [3] * 31, clear_at=15)
    assert answers.index(True) == 10
    assert answers[15:].index(True) == 10


def test_first_delays_measure_period_jitter_floor_and_scatter() -> None:
    jitter = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    timestamps = [10 * index + more for index, more in enumerate(jitter)]
    learned, answers = first(timestamps, [4, 6, 4, 8, 4, 6, 4, 8, 4, 6, 5])
    assert answers[-1]
    assert learned.period == 9 * MS
    assert learned.jitter == 2 * MS
    assert learned.floor == 4 * MS
    assert learned.scatter == (4 * 5 + 6 * 3 + 8 * 2 + 5) * MS // 11 - 4 * MS


@pytest.mark.parametrize("counted", [True, False])
def test_first_delays_measure_the_period_though_samples_are_lost(counted: bool) -> None:
    numbers = [0, 1, 2, 4, 5, 6, 9, 10, 11, 12]
    steps = [1] + [after - before for before, after in pairwise(numbers)]
    learned, _ = first([10 * number for number in numbers], [3] * 10, steps if counted else None)
    assert learned.period == 10 * MS
    assert learned.jitter == 0


@pytest.mark.parametrize(("short", "long", "period"), [(10, 20, 10), (3, 15, 3), (2, 15, 10)])  # ms
def test_first_delays_take_the_period_from_a_quarter_of_the_steps(short: int, long: int, period: int) -> None:
    """Four of twelve are of one period: between the others samples were lost, and nobody counted them."""
    times = [sum(([long] * 4 + [short] * 4 + [long] * 4)[:index]) for index in range(13)]
    learned, _ = first(times, [3] * 13)
    assert learned.period // MS == period


def test_first_delays_know_no_period_of_timestamps_that_run_backwards() -> None:
    collected = FirstDelays()
    assert any(collected.add(SECOND - 10 * index * MS, 2 * SECOND + 20 * index * MS, 1) for index in range(6))
    assert collected.period == 0


@pytest.mark.parametrize("burst", [4, 5])
def test_first_delays_measure_the_mean_period_of_shared_timestamps(burst: int) -> None:
    timestamps = [10 * burst * (index // burst) for index in range(4 * burst + 1)]
    learned, answers = first(timestamps, [index % burst for index in range(4 * burst + 1)])
    assert any(answers)
    assert learned.period == 10 * MS


@pytest.mark.parametrize(
    ("apart", "samples", "floor"), [(19, 1, 3 - 19), (20, 1, 3), (500, 1, 3), (500, 2, 3), (500, 3, 3 - 500)]
)
def test_first_delays_take_no_floor_from_few_samples_far_below_the_others(apart: int, samples: int, floor: int) -> None:
    """A quarter of eleven samples, rounded up, must come close to it."""
    learned, _ = first([10 * k for k in range(11)], [3 - apart if 4 <= k < 4 + samples else 3 for k in range(11)])
    assert learned.floor == floor * MS
    assert learned.scatter == (11 - samples) * apart * MS // 11 if floor < 3 else learned.scatter == 0


def test_first_delays_take_the_smallest_delay_where_none_agree() -> None:
    learned, _ = first([90 * index for index in range(5)], [250, 200, 150, 100, 50])
    assert learned.floor == 50 * MS
