"""Whether the wearer still moves as in the calibration; looked at beside the thread of the data, at no cost to it."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.drift import Drift, MotionProfile, RunningProfile, drift_between, profile_of
from imu_emg_estimator.signals.imu import FloatArray

LOOKS = 10  # looks, one every ``drift.EVERY``, between two comparisons: these take milliseconds, and drift minutes


class Moving(Protocol):
    """What is needed of the running node; every part of it may be asked from another thread."""

    @property
    def bundle(self) -> Bundle: ...
    @property
    def steps(self) -> int: ...
    def motion(self) -> tuple[FloatArray, NDArray]: ...


class DriftWatch:
    """Give it a look every ``drift.EVERY`` seconds; it begins anew with every calibration.

    Attributes:
        drift: newest comparison; None = too little like movement yet, or nothing to compare with.
        obstacle: why nothing can be compared; empty = it can.
    """

    def __init__(self, node: Moving) -> None:
        self._node = node
        self._bundle: Bundle | None = None
        self._then: MotionProfile | None = None
        self._running: RunningProfile | None = None
        self._looks = self._steps = 0
        self.drift: Drift | None = None
        self.obstacle = ""

    def look(self) -> None:
        """Take the motion of the last seconds; compare it now and then."""
        bundle = self._node.bundle
        if bundle is not self._bundle:
            self._begin(bundle)
        steps = self._node.steps
        if self._then is None or self._running is None or bundle.distribution is None:
            return
        if steps == self._steps:  # nothing came: the last seconds are those of the last look
            return
        self._steps = steps
        self._running.step(*self._node.motion())
        self._looks += 1
        if self._looks % LOOKS == 0:
            now, sensors = self._running.profile(), len(bundle.rig.sensors)
            self.drift = drift_between(self._then, now, bundle.distribution, sensors)

    def message(self) -> str:
        """What to do, in a sentence; empty = nothing."""
        return self.drift.message(self._node.bundle.rig) if self.drift else ""

    def _begin(self, bundle: Bundle) -> None:
        self._bundle, self.drift, self._looks, self._steps = bundle, None, 0, self._node.steps
        self._then, self.obstacle = _profile(bundle)
        if bundle.distribution is not None:
            self._running = RunningProfile(bundle.distribution, len(bundle.rig.sensors))


def _profile(bundle: Bundle) -> tuple[MotionProfile | None, str]:
    if bundle.calibration is None:
        return None, "no calibration to compare with"
    try:
        profile = profile_of(bundle)
    except InputError as error:
        return None, str(error)
    return profile, "" if profile else "the calibration does not know what the movement was like"
