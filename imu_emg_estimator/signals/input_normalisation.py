"""Normalisation of IMU channels by their mean and standard deviation over the training subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

CHANNELS = 6  # acceleration x y z, angular rate x y z
PARTS = 2  # accelerometer, gyroscope: masked separately
MIN_VARIANCE = 1e-12  # of a channel that changes, in its unit squared


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of every IMU channel over the training subjects, each [sensors, 6].

    NaN = the channel was never there in training: it is always masked.
    """

    mean: FloatArray
    std: FloatArray

    @property
    def used(self) -> NDArray[np.bool_]:
        """Channels [sensors, 6] that the network uses."""
        return np.isfinite(self.mean)

    def of_lengths(self) -> tuple[FloatArray, FloatArray]:
        """Return offset and scale of the magnitudes of each part, both [sensors, 2]; changes have the scale alone.

        They are the root mean square of the magnitude, and of the deviations of its axes; NaN for unused parts.
        """
        mean, std = (np.asarray(part, np.float64).reshape(-1, PARTS, 3) for part in (self.mean, self.std))
        return np.sqrt((mean**2 + std**2).sum(axis=2)), np.sqrt((std**2).mean(axis=2))


def fit_normalisation(imu: list[FloatArray]) -> Normalisation:
    """Fit channel statistics over recordings [samples, sensors, 6]; NaN is left out.

    A channel that never changes gets mean 0 and deviation 1; one that was never present NaN.
    """
    stacked = np.concatenate(imu).astype(np.float64)
    finite = np.isfinite(stacked)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, stacked, 0.0).sum(axis=0) / count
    variance = np.where(finite, (stacked - mean) ** 2, 0.0).sum(axis=0) / count
    changing, absent = variance > MIN_VARIANCE, ~finite.any(axis=0)
    mean, std = np.where(changing, mean, 0.0), np.where(changing, np.sqrt(variance), 1.0)
    mean[absent] = std[absent] = np.nan
    return Normalisation(mean, std)
