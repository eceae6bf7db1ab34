"""Sensors that move like the training subjects' but out of step with the others: late samples with new timestamps.

A delay leaves a sensor's own statistics as they are, and changes its correlations with the other sensors; below 0.1 s
no more than walking otherwise does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.motion_statistics import MotionStatistics

# Mean square deviation of a sensor's correlations with the others, from the training subjects and from the subject's
# own motion before, added up; chosen on the 13 development subjects of HuGaDB, each left out once.
MIN_DEVIATION = 11.0
RELEASE = 0.6  # of it, below which a sensor is in step again
MARGIN = 40.0  # by which "out of step" must be likelier than a remedy: it can explain more


@dataclass(frozen=True)
class OutOfStep:
    """A sensor that is out of step; stands where a remedy stands.

    Attributes:
        sensors: its index.
    """

    sensors: tuple[int, ...]

    def fault(self) -> str:
        """Describe the error, to follow the sensor's name."""
        return "moves out of step with the other sensors, as if its samples were 0.1 s late or more"

    def advice(self) -> str:
        """Say what to do about it, as an imperative."""
        return "check the delay and the timestamps of its driver, and that it sits firmly"


class StepComparison:
    """Measures how far each sensor's correlations with the others deviate.

    Args:
        available: [sensors] that are compared.
    """

    def __init__(self, distribution: Distribution, available: NDArray[np.bool_]) -> None:
        owners = MotionStatistics(len(available)).owners
        self._counts = available[owners].all(axis=1)
        self._whole = self._whitening(distribution, self._counts)
        self._rest, self._sizes = [], []
        for sensor in range(len(available)):
            across = (owners == sensor).any(axis=1) & (owners[:, 0] != owners[:, 1])
            self._rest.append(self._whitening(distribution, self._counts & ~across))
            self._sizes.append(max(1, int((self._counts & across).sum())))

    def deviations(self, statistics: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray, int]:
        """Compare with the nearest of several centres [.., statistics].

        Returns:
            Mean square deviation [sensors] of a sensor's correlations with the others, that [sensors] of all other
            statistics, and the index of the centre.
        """
        residuals = np.where(self._counts, statistics - centres, 0.0)
        squares = ((residuals @ self._whole) ** 2).sum(axis=1)
        nearest = int(squares.argmin())
        rest = np.array([((residuals[nearest] @ whitening) ** 2).sum() for whitening in self._rest])
        sizes = np.array(self._sizes)
        return (squares[nearest] - rest) / sizes, rest / (self._counts.sum() - sizes), nearest

    def _whitening(self, distribution: Distribution, counts: NDArray[np.bool_]) -> FloatArray:
        metric = distribution.metric_of(np.flatnonzero(counts))
        matrix = np.zeros((len(counts), len(metric.known)))
        matrix[metric.known] = metric.whitening
        return matrix
