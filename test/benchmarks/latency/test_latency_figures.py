"""Figures computed from made inputs come out as defined."""

import numpy as np
import pytest

from benchmarks.latency.latency_figures import (
    AGE_EDGES,
    growth,
    histogram,
    largest_gap,
    missed,
    percentiles,
    places,
    ratio,
    spread,
)

SECOND = 1_000_000_000


def test_spread_ignores_repeats_without_figure() -> None:
    assert spread([3.0, None, 1.0, float("nan"), 8.0]) == {
        "median": 3.0,
        "lowest": 1.0,
        "highest": 8.0,
        "repeats": 3,
        "values": [3.0, 1.0, 8.0],
    }
    assert spread([None])["median"] is None


def test_ratio_is_taken_repeat_by_repeat() -> None:
    """Each repeat against its own neighbour: a machine that slows down for both changes nothing."""
    entry = ratio([1.0, 10.0, 3.0], [4.0, 40.0, 6.0])
    assert entry["median"] == 0.25
    assert entry["values"] == [0.25, 0.25, 0.5]


def test_ratio_ignores_repeat_without_partner() -> None:
    assert ratio([1.0, None], [2.0, 3.0])["repeats"] == 1
    assert ratio([1.0], [0.0])["median"] is None
    assert ratio([], [])["median"] is None


def test_percentiles() -> None:
    figures = percentiles(np.arange(1001.0))
    assert figures["p50"] == 500.0
    assert figures["p99"] == 990.0
    assert figures["largest"] == 1000.0
    assert percentiles(np.array([])) == dict.fromkeys(figures)


def test_histogram_counts_everything() -> None:
    ages = np.array([1e-9, 1.5e-3, 2e-3, 100.0])
    counts = histogram(ages)
    assert sum(counts) == len(ages)
    assert counts[0] == counts[-1] == 1
    assert counts[int(np.searchsorted(AGE_EDGES, 1.5e-3)) - 1] == 1


@pytest.mark.parametrize(
    ("arrivals", "gap"),
    [
        ([1.0, 2.0, 3.0, 4.0], 1.0),
        ([4.0, 1.0, 2.0], 2.0),  # in any order
        ([2.5, 3.0], 2.5),  # nothing came at the beginning
        ([1.0], 4.0),  # nothing came after
        ([], 5.0),
        ([1.0, 2.0, 3.0, 4.0, 9.0], 1.0),  # what is outside does not count
    ],
)
def test_largest_gap_includes_start_and_end(arrivals: list[float], gap: float) -> None:
    instants = np.array([round(arrival * SECOND) for arrival in arrivals], np.int64)
    assert largest_gap(instants, 0, 5 * SECOND) == pytest.approx(gap)


def test_missed_counts_instants_without_timestamp() -> None:
    due = np.arange(5, dtype=np.int64) * 5_000_000
    timestamps = np.array([0, 5_000_001, 5_000_000, 20_000_000, 21_000_000], np.int64)  # twice, rounded, of none
    assert places(timestamps, due).tolist() == [0, 1, 1, 4, -1]
    assert missed(timestamps, due) == 2
    assert missed(timestamps[:0], due) == 5
    assert missed(timestamps, due[:0]) == 0


def test_growth_is_last_level_over_first() -> None:
    assert growth({"1": 100.0, "2": 300.0, "3": 101.0}) == pytest.approx(0.01)
    assert growth({"1": 100.0}) is None
