"""Instants of the samples in packets: EMG comes in packets with one timestamp each, which jitter, repeat and get lost.

Instants are in ns, as in ROS; durations inside are in ns, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.topic_clocks import Floats, Instants

MAX_SHARED_STEP = 0.1  # of the usual distance; packets with closer timestamps share one
MAX_BACKWARD_SHARE = 0.05  # of packets; if more timestamps step back, steps forward are jitter, not losses
NEIGHBOURS = 3  # packets on either side that must agree that samples were lost
MIN_PAUSE_S = 0.1  # in timestamps that jitter, only a longer pause is a loss
MAX_GRID_RATIO = 20  # grid points for every sample
BLOCK_S = 2.0  # over which the jitter of timestamps is averaged
RATE_SPAN_S = 1.0  # over which a rate is measured


@dataclass(frozen=True)
class SampleClock:
    """When the samples of packets were taken.

    Attributes:
        starts: index of the first sample of every packet on a regular grid; losses leave gaps.
        length: grid points.
        rate: grid points a second, by the timestamps.
        lost: grid points without a sample.
        shared: share of packets whose timestamp was that of the packet before.
        origin: nominal instant of the first grid point [ns].
        period: nominal distance of grid points [ns].
        bends: nominal instants since the origin, and how much later [ns] a grid point really was there.
    """

    starts: NDArray[np.int64]
    length: int
    rate: float
    lost: int
    shared: float
    origin: int
    period: float
    bends: tuple[Floats, Floats]

    def instants(self, first: int = 0, last: int | None = None) -> Instants:
        """Return the instants [ns] of the grid points from ``first`` to before ``last``, never decreasing."""
        nominal = np.arange(first, self.length if last is None else last) * self.period
        later = np.interp(nominal, *self.bends)
        return np.maximum.accumulate(self.origin + np.round(nominal + later).astype(np.int64))


def measured_rate(timestamps: Instants, counts: NDArray[np.int64]) -> float:
    """Return the rate [Hz] of samples in packets: a median over stretches of a second, robust to losses and jitter.

    Raises:
        ValueError: the timestamps do not advance.
    """
    before = np.cumsum(counts) - counts
    elapsed = (timestamps[-1] - timestamps[0]) / SECOND
    if len(timestamps) < 2 or elapsed <= 0:
        raise ValueError("timestamps that do not advance have no rate")
    step = int(np.clip(round(len(timestamps) * RATE_SPAN_S / elapsed), 1, len(timestamps) - 1))
    seconds = (timestamps[step:] - timestamps[:-step]) / SECOND
    samples = (before[step:] - before[:-step])[seconds > 0]
    if not len(samples):
        raise ValueError("timestamps that do not advance have no rate")
    return float(np.median(samples / seconds[seconds > 0]))


def sample_clock(timestamps: Instants, arrivals: Instants, counts: NDArray[np.int64], rate: float) -> SampleClock:
    """Lay packets on a regular grid and find the instant of each grid point.

    Packets that share a timestamp count as one, which begins at the timestamp; or ends there if the packets arrived
    before all of its samples could have been taken, for they were stamped on arrival. A step that stays is a loss
    of samples, one that does not is jitter, averaged over ``BLOCK_S``. A rate that is slightly off, or a clock that
    drifts, does no harm.

    Args:
        timestamps: [packets] instants of their first samples, in order of receipt.
        arrivals: [packets] instants of their receipt, on the same clock, less the usual delay.
        counts: [packets] samples in each, at least 1.
        rate: of the samples within packets [Hz].

    Raises:
        ValueError: the rate cannot be that of these timestamps.
    """
    period = SECOND / rate
    before = np.cumsum(counts) - counts
    group = _groups(timestamps, counts * period)
    heads = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.add.reduceat(counts, heads)
    late = (timestamps[heads] - timestamps[0]) - before[heads] * period
    if _stamped_at_the_end(timestamps, arrivals, counts * period, heads):
        late = late - (sizes - counts[heads]) * period
    lost = np.cumsum(_losses(late, sizes * period, period))
    starts = before + lost[group]
    first, length = int(starts.min()), int((starts + counts).max() - starts.min())
    if length > MAX_GRID_RATIO * counts.sum():
        raise ValueError(f"{counts.sum()} samples came where timestamps imply {length}")
    positions, values = _smooth((before[heads] + lost - first) * period, late - lost * period)
    bends = _extended(positions, values, length * period)
    clock = SampleClock(
        starts=starts - first,
        length=length,
        rate=rate,
        lost=max(length - int(counts.sum()), 0),
        shared=1.0 - len(heads) / len(timestamps),
        origin=int(timestamps[0]) + round(first * period),
        period=period,
        bends=bends,
    )
    ends = clock.instants(0, 1), clock.instants(length - 1, length)
    seconds = float(ends[1][0] - ends[0][0]) / SECOND
    return replace(clock, rate=(length - 1) / seconds) if seconds > 0 else clock


def _groups(timestamps: Instants, durations: Floats) -> NDArray[np.int64]:
    """Return the group number of every packet: those that share a timestamp are one group."""
    steps = np.diff(timestamps)
    together = (steps >= 0) & (steps < MAX_SHARED_STEP * durations[:-1])
    return np.concatenate([[0], np.cumsum(~together)])


def _stamped_at_the_end(timestamps: Instants, arrivals: Instants, durations: Floats, heads: NDArray[np.int64]) -> bool:
    """Whether packets that share a timestamp mostly arrived sooner after it than all but the first of them take."""
    tails = np.append(heads[1:], len(timestamps)) - 1
    several = tails > heads
    if not several.any():
        return False
    rest = (np.add.reduceat(durations, heads) - durations[heads])[several]
    return bool(np.median((arrivals[tails] - timestamps[heads])[several] - rest / 2) < 0)


def _scatter(late: Floats) -> float:
    """Return the typical change from packet to packet [ns]."""
    return float(np.median(np.abs(np.diff(late))))


def _losses(late: Floats, durations: Floats, period: float) -> NDArray[np.int64]:
    """Return the samples lost before every packet; negative where packets overlap."""
    lost = np.zeros(len(late), dtype=np.int64)
    steps = np.diff(late)
    least = durations[:-1] / 2
    if (steps <= -least).sum() > MAX_BACKWARD_SHARE * len(steps):
        least = np.maximum(least, max(MIN_PAUSE_S * SECOND, 4 * _scatter(late)))
    late = late.copy()
    for index in np.flatnonzero(np.abs(steps) >= least) + 1:
        past = late[max(index - NEIGHBOURS, 0) : index]
        step = np.median(late[index : index + NEIGHBOURS]) - np.median(past)
        if abs(step) >= least[index - 1]:
            lost[index] = round(step / period)
            past += lost[index] * period
    return lost


def _smooth(nominal: Floats, late: Floats) -> tuple[Floats, Floats]:
    """Return nominal instants [ns], one a block, and how late [ns] the packets are there, without jitter."""
    block = ((nominal - nominal.min()) // (BLOCK_S * SECOND)).astype(np.int64)
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    centres = np.array([np.median(part) for part in np.split(nominal[order], edges)])
    return centres, np.array([np.median(part) for part in np.split(late[order], edges)])


def _extended(positions: Floats, values: Floats, length: float) -> tuple[Floats, Floats]:
    """Extend a curve linearly at both ends to cover 0 to ``length``."""
    if len(positions) < 2:
        return positions, values
    ends = np.array([min(0.0, positions[0]) - 1.0, max(length, positions[-1]) + 1.0])
    inner, outer = positions[[0, -1]], positions[[1, -2]]
    slopes = (values[[1, -2]] - values[[0, -1]]) / (outer - inner)
    beyond = values[[0, -1]] + slopes * (ends - inner)
    return np.concatenate([ends[:1], positions, ends[1:]]), np.concatenate([beyond[:1], values, beyond[1:]])
