"""Distribution of the training subjects' motion: detects motion that is unlike the training data; free of torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.motion_statistics import MotionStatistics
from imu_emg_estimator.utils.json_values import from_decoded

CENTRES, COVARIANCE = "distribution.centres", "distribution.covariance"  # tensors in a bundle


@dataclass(frozen=True, eq=False)
class Distribution:
    """Distance to the nearest activity of the training subjects, in standard deviations.

    After Lee et al. 2018 (arXiv:1807.03888): Mahalanobis distance to the nearest of several centres
    with one covariance for all, here of the slow statistics of ``motion_statistics``.

    Attributes:
        definition: description of the data and of how the threshold was chosen.
        conditions: activity of each centre.
        threshold: score above which a motion is unlike the training data.
        centres: [conditions, statistics].
        covariance: [statistics, statistics] within an activity, over subjects and time; positive definite.
    """

    definition: str
    conditions: tuple[str, ...]
    threshold: float
    centres: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def scores(self, statistics: NDArray[np.floating], available: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Score how far rows are from the nearest centre: about 1 for the training subjects.

        Args:
            statistics: [rows, statistics] of ``motion_statistics``.
            available: [rows, sensors] False = ignore this sensor.

        Returns:
            [rows] root mean square of the whitened distance; NaN without any sensor.
        """
        result = np.full(len(statistics), np.nan)
        for combination in np.unique(available, axis=0):
            rows = (available == combination).all(axis=1)
            result[rows] = self.metric(combination).scores(statistics[rows])
        return result

    def metric(self, available: NDArray[np.bool_]) -> Metric:
        """Return the distance that uses these sensors [sensors] alone."""
        owners = MotionStatistics(len(available)).owners
        return self.metric_of(np.flatnonzero(available[owners].all(axis=1)))

    def metric_of(self, known: NDArray[np.intp]) -> Metric:
        """Return the distance that uses these statistics alone."""
        whitening = np.linalg.cholesky(np.linalg.inv(self.covariance[np.ix_(known, known)]))
        return Metric(known, whitening, self.centres[:, known] @ whitening)

    def has_metrics_of(self, other: Distribution) -> bool:
        """Whether distances equal those of another distribution."""
        return np.array_equal(self.centres, other.centres) and np.array_equal(self.covariance, other.covariance)

    def check(self, sensors: int) -> None:
        """Raise InputError unless the arrays are valid for this number of sensors."""
        size = len(MotionStatistics(sensors))
        shapes = {"centres": (len(self.conditions), size), "covariance": (size, size)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or value.dtype != np.float64 or not np.isfinite(value).all() or not value.size:
                raise InputError(f"distribution {name} is not a finite float64 array of shape {shape}")
        if not np.array_equal(self.covariance, self.covariance.T) or not _is_positive_definite(self.covariance):
            raise InputError("distribution covariance is not symmetric and positive definite")
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise InputError("distribution threshold is not a positive number")

    def to_dict(self) -> dict[str, Any]:
        """Return all but the arrays, for JSON."""
        return {"definition": self.definition, "conditions": list(self.conditions), "threshold": self.threshold}

    @classmethod
    def from_dict(cls, values: object, centres: NDArray[np.float64], covariance: NDArray[np.float64]) -> Distribution:
        """Build from decoded JSON and the arrays; raise InputError for a missing field or a wrong type."""
        own = from_decoded(_Document, values, "distribution")
        return cls(own.definition, own.conditions, own.threshold, centres, covariance)


@dataclass(frozen=True)
class _Document:
    """A distribution's part of a bundle's JSON document."""

    definition: str
    conditions: tuple[str, ...]
    threshold: float


@dataclass(frozen=True, eq=False)
class Metric:
    """Distance to the centres in a subset of the statistics.

    Attributes:
        known: indices of those statistics.
        whitening: [known, known] decorrelates them to unit variance.
        centres: [conditions, known], whitened.
    """

    known: NDArray[np.intp]
    whitening: NDArray[np.float64]
    centres: NDArray[np.float64]

    def scores(self, statistics: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score rows [rows, statistics]; the result is [rows], NaN if nothing is known."""
        if not len(self.known):
            return np.full(len(statistics), np.nan)
        result: NDArray[np.float64] = np.sqrt(self.squares(statistics).min(axis=0) / len(self.known))
        return result

    def squares(self, statistics: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared distances [conditions, rows] of rows [rows, statistics] to every centre."""
        white = statistics[:, self.known] @ self.whitening
        return np.stack([((white - centre) ** 2).sum(axis=1) for centre in self.centres])


def _is_positive_definite(matrix: NDArray[np.float64]) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
