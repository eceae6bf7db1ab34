"""MotionMonitor: how unlike the training subjects' motion the last seconds are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution, Metric
from imu_emg_estimator.signals.masked_imu_features import FloatArray
from imu_emg_estimator.signals.motion_statistics import RunningMotion

REFRESH = 0.1  # s between two scores: they change over seconds
KEPT = 8  # metrics, one for each combination of sensors that are there; of 16 sensors, one takes 2 MB


class MotionMonitor:
    """Follows the input, whichever bundle is in use: a change of the bundle leaves nothing to warm up."""

    def __init__(self, sensors: int, rate: float) -> None:
        self._motion = RunningMotion(sensors, rate)
        self._every = max(1, round(REFRESH * rate))
        self._distribution: Distribution | None = None
        self._metrics: dict[bytes, Metric] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._motion.reset()
        self._rows = 0
        self._score = float("nan")

    def step(self, imu: NDArray[np.floating], distribution: Distribution | None) -> float:
        """Take a row [sensors, 6]; returns the score, NaN without a distribution or enough input."""
        self._motion.step(imu)
        if distribution is not self._distribution or self._rows % self._every == 0:
            self._score = self._scored(distribution)
        self._rows += 1
        return self._score

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Slow statistics of the last seconds, and which sensors they hold; from any thread."""
        return self._motion.describe()

    def _scored(self, distribution: Distribution | None) -> float:
        if distribution is not self._distribution:
            self._forget_metrics_unless_like(distribution)
        if distribution is None:
            return float("nan")
        statistics, available = self._motion.describe()
        key = available.tobytes()
        if key not in self._metrics:  # the sensors change seldom, and finding a metric takes a millisecond
            if len(self._metrics) == KEPT:
                del self._metrics[next(iter(self._metrics))]
            self._metrics[key] = distribution.metric(available)
        return float(self._metrics[key].scores(statistics[None])[0])

    def _forget_metrics_unless_like(self, distribution: Distribution | None) -> None:
        """A subject's own bundle has the same distribution as its parent: the swap must cost nothing."""
        old, self._distribution = self._distribution, distribution
        if old is None or distribution is None or not old.has_metrics_of(distribution):
            self._metrics = {}
