"""Timestamps that are not used at present: whether they have become regular, so that they can be used again."""

from __future__ import annotations

from imu_emg_estimator.signals.grid_alignment import SECOND

CALM_NS = 3 * SECOND  # of regular timestamps
MAX_SHARE = 0.02  # of irregular ones meanwhile
SHORT, LONG = 0.4, 1.5  # periods between two regular timestamps


class ReturningTimestamps:
    """Watches timestamps."""

    __slots__ = ("_all", "_bad", "_begun", "_last")

    def __init__(self) -> None:
        self.restart(0, 0)

    def restart(self, timestamp: int, arrival: int) -> None:
        """Watch anew from a sample on."""
        self._last, self._begun = timestamp, arrival
        self._all = self._bad = 0

    def add(self, timestamp: int, arrival: int, period: float) -> bool:
        """Take the next timestamp, that many ns after the last by counting; returns whether they are regular again."""
        step = timestamp - self._last
        self._last = timestamp
        self._all += 1
        if timestamp <= 0 or not SHORT * period < step < LONG * period:
            self._bad += 1
            if self._bad > 1 + MAX_SHARE * self._all:
                self._begun, self._all, self._bad = arrival, 0, 0
            return False
        return arrival - self._begun > CALM_NS
