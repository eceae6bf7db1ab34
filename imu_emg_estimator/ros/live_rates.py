"""LiveRates: how fast messages come."""

from __future__ import annotations

import time
from collections.abc import Mapping

RATE_SPAN_S = 2.0  # over which a live rate is measured


class LiveRates:
    """Message rates of topics over the last two seconds.

    Args:
        labels: name of each topic for the user.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._counts = dict.fromkeys(labels, 0)
        self._past: list[tuple[float, dict[str, int]]] = [(time.monotonic(), dict(self._counts))]

    def note(self, topic: str) -> None:
        """Count a message."""
        self._counts[topic] += 1

    def rates(self) -> dict[str, float]:
        """Rates [Hz] by label."""
        now = time.monotonic()
        if now - self._past[-1][0] >= RATE_SPAN_S / 4:
            self._past = [*self._past[-4:], (now, dict(self._counts))]
        since, counts = self._past[0]
        span = max(now - since, 1e-3)
        return {label: (self._counts[topic] - counts[topic]) / span for topic, label in self._labels.items()}
