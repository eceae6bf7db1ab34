"""Timestamps: whose clocks disagree, and when each sample of a packet was taken.

Instants are in ns, as ROS has them; differences and results in s where they are floating-point numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND

Instants = NDArray[np.int64]
Floats = NDArray[np.floating]

# Clocks of topics

WINDOWS = 64  # at most, over the whole recording
SHORTEST_WINDOW = 1.0  # s
PROMPT = 0.1  # quantile of the delays in a window that stands for the undelayed message
LONGEST_DELAY = 0.25  # s; a transport that takes longer than another is no transport but another clock
MIN_DRIFT = 0.02  # s over the recording; less is not worth a correction
STEADY = 0.05  # s; typical deviation from a straight line beyond which a clock neither stands off nor drifts
HOLIDAY = 86_400 * SECOND  # ns; times of receipt further from their median are nonsense


@dataclass(frozen=True)
class Clock:
    """How the timestamps of a topic relate to those of the reference topics, and what was done about it.

    Attributes:
        offset: s by which they were behind in the middle of the recording.
        drift: s by which they fell further behind over the recording.
        missing: share of messages without a timestamp.
        corrected: whether the timestamps were changed.
    """

    offset: float = 0.0
    drift: float = 0.0
    missing: float = 0.0
    corrected: bool = False


def reconcile(
    timestamps: Sequence[Instants | None], receipts: Sequence[Instants], reference: Sequence[int]
) -> tuple[list[Instants], list[Instants], list[Clock]]:
    """Bring the timestamps of topics to one clock, by the times at which the same recorder received them.

    What takes less than ``LONGEST_DELAY`` longer than on the reference topics is taken for transport and left alone:
    the timestamp knows better than the time of receipt. A topic further off, or one that drifts away steadily, has
    another clock: its messages are taken to have been under way as long as those of the reference.
    Messages without a timestamp (None, or 0) are taken to have been under way as long as those of the reference.

    Args:
        timestamps: [messages] of every topic; None = the type has none.
        receipts: [messages] of every topic, at least one; see ``plausible_receipts``.
        reference: topics of whose clocks the median counts.

    Returns:
        Timestamps and times of receipt on the reference's clock, less the usual delay, and what was found, by topic.
    """
    known = [None if timestamp is None or (timestamp == 0).mean() > 0.5 else timestamp != 0 for timestamp in timestamps]
    edges = _windows(np.concatenate(receipts))
    delays = np.full((len(timestamps), len(edges) - 1), np.nan)
    for index, (timestamp, valid, receipt) in enumerate(zip(timestamps, known, receipts, strict=True)):
        if timestamp is not None and valid is not None:
            delays[index] = _prompt_delays(timestamp[valid], receipt[valid], edges)
    usual = _median([delays[index] for index in reference], delays)
    centres = (edges[:-1] + edges[1:]) / 2
    arrivals = [times - np.round(np.interp(times, centres, usual) * SECOND).astype(np.int64) for times in receipts]
    results = [
        (arrival, Clock(missing=1.0, corrected=True))
        if timestamp is None or valid is None
        else _to_reference(timestamp, valid, receipt, delay, usual, centres)
        for timestamp, valid, receipt, delay, arrival in zip(timestamps, known, receipts, delays, arrivals, strict=True)
    ]
    return [result[0] for result in results], arrivals, [result[1] for result in results]


def receipts_are_useless(timestamps: Sequence[Instants], receipts: Sequence[Instants]) -> bool:
    """Whether the times of receipt of most topics do not pass as their timestamps: a converter's, not a recorder's."""
    useless = [
        _span(received) < 0.1 * _span(timestamp[timestamp != 0])
        for timestamp, received in zip(timestamps, receipts, strict=True)
    ]
    return 2 * sum(useless) > len(useless)


def plausible_receipts(receipts: Instants) -> Instants:
    """Times of receipt [messages]; those that are days off, as some recorders write, become that of their neighbour."""
    bad = np.abs(receipts - np.median(receipts)) > HOLIDAY
    if not bad.any() or bad.all():
        return receipts
    last_good = np.maximum.accumulate(np.where(bad, -1, np.arange(len(receipts))))
    return np.asarray(receipts[np.where(last_good < 0, np.flatnonzero(~bad)[0], last_good)])


def _span(instants: Instants) -> float:
    """From the 10th percentile to the 90th [ns]."""
    return float(np.subtract(*np.percentile(instants, (90, 10)))) if len(instants) else 0.0


def _windows(receipts: Instants) -> Floats:
    """Edges of the windows over all times of receipt."""
    first, last = float(receipts.min()), float(receipts.max()) + 1.0
    count = int(np.clip((last - first) / (SHORTEST_WINDOW * SECOND), 1, WINDOWS))
    return np.linspace(first, last, count + 1)


def _prompt_delays(timestamps: Instants, receipts: Instants, edges: Floats) -> Floats:
    """Delay [s] of the prompt messages from timestamp to receipt in every window; NaN where there is none."""
    delays = (receipts - timestamps) / SECOND
    window = np.clip(np.searchsorted(edges, receipts, "right") - 1, 0, len(edges) - 2)
    order = np.argsort(window, kind="stable")
    groups = np.split(delays[order], np.searchsorted(window[order], np.arange(1, len(edges) - 1)))
    return np.array([np.quantile(group, PROMPT) if len(group) else np.nan for group in groups])


def _median(chosen: Sequence[Floats], others: Floats) -> Floats:
    """Median over the chosen topics in every window, without gaps; over all where none of them tells, else 0."""
    for rows in (np.array(chosen), others):
        told = np.isfinite(rows).any(axis=0) if rows.size else np.zeros(others.shape[1], bool)
        if told.any():
            middle = np.nanmedian(rows[:, told], axis=0)
            index = np.arange(others.shape[1])
            return np.asarray(np.interp(index, index[told], middle))
    return np.zeros(others.shape[1])


def _to_reference(
    timestamps: Instants,
    valid: NDArray[np.bool_],
    receipts: Instants,
    delays: Floats,
    usual: Floats,
    centres: Floats,
) -> tuple[Instants, Clock]:
    if not valid.all():
        own = np.interp(receipts, centres[np.isfinite(delays)], delays[np.isfinite(delays)]) * SECOND
        timestamps = np.where(valid, timestamps, receipts - np.round(own).astype(np.int64))
    clock = replace(_clock(delays - usual, centres), missing=float((~valid).mean()))
    if not clock.corrected:
        return timestamps, replace(clock, corrected=clock.missing > 0)
    behind = clock.offset + clock.drift * _shares(receipts, centres)
    return timestamps + np.round(behind * SECOND).astype(np.int64), clock


def _clock(behind: Floats, centres: Floats) -> Clock:
    """A straight line through how far behind a topic is in every window, and whether it should be corrected."""
    told = np.isfinite(behind)
    if not told.any():
        return Clock()
    share = _shares(centres, centres)
    drift = _slope(share[told], behind[told])
    rest = behind[told] - drift * share[told]
    offset = float(np.median(rest))
    scatter = float(np.median(np.abs(rest - offset)))
    if scatter > STEADY:
        return Clock(offset, drift)
    drifts = abs(drift) > max(MIN_DRIFT, 6 * scatter)
    return Clock(offset, drift if drifts else 0.0, corrected=drifts or abs(offset) > LONGEST_DELAY)


def _shares(instants: Floats | Instants, centres: Floats) -> Floats:
    """Where instants lie in the recording, whose windows have these centres: -0.5 at its beginning, 0.5 at its end."""
    step = centres[1] - centres[0] if len(centres) > 1 else 1.0
    return np.asarray((instants - (centres[0] + centres[-1]) / 2) / (step * len(centres)))


def _slope(positions: Floats, values: Floats) -> float:
    """Median of the slopes between all pairs of points (Theil 1950, Sen 1968), which outliers do not turn."""
    first, second = np.triu_indices(len(values), 1)
    if not len(first):
        return 0.0
    return float(np.median((values[second] - values[first]) / (positions[second] - positions[first])))


# Samples in packets

TOGETHER = 0.1  # of the usual distance; packets stamped closer share a timestamp
JITTER = 0.05  # of packets; where more timestamps than these step back, steps forward are not losses but jitter
NEIGHBOURS = 3  # packets on either side that must agree that samples were lost
LONG_PAUSE = 0.1  # s; in timestamps that jitter, only a pause as long is a loss
MAX_LOST = 20  # grid points for every sample that came
BLOCK = 2.0  # s over which the jitter of timestamps is averaged
RATE_SPAN = 1.0  # s over which a rate is measured


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
        """Instants [ns] of the grid points from ``first`` to before ``last``, never decreasing."""
        nominal = np.arange(first, self.length if last is None else last) * self.period
        later = np.interp(nominal, *self.bends)
        return np.maximum.accumulate(self.origin + np.round(nominal + later).astype(np.int64))


def measured_rate(timestamps: Instants, counts: NDArray[np.int64]) -> float:
    """Rate [Hz] of the samples in packets, a median over a second's stretches: losses and jitter hardly move it.

    Raises:
        ValueError: the timestamps do not advance.
    """
    before = np.cumsum(counts) - counts
    elapsed = (timestamps[-1] - timestamps[0]) / SECOND
    if len(timestamps) < 2 or elapsed <= 0:
        raise ValueError("timestamps that do not advance tell no rate")
    step = int(np.clip(round(len(timestamps) * RATE_SPAN / elapsed), 1, len(timestamps) - 1))
    seconds = (timestamps[step:] - timestamps[:-step]) / SECOND
    samples = (before[step:] - before[:-step])[seconds > 0]
    if not len(samples):
        raise ValueError("timestamps that do not advance tell no rate")
    return float(np.median(samples / seconds[seconds > 0]))


def sample_clock(timestamps: Instants, arrivals: Instants, counts: NDArray[np.int64], rate: float) -> SampleClock:
    """Lay packets on a regular grid and find when each grid point was.

    Packets that share a timestamp count as one, which begins at the timestamp; if they had arrived before all of
    their samples were taken then, it ends there, for they were stamped on arrival. A step that lasts is a loss
    of samples, one that does not is jitter; jitter is averaged out over ``BLOCK``. So a rate that is a little off, or
    a clock that drifts, does no harm.

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
    if length > MAX_LOST * counts.sum():
        raise ValueError(f"{length} samples are promised where {counts.sum()} came")
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
    """Number of the group of every packet: those that share a timestamp are one."""
    steps = np.diff(timestamps)
    together = (steps >= 0) & (steps < TOGETHER * durations[:-1])
    return np.concatenate([[0], np.cumsum(~together)])


def _stamped_at_the_end(timestamps: Instants, arrivals: Instants, durations: Floats, heads: NDArray[np.int64]) -> bool:
    """Whether packets that share a timestamp mostly arrived sooner after it than all but the first of them last."""
    tails = np.append(heads[1:], len(timestamps)) - 1
    several = tails > heads
    if not several.any():
        return False
    rest = (np.add.reduceat(durations, heads) - durations[heads])[several]
    return bool(np.median((arrivals[tails] - timestamps[heads])[several] - rest / 2) < 0)


def _scatter(late: Floats) -> float:
    """Typical change from packet to packet."""
    return float(np.median(np.abs(np.diff(late))))


def _losses(late: Floats, durations: Floats, period: float) -> NDArray[np.int64]:
    """Samples lost before every packet; negative where packets overlap."""
    lost = np.zeros(len(late), dtype=np.int64)
    steps = np.diff(late)
    least = durations[:-1] / 2
    if (steps <= -least).sum() > JITTER * len(steps):
        least = np.maximum(least, max(LONG_PAUSE * SECOND, 4 * _scatter(late)))
    late = late.copy()
    for index in np.flatnonzero(np.abs(steps) >= least) + 1:
        past = late[max(index - NEIGHBOURS, 0) : index]
        step = np.median(late[index : index + NEIGHBOURS]) - np.median(past)
        if abs(step) >= least[index - 1]:
            lost[index] = round(step / period)
            past += lost[index] * period
    return lost


def _smooth(nominal: Floats, late: Floats) -> tuple[Floats, Floats]:
    """Some nominal instants [ns], and how late the packets are there, without jitter."""
    block = ((nominal - nominal.min()) // (BLOCK * SECOND)).astype(np.int64)
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    centres = np.array([np.median(part) for part in np.split(nominal[order], edges)])
    return centres, np.array([np.median(part) for part in np.split(late[order], edges)])


def _extended(positions: Floats, values: Floats, length: float) -> tuple[Floats, Floats]:
    """A curve that goes on as it ends, from 0 to ``length``."""
    if len(positions) < 2:
        return positions, values
    ends = np.array([min(0.0, positions[0]) - 1.0, max(length, positions[-1]) + 1.0])
    inner, outer = positions[[0, -1]], positions[[1, -2]]
    slopes = (values[[1, -2]] - values[[0, -1]]) / (outer - inner)
    beyond = values[[0, -1]] + slopes * (ends - inner)
    return np.concatenate([ends[:1], positions, ends[1:]]), np.concatenate([beyond[:1], values, beyond[1:]])
