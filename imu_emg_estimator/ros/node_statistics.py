"""Counts and latest figures of the running node, for its diagnostics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from imu_emg_estimator.ros.raw_subscriptions import MessageCount

MAX_KEPT_FIGURES = 4000


@dataclass
class NodeStatistics:
    """Counts and latest figures. One thread alone writes them, so that reading them takes no lock.

    Attributes:
        sensors: counts of messages, in the order of the rig.
        estimates: messages published since the start.
        status: of the latest one; None before.
        ages: of the latest estimates [s].
        durations: of the latest steps, from the row to its published estimate [s].
    """

    sensors: list[MessageCount]
    estimates: int = 0
    status: int | None = None
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT_FIGURES))
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT_FIGURES))
