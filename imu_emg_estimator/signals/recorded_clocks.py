"""Clocks of recorded sensors: the live clock model follows timestamps that one offset and drift do not put right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.clock_model import ClockModel
from imu_emg_estimator.signals.delay_tracker import CommonDelay
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.instant_source import Source
from imu_emg_estimator.signals.topic_clocks import Instants

MARGIN_NS = SECOND // 50  # added to arrivals, which have been reduced by the usual delay: prompt ones are not early
MAX_OFF_NS = SECOND // 20  # by which timestamps may leave their arrivals, up to usual delays
WINDOW = 50  # messages, in which one is on time
SHORT = 0.3  # of the step between the middle timestamps
MAX_SHORT_SHARE = 0.05  # of steps
MAX_UNEVEN = 0.25  # of the messages in a second
MIN_CHANGED_SHARE = 0.01  # of messages


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
