"""Samples captured live from a subject's sensors, and the progress of the capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from imu_emg_estimator.recording import FloatArray


@dataclass(frozen=True, eq=False)
class SensorSamples:
    """Samples of one IMU.

    Attributes:
        topic: that was subscribed to; None = the sensor has no topic.
        receipts: [samples] times of receipt, s since the capture began.
        imu: [samples, 6] in m/s² and rad/s, in the rig's axes; NaN = absent.
    """

    topic: str | None
    receipts: FloatArray
    imu: FloatArray

    @property
    def rate(self) -> float:
        """Sample rate [Hz]; 0 = fewer than two samples."""
        span = self.receipts[-1] - self.receipts[0] if len(self.receipts) > 1 else 0.0
        return float((len(self.receipts) - 1) / span) if span > 0 else 0.0

    @property
    def acceleration(self) -> FloatArray:
        """Accelerations [available, 3]."""
        available: FloatArray = self.imu[np.isfinite(self.imu[:, :3]).all(axis=1), :3]
        return available


@dataclass(frozen=True, eq=False)
class LiveSamples:
    """Samples of all sensors while the subject stood or moved as instructed.

    Attributes:
        seconds: duration of the capture.
        sensors: in the order of the rig.
        emg_topic: topic of the EMG; None = there is none.
        emg_messages: number of EMG messages.
        other_topics: Imu topics that belong to no sensor.
    """

    seconds: float
    sensors: tuple[SensorSamples, ...]
    emg_topic: str | None = None
    emg_messages: int = 0
    other_topics: tuple[str, ...] = ()

    def gap(self, sensor: int) -> float:
        """Return the longest time without a sample of a sensor [s], including the beginning and the end."""
        edges = np.concatenate([[0.0], self.sensors[sensor].receipts, [self.seconds]])
        return float(np.diff(edges).max())


@dataclass(frozen=True)
class CaptureProgress:
    """Progress of a capture or a recording.

    Attributes:
        elapsed, total: s.
        rates: recent rate [Hz] by sensor or topic; 0 = silent.
        emg: whether EMG has arrived; None = no EMG topic is captured.
    """

    elapsed: float
    total: float
    rates: Mapping[str, float] = field(default_factory=dict)
    emg: bool | None = None


@dataclass(frozen=True)
class RecordedBag:
    """A bag that was recorded.

    Attributes:
        path: the bag.
        seconds: its duration.
        counts: number of messages by topic.
        lost: number of messages that were lost, by topic, as far as the middleware counts them.
    """

    path: Path
    seconds: float
    counts: Mapping[str, int]
    lost: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """Return values for JSON."""
        messages, lost = dict(self.counts), dict(self.lost)
        return {"path": str(self.path), "seconds": self.seconds, "messages": messages, "lost": lost}


OnProgress = Callable[[CaptureProgress], None]


class Sensors(Protocol):
    """The subject's sensors, live."""

    def listen(self, seconds: float, on_progress: OnProgress) -> LiveSamples:
        """Capture samples for a duration."""

    def record(self, path: Path, seconds: float, on_progress: OnProgress) -> RecordedBag:
        """Record a bag for a duration; raise InputError where no message arrives or recording fails."""
