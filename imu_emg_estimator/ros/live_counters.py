"""What the data's thread counts, for others to read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEPT = 4000  # latest ages and durations


@dataclass
class SensorCount:
    """Messages of one sensor since the start.

    Attributes:
        received: messages taken, decoded or not.
        lost: gaps in the publisher's own count, where the middleware tells it.
        malformed: messages that could not be decoded.
    """

    received: int = 0
    lost: int = 0
    malformed: int = 0
    _sequence: int | None = None

    def note(self, sequence: int | None) -> None:
        """Count one message, with its publisher's number."""
        self.received += 1
        if sequence is not None:
            if self._sequence is not None and sequence > self._sequence:
                self.lost += sequence - self._sequence - 1
            self._sequence = sequence


@dataclass
class Statistics:
    """Written by one thread alone, so that no lock is needed; whoever reads takes what is there.

    Attributes:
        sensors: counts, in the order of the rig.
        estimates: messages published since the start.
        status: of the latest one; None before.
        ages: of the latest estimates [s].
        durations: of the latest steps, from the row to its published estimate [s].
    """

    sensors: list[SensorCount]
    estimates: int = 0
    status: int | None = None
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))


def percentile(values: list[float], share: float) -> float:
    """The value that a share of the values does not exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
