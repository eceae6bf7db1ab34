"""Clocks of recorded topics: which timestamps disagree with those of the others, and bringing them to one clock.

Those that one offset and drift do not put right are followed by the live clock model. Instants are in ns, as in ROS;
differences and results are in s where they are floating-point numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.clock_model import ClockModel
from imu_emg_estimator.signals.delay_tracker import CommonDelay
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.instant_source import Source

Instants = NDArray[np.int64]
Floats = NDArray[np.floating]

MAX_WINDOWS = 64  # over the whole recording
MIN_WINDOW_S = 1.0
PROMPT_QUANTILE = 0.1  # of the delays in a window: that of an undelayed message
MAX_DELAY_S = 0.25  # a topic that is later than another by more has another clock
MIN_DRIFT_S = 0.02  # over the recording; less is not corrected
MAX_SCATTER_S = 0.05  # typical deviation from a straight line; a clock that wanders more is left alone
MAX_RECEIPT_SPREAD_NS = 86_400 * SECOND  # times of receipt further from their median are nonsense
MARGIN_NS = SECOND // 50  # added to arrivals, which have been reduced by the usual delay: prompt ones are not early
MAX_OFF_NS = SECOND // 20  # by which timestamps may leave their arrivals, up to usual delays
WINDOW = 50  # messages, in which one is on time
SHORT = 0.3  # of the step between the middle timestamps
MAX_SHORT_SHARE = 0.05  # of steps
MAX_UNEVEN = 0.25  # of the messages in a second
MIN_CHANGED_SHARE = 0.01  # of messages


@dataclass(frozen=True)
class Clock:
    """How the timestamps of a topic relate to those of the reference topics, and what was done about it.

    Attributes:
        offset: s by which they were behind in the middle of the recording.
        drift: s by which they fell further behind over the recording.
        missing: share of messages without a timestamp.
        corrected: whether the timestamps were changed.
        fault: what else was wrong with the timestamps, and what was done about it, to follow the topic's name.
    """

    offset: float = 0.0
    drift: float = 0.0
    missing: float = 0.0
    corrected: bool = False
    fault: str = ""


def reconcile(
    timestamps: Sequence[Instants | None], receipts: Sequence[Instants], reference: Sequence[int]
) -> tuple[list[Instants], list[Instants], list[Clock]]:
    """Bring the timestamps of topics to one clock by the times at which one recorder received them.

    A topic less than ``MAX_DELAY_S`` later than the reference topics is delayed by transport and left alone: its
    timestamps are better than its times of receipt. A topic further off, or one that drifts steadily, has another
    clock: its messages, and those without a timestamp (None, or 0), are assumed to be delayed as the reference is.

    Args:
        timestamps: [messages] of every topic; None = the type has none.
        receipts: [messages] of every topic, at least one; see ``plausible_receipts``.
        reference: topics whose median clock counts.

    Returns:
        Timestamps and times of receipt on the reference's clock, less the usual delay, and what was found, by topic.
    """
    known = [None if timestamp is None or (timestamp == 0).mean() > 0.5 else timestamp != 0 for timestamp in timestamps]
    edges = _windows(np.concatenate(receipts))
    centres = (edges[:-1] + edges[1:]) / 2
    arrivals = list(receipts)
    for _ in range(2):  # where receipts run at another pace, the first round brings them to that of the reference
        delays = np.full((len(timestamps), len(centres)), np.nan)
        for index, (timestamp, valid) in enumerate(zip(timestamps, known, strict=True)):
            if timestamp is not None and valid is not None:
                late = (arrivals[index] - timestamp)[valid] / SECOND
                delays[index] = _prompt_delays(late, receipts[index][valid], edges)
        usual = _median([delays[index] for index in reference], delays)
        arrivals = [
            arrival - np.round(_between(receipt, centres, usual) * SECOND).astype(np.int64)
            for arrival, receipt in zip(arrivals, receipts, strict=True)
        ]
    results = [
        (arrival, Clock(missing=1.0, corrected=True))
        if timestamp is None or valid is None
        else _to_reference(timestamp, valid, receipt, arrival, delay, usual, centres)
        for timestamp, valid, receipt, delay, arrival in zip(timestamps, known, receipts, delays, arrivals, strict=True)
    ]
    return [result[0] for result in results], arrivals, [result[1] for result in results]


def receipts_are_useless(timestamps: Sequence[Instants], receipts: Sequence[Instants]) -> bool:
    """Whether most times of receipt do not advance with their timestamps: a converter wrote them, no recorder."""
    useless = [
        _span(received) < 0.1 * _span(timestamp[timestamp != 0])
        for timestamp, received in zip(timestamps, receipts, strict=True)
    ]
    return 2 * sum(useless) > len(useless)


def plausible_receipts(receipts: Instants) -> Instants:
    """Replace times of receipt [messages] that are days off, as some recorders write, by those of their neighbours."""
    bad = np.abs(receipts - np.median(receipts)) > MAX_RECEIPT_SPREAD_NS
    if not bad.any() or bad.all():
        return receipts
    last_good = np.maximum.accumulate(np.where(bad, -1, np.arange(len(receipts))))
    return np.asarray(receipts[np.where(last_good < 0, np.flatnonzero(~bad)[0], last_good)])


def _span(instants: Instants) -> float:
    """Return the distance of the 10th and the 90th percentile [ns]."""
    return float(np.subtract(*np.percentile(instants, (90, 10)))) if len(instants) else 0.0


def _windows(receipts: Instants) -> Floats:
    """Return the edges of windows over all times of receipt [ns]."""
    first, last = float(receipts.min()), float(receipts.max()) + 1.0
    count = int(np.clip((last - first) / (MIN_WINDOW_S * SECOND), 1, MAX_WINDOWS))
    return np.linspace(first, last, count + 1)


def _prompt_delays(delays: Floats, receipts: Instants, edges: Floats) -> Floats:
    """Return the delay [s] of prompt messages in every window of receipts; NaN where there is none."""
    window = np.clip(np.searchsorted(edges, receipts, "right") - 1, 0, len(edges) - 2)
    order = np.argsort(window, kind="stable")
    groups = np.split(delays[order], np.searchsorted(window[order], np.arange(1, len(edges) - 1)))
    return np.array([np.quantile(group, PROMPT_QUANTILE) if len(group) else np.nan for group in groups])


def _between(receipts: Instants, centres: Floats, values: Floats) -> Floats:
    """Interpolate values between the centres of windows, and extrapolate at both ends."""
    result: NDArray[np.float64] = np.interp(receipts, centres, values)
    if len(centres) > 1:
        step = centres[1] - centres[0]
        result -= np.maximum(centres[0] - receipts, 0) / step * (values[1] - values[0])
        result += np.maximum(receipts - centres[-1], 0) / step * (values[-1] - values[-2])
    return np.asarray(result)


def _median(chosen: Sequence[Floats], others: Floats) -> Floats:
    """Return the median over the chosen topics in every window, without gaps; over all if they have none, else 0."""
    for rows in (np.array(chosen), others):
        known = np.isfinite(rows).any(axis=0) if rows.size else np.zeros(others.shape[1], bool)
        if known.any():
            middle = np.nanmedian(rows[:, known], axis=0)
            index = np.arange(others.shape[1])
            return np.asarray(np.interp(index, index[known], middle))
    return np.zeros(others.shape[1])


def _to_reference(
    timestamps: Instants,
    valid: NDArray[np.bool_],
    receipts: Instants,
    arrivals: Instants,
    delays: Floats,
    usual: Floats,
    centres: Floats,
) -> tuple[Instants, Clock]:
    if not valid.all():
        known = np.isfinite(delays)
        own = np.interp(receipts, centres[known], (delays - usual)[known]) * SECOND
        timestamps = np.where(valid, timestamps, arrivals - np.round(own).astype(np.int64))
    clock = replace(_clock(delays - usual, centres), missing=float((~valid).mean()))
    if not clock.corrected:
        return timestamps, replace(clock, corrected=clock.missing > 0)
    behind = clock.offset + clock.drift * _shares(receipts, centres)
    return timestamps + np.round(behind * SECOND).astype(np.int64), clock


def _clock(behind: Floats, centres: Floats) -> Clock:
    """Fit a line to how far behind [s] a topic is in every window, and decide whether to correct it."""
    known = np.isfinite(behind)
    if not known.any():
        return Clock()
    share = _shares(centres, centres)
    drift = _slope(share[known], behind[known])
    rest = behind[known] - drift * share[known]
    offset = float(np.median(rest))
    scatter = float(np.median(np.abs(rest - offset)))
    if scatter > MAX_SCATTER_S:
        return Clock(offset, drift)
    drifts = abs(drift) > max(MIN_DRIFT_S, 6 * scatter)
    return Clock(offset, drift if drifts else 0.0, corrected=drifts or abs(offset) > MAX_DELAY_S)


def _shares(instants: Floats | Instants, centres: Floats) -> Floats:
    """Return positions in the recording of these windows: -0.5 at its beginning, 0.5 at its end."""
    step = centres[1] - centres[0] if len(centres) > 1 else 1.0
    return np.asarray((instants - (centres[0] + centres[-1]) / 2) / (step * len(centres)))


def _slope(positions: Floats, values: Floats) -> float:
    """Return the median of the slopes between all pairs of points, robust to outliers (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(values), 1)
    if not len(first):
        return 0.0
    return float(np.median((values[second] - values[first]) / (positions[second] - positions[first])))


@dataclass(frozen=True)
class FollowedClock:
    """What the clock model made of the timestamps of a recorded sensor.

    Attributes:
        instants: [messages] in ns.
        kept: [messages] those whose instant is known.
        fault: what was wrong, and what was done about it.
    """

    instants: Instants
    kept: NDArray[np.bool_]
    fault: str


def follow_clock(timestamps: Instants, arrivals: Instants) -> FollowedClock | None:
    """Find the instants of samples whose timestamps leap or do not advance with the samples; None = they do.

    Args:
        timestamps: [messages] in order of receipt, ns.
        arrivals: [messages] times of receipt on the same clock, less the usual delay.
    """
    if len(timestamps) < WINDOW or _keeps_time(timestamps, arrivals):
        return None
    model = ClockModel(CommonDelay(usual=MARGIN_NS), MARGIN_NS)
    instants = np.zeros(len(timestamps), dtype=np.int64)
    kept = np.zeros(len(timestamps), dtype=np.bool_)
    counted = 0
    complete = _is_complete(arrivals)
    for index, (timestamp, arrival) in enumerate(zip(timestamps.tolist(), arrivals.tolist(), strict=True)):
        instant = model.instant(timestamp, arrival + MARGIN_NS, index if complete else None)
        if instant is not None:
            instants[index], kept[index] = instant, True
        counted += model.source is Source.ARRIVALS
    if (instants != timestamps).mean() < MIN_CHANGED_SHARE:
        return None
    fault = f"its timestamps {model.flaw}: replaced by receive times" if 2 * counted > len(instants) else ""
    return FollowedClock(instants, kept, fault or "its clock leaps: reconciled by receive times")


def _is_complete(arrivals: Instants) -> bool:
    """Whether messages arrive so evenly from second to second that none were lost."""
    counts = np.bincount((arrivals - arrivals.min()) // SECOND)[1:-1]
    if len(counts) < 2:
        return True
    low, high = np.percentile(counts, (5, 95))
    return bool(high - low <= MAX_UNEVEN * counts.mean())


def leaps(timestamps: Instants, arrivals: Instants) -> bool:
    """Whether the timestamps leap by more than a second while the arrivals do not."""
    return bool((np.abs(np.diff(timestamps) - np.diff(arrivals)) > SECOND).any())


def _keeps_time(timestamps: Instants, arrivals: Instants) -> bool:
    """Whether timestamps advance regularly and stay near their arrivals."""
    steps = np.diff(timestamps)
    first, last = np.percentile(timestamps, (25, 75))
    if (steps < SHORT * 2 * (last - first) / len(timestamps)).mean() > MAX_SHORT_SHARE:
        return False
    count = len(timestamps) // WINDOW * WINDOW
    delays = (arrivals - timestamps)[:count].reshape(-1, WINDOW)
    return bool((np.abs(np.quantile(delays, 0.1, axis=1)) < MAX_OFF_NS).all())
