"""Sources of the instants of a sensor's samples."""

from __future__ import annotations

from enum import Enum


class Source(Enum):
    """Where the instants of a sensor's samples come from at present."""

    STARTING = "not known yet"
    TIMESTAMPS = "timestamps"
    RECONCILED = "timestamps, reconciled"
    ARRIVALS = "arrivals"
