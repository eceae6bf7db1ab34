"""Runs of True in flags over time: bouts of an activity, gaps, samples in a row at a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def true_runs(flags: NDArray[np.bool_], min_length: int = 1) -> list[tuple[int, int]]:
    """Return start and stop of every run of True in flags [samples] that is at least so many samples long."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= min_length]
