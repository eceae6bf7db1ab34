"""Figures from measurements: spread over repeats, ratios, ages, gaps and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

Instants = NDArray[np.int64]  # ns

PERCENTILES = (50, 90, 99, 99.9)
AGE_EDGES = np.geomspace(1e-5, 10.0, 121)  # s, bins of the histogram: twenty to a decade
SAME = 1000  # ns; timestamps that differ by less are of one instant


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Median of the repeats, with the lowest and the highest; a repeat without a figure (None, NaN) is left out."""
    known = [float(value) for value in values if value is not None and np.isfinite(value)]
    if not known:
        return {"median": None, "lowest": None, "highest": None, "repeats": 0, "values": []}
    return {
        "median": float(np.median(known)),
        "lowest": min(known),
        "highest": max(known),
        "repeats": len(known),
        "values": known,
    }


def ratio(ours: Sequence[float | None], other: Sequence[float | None]) -> dict[str, Any]:
    """Spread of ours over the other, repeat by repeat: below 1, ours is the smaller."""
    pairs = zip(ours, other, strict=False)
    return spread([a / b for a, b in pairs if a is not None and b is not None and b > 0])


def percentiles(values: FloatArray) -> dict[str, float | None]:
    """``p50`` to ``p99.9``, ``mean`` and ``largest`` of a sample, in its unit; None where it is empty."""
    names = [f"p{percentile:g}" for percentile in PERCENTILES]
    if not len(values):
        return dict.fromkeys((*names, "mean", "largest"))
    found = np.percentile(values, PERCENTILES)
    return {
        **{name: float(value) for name, value in zip(names, found, strict=True)},
        "mean": float(np.mean(values)),
        "largest": float(np.max(values)),
    }


def histogram(ages: FloatArray) -> list[int]:
    """Counts in the bins of ``AGE_EDGES``; what is beyond them counts in the first or the last."""
    counts, _ = np.histogram(np.clip(ages, AGE_EDGES[0], AGE_EDGES[-1]), AGE_EDGES)
    return [int(count) for count in counts]


def within(instants: Instants, start: int, stop: int) -> NDArray[np.bool_]:
    """Which instants [ns] lie from start up to stop."""
    return (instants >= start) & (instants < stop)


def largest_gap(arrivals: Instants, start: int, stop: int) -> float:
    """Longest time [s] without an arrival from start to stop [ns], both ends included."""
    inside = np.sort(arrivals[within(arrivals, start, stop)])
    return float(np.diff(np.concatenate([[start], inside, [stop]])).max()) / 1e9


def places(timestamps: Instants, due: Instants) -> NDArray[np.intp]:
    """Which of the instants that were due, in order of time, each timestamp is; -1 = none of them."""
    if not len(due):
        return np.full(len(timestamps), -1, np.intp)
    right = np.clip(np.searchsorted(due, timestamps), 0, len(due) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(due[left] - timestamps) < np.abs(due[right] - timestamps), left, right)
    return np.where(np.abs(due[nearest] - timestamps) < SAME, nearest, -1)


def missed(timestamps: Instants, due: Instants) -> int:
    """How many of the instants that were due no timestamp is for."""
    found = places(timestamps, due)
    return len(due) - len(np.unique(found[found >= 0]))


def growth(levels: Mapping[str, float]) -> float | None:
    """The last level over the first, less one; None without two of them."""
    values = list(levels.values())
    return values[-1] / values[0] - 1.0 if len(values) > 1 else None
