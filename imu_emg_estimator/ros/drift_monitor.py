"""Whether the subject still moves as in the calibration; looked at beside the thread of the data, at no cost to it."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_drift import Drift, DriftWatch
from imu_emg_estimator.signals.masked_imu_features import FloatArray

LOOKS = 10  # looks, one every ``drift.EVERY``, between two comparisons: these take milliseconds, and drift minutes


class Moving(Protocol):
    """What is needed of the running node; every part of it may be asked from another thread."""

    @property
    def bundle(self) -> Bundle: ...
    @property
    def steps(self) -> int: ...
    def motion(self) -> tuple[FloatArray, NDArray]: ...


class LiveDrift:
    """Give it a look every ``drift.EVERY`` seconds; it begins anew with every calibration.

    Attributes:
        drift: newest comparison; None = too little like movement yet, or nothing to compare with.
        obstacle: why nothing can be compared; empty = it can.
    """

    def __init__(self, node: Moving) -> None:
        self._node = node
        self._bundle: Bundle | None = None
        self._watch: DriftWatch | None = None
        self._looks = self._steps = 0
        self.drift: Drift | None = None
        self.obstacle = ""

    def look(self) -> None:
        """Take the motion of the last seconds; compare it now and then."""
        bundle = self._node.bundle
        if bundle is not self._bundle:
            self._begin(bundle)
        steps = self._node.steps
        if self._watch is None or steps == self._steps:  # nothing came: the last seconds are those of the last look
            return
        self._steps = steps
        self._watch.step(*self._node.motion())
        self._looks += 1
        if self._looks % LOOKS == 0:
            self.drift = self._watch.drift()

    def message(self) -> str:
        """What to do, in a sentence; empty = nothing."""
        return self.drift.message(self._node.bundle.rig) if self.drift else ""

    def _begin(self, bundle: Bundle) -> None:
        self._bundle, self.drift, self._looks, self._steps = bundle, None, 0, self._node.steps
        self._watch, self.obstacle = _watch(bundle)


def _watch(bundle: Bundle) -> tuple[DriftWatch | None, str]:
    if bundle.calibration is None:
        return None, "no calibration to compare with"
    try:
        watch = DriftWatch(bundle)
    except InputError as error:
        return None, str(error)
    return (watch, "") if watch.is_possible else (None, "the calibration does not know what the movement was like")
