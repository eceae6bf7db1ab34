"""Check whether the subject still moves as in the calibration, on another thread than the data's."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_drift import Drift, DriftWatch
from imu_emg_estimator.signals.masked_imu_features import FloatArray

UPDATES_PER_COMPARISON = 10  # a comparison takes milliseconds, and drift takes minutes


class MotionSource(Protocol):
    """What the monitor needs of the running node; safe to call from another thread."""

    @property
    def bundle(self) -> Bundle: ...
    @property
    def steps(self) -> int: ...
    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]: ...


class DriftMonitor:
    """Compares the live motion with that of the calibration in use; starts over with every calibration.

    Call ``update`` every ``sensor_drift.ROW_PERIOD_S`` seconds.

    Attributes:
        drift: newest comparison; None = too little comparable movement yet, or nothing to compare with.
        obstacle: why no comparison is possible; empty = it is possible.
    """

    def __init__(self, node: MotionSource) -> None:
        self._node = node
        self._bundle: Bundle | None = None
        self._watch: DriftWatch | None = None
        self._updates = self._steps = 0
        self.drift: Drift | None = None
        self.obstacle = ""

    def update(self) -> None:
        """Take in the motion of the last seconds; compare it every tenth time."""
        bundle = self._node.bundle
        if bundle is not self._bundle:
            self._begin(bundle)
        steps = self._node.steps
        if self._watch is None or steps == self._steps:  # no new rows: the last seconds are those of the last update
            return
        self._steps = steps
        self._watch.step(*self._node.motion())
        self._updates += 1
        if self._updates % UPDATES_PER_COMPARISON == 0:
            self.drift = self._watch.drift()

    def message(self) -> str:
        """Return what to do, in a sentence; empty = nothing."""
        return self.drift.message(self._node.bundle.rig) if self.drift else ""

    def _begin(self, bundle: Bundle) -> None:
        self._bundle, self.drift, self._updates, self._steps = bundle, None, 0, self._node.steps
        self._watch, self.obstacle = _watch(bundle)


def _watch(bundle: Bundle) -> tuple[DriftWatch | None, str]:
    if bundle.calibration is None:
        return None, "no calibration to compare with"
    try:
        watch = DriftWatch(bundle)
    except InputError as error:
        return None, str(error)
    return (watch, "") if watch.is_possible else (None, "the calibration holds no movement to compare with")
