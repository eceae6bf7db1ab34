"""Check whether the subject still moves as in the calibration, on another thread than the data's."""

from __future__ import annotations

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_drift import Drift, DriftWatch, profile_of
from imu_emg_estimator.streaming.live_estimator import LiveEstimator

UPDATES_PER_COMPARISON = 10  # a comparison takes milliseconds, and drift takes minutes


class DriftMonitor:
    """Compares the live motion with that of the calibration in use; starts over with every calibration.

    Attributes:
        drift: newest comparison; None = too little comparable movement yet, or nothing to compare with.
        message: what to do about it, in a sentence; empty = nothing.
        obstacle: why no comparison is possible; empty = it is possible.
    """

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._watch: DriftWatch | None = None
        self._updates = self._steps = 0
        self.drift: Drift | None = None
        self.message = self.obstacle = ""

    def update(self, live: LiveEstimator) -> None:
        """Take in the motion of the last seconds, every ``ROW_PERIOD_S``; compare it every tenth time."""
        if live.bundle is not self._bundle:
            self._begin(live)
        steps = live.steps
        if self._watch is None or steps == self._steps:  # no new rows: the last seconds are those of the last update
            return
        self._steps = steps
        self._watch.step(*live.motion())
        self._updates += 1
        if self._updates % UPDATES_PER_COMPARISON == 0:
            self.drift = self._watch.drift()
            self.message = self.drift.message(live.bundle.rig) if self.drift else ""

    def _begin(self, live: LiveEstimator) -> None:
        self._bundle, self._updates, self._steps = live.bundle, 0, live.steps
        self.drift, self.message = None, ""
        self._watch, self.obstacle = _watch(live.bundle)


def _watch(bundle: Bundle) -> tuple[DriftWatch | None, str]:
    if bundle.calibration is None:
        return None, "no calibration to compare with"
    try:
        then = profile_of(bundle)
    except InputError as error:
        return None, str(error)
    if then is None or bundle.distribution is None:
        return None, "the calibration holds no movement to compare with"
    return DriftWatch(then, bundle.distribution, len(bundle.rig.sensors)), ""
