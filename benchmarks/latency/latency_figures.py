"""Figures from measurements: spread over repeats, ratios, ages, gaps and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

Instants = NDArray[np.int64]  # ns

PERCENTILES = (50, 90, 99, 99.9)
AGE_EDGES = np.geomspace(1e-5, 10.0, 121)  # s; bins of the histogram, twenty per decade
SAME_INSTANT_NS = 1000  # timestamps that differ by less belong to one instant


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Return median, lowest and highest of the repeats, without those that lack a figure (None, NaN)."""
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
    """Divide ours by the other, repeat by repeat, and return the spread; below 1, ours is smaller."""
    pairs = zip(ours, other, strict=False)
    return spread([a / b for a, b in pairs if a is not None and b is not None and b > 0])


def percentiles(values: FloatArray) -> dict[str, float | None]:
    """Return ``p50`` to ``p99.9``, ``mean`` and ``largest`` of a sample, in its unit; None if it is empty."""
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
    """Count in the bins of ``AGE_EDGES``; the first and the last include everything beyond them."""
    counts, _ = np.histogram(np.clip(ages, AGE_EDGES[0], AGE_EDGES[-1]), AGE_EDGES)
    return [int(count) for count in counts]


def within(instants: Instants, start: int, stop: int) -> NDArray[np.bool_]:
    """Return which instants [ns] lie in [start, stop)."""
    return (instants >= start) & (instants < stop)


def largest_gap(arrivals: Instants, start: int, stop: int) -> float:
    """Return the longest time [s] without an arrival from start to stop [ns], both ends included."""
    inside = np.sort(arrivals[within(arrivals, start, stop)])
    return float(np.diff(np.concatenate([[start], inside, [stop]])).max()) / 1e9


def places(timestamps: Instants, due: Instants) -> NDArray[np.intp]:
    """Return the index of each timestamp among the ordered due instants; -1 if it is none of them."""
    if not len(due):
        return np.full(len(timestamps), -1, np.intp)
    right = np.clip(np.searchsorted(due, timestamps), 0, len(due) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(due[left] - timestamps) < np.abs(due[right] - timestamps), left, right)
    return np.where(np.abs(due[nearest] - timestamps) < SAME_INSTANT_NS, nearest, -1)


def missed(timestamps: Instants, due: Instants) -> int:
    """Count the due instants without a timestamp."""
    found = places(timestamps, due)
    return len(due) - len(np.unique(found[found >= 0]))


def growth(levels: Mapping[str, float]) -> float | None:
    """Return the last level over the first, minus one; None without two of them."""
    values = list(levels.values())
    return values[-1] / values[0] - 1.0 if len(values) > 1 else None
