"""What came from the subject's sensors over some seconds, and what is said of it while it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class SensorHeard:
    """Samples of one IMU.

    Attributes:
        topic: where it was listened to; None = there is no such topic.
        receipts: [samples] instants of receipt, s since the listening began.
        imu: [samples, 6] in m/s² and rad/s, in the rig's axes; NaN = absent.
    """

    topic: str | None
    receipts: FloatArray
    imu: FloatArray

    @property
    def rate(self) -> float:
        """Samples a second [Hz]; 0 = fewer than two."""
        span = self.receipts[-1] - self.receipts[0] if len(self.receipts) > 1 else 0.0
        return float((len(self.receipts) - 1) / span) if span > 0 else 0.0

    @property
    def acceleration(self) -> FloatArray:
        """[known, 3] those accelerations that are there."""
        known: FloatArray = self.imu[np.isfinite(self.imu[:, :3]).all(axis=1), :3]
        return known


@dataclass(frozen=True, eq=False)
class Heard:
    """What came while the subject did as told.

    Attributes:
        seconds: for how long was listened.
        sensors: in the order of the rig.
        emg_topic: where the EMG was listened to; None = there is no such topic.
        emg_messages: of EMG.
        other_topics: Imu topics that belong to no sensor.
    """

    seconds: float
    sensors: tuple[SensorHeard, ...]
    emg_topic: str | None = None
    emg_messages: int = 0
    other_topics: tuple[str, ...] = ()

    def gap(self, sensor: int) -> float:
        """Longest time without a sample of a sensor [s], the beginning and the end included."""
        edges = np.concatenate([[0.0], self.sensors[sensor].receipts, [self.seconds]])
        return float(np.diff(edges).max())


@dataclass(frozen=True)
class Live:
    """How a stretch of listening or recording is going.

    Attributes:
        elapsed, total: s.
        rates: Hz of the last moments, by sensor or topic; 0 = silent.
        emg: whether EMG has come; None = it is not listened to.
    """

    elapsed: float
    total: float
    rates: Mapping[str, float] = field(default_factory=dict)
    emg: bool | None = None


@dataclass(frozen=True)
class Recorded:
    """A recording that was made.

    Attributes:
        path: the bag.
        seconds: its length.
        counts: messages by topic.
        lost: messages that did not get into it, by topic, as far as the middleware counts.
    """

    path: Path
    seconds: float
    counts: Mapping[str, int]
    lost: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """Plain figures."""
        messages, lost = dict(self.counts), dict(self.lost)
        return {"path": str(self.path), "seconds": self.seconds, "messages": messages, "lost": lost}


Tell = Callable[[Live], None]


class Sensors(Protocol):
    """The subject's sensors, live."""

    def listen(self, seconds: float, tell: Tell) -> Heard:
        """What comes over some seconds."""

    def record(self, path: Path, seconds: float, tell: Tell) -> Recorded:
        """Write what comes over some seconds to a bag; raises InputError where nothing comes, or it fails."""
