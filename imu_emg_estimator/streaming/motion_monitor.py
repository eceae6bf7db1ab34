"""Score of how much the motion of the last seconds differs from that of the training subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution, Metric
from imu_emg_estimator.signals.motion_statistics import RunningMotion

SCORE_PERIOD_S = 0.1  # the score changes over seconds
MAX_KEPT_METRICS = 8  # one per combination of available sensors; of 16 sensors, each takes 2 MB


class MotionMonitor:
    """Follows the input independently of the bundle in use, so that a new bundle needs no warm-up."""

    def __init__(self, sensors: int, rate: float) -> None:
        self._motion = RunningMotion(sensors, rate)
        self._every = max(1, round(SCORE_PERIOD_S * rate))
        self._distribution: Distribution | None = None
        self._metrics: dict[bytes, Metric] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all rows."""
        self._motion.reset()
        self._rows = 0
        self._score = float("nan")

    def step(self, imu: NDArray[np.floating], distribution: Distribution | None) -> float:
        """Take a row [sensors, 6] in m/s² and rad/s; return the score, NaN without a distribution or enough input."""
        self._motion.step(imu)
        if distribution is not self._distribution or self._rows % self._every == 0:
            self._score = self._scored(distribution)
        self._rows += 1
        return self._score

    def _scored(self, distribution: Distribution | None) -> float:
        if distribution is not self._distribution:
            self._forget_other_metrics(distribution)
        if distribution is None:
            return float("nan")
        statistics, available = self._motion.describe()
        key = available.tobytes()
        if key not in self._metrics:  # the available sensors rarely change, and a metric takes a millisecond to make
            if len(self._metrics) == MAX_KEPT_METRICS:
                del self._metrics[next(iter(self._metrics))]
            self._metrics[key] = distribution.metric(available)
        return float(self._metrics[key].scores(statistics[None])[0])

    def _forget_other_metrics(self, distribution: Distribution | None) -> None:
        """Keep the metrics if the new distribution has the same ones, as that of a calibrated bundle."""
        old, self._distribution = self._distribution, distribution
        if old is None or distribution is None or not old.has_metrics_of(distribution):
            self._metrics = {}
