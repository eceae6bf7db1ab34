"""IMU samples as the network sees them: normalised channels and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

CHANNELS = 6  # acceleration x y z, angular rate x y z
PARTS = 2  # accelerometer, gyroscope: masked separately
LIMIT = 8.0  # standard deviations; beyond, an input says nothing more


def feature_count(sensors: int) -> int:
    """Length of a feature row for so many sensors."""
    return sensors * (CHANNELS + PARTS)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of every IMU channel over the training wearers, each [sensors, 6]."""

    mean: FloatArray
    std: FloatArray


def features(imu: FloatArray, normalisation: Normalisation) -> NDArray[np.float32]:
    """Normalised channels and masks of IMU samples.

    Args:
        imu: [samples, sensors, 6] in m/s^2 and rad/s; a non-finite value masks
            the accelerometer or gyroscope that it belongs to, for that sample.

    Returns:
        [samples, sensors * 8]: the channels of all sensors (0 where masked), then
        for every sensor 1 where its accelerometer is present, 1 where its gyroscope is.
    """
    samples, sensors, _ = imu.shape
    normalised = (imu - normalisation.mean) / normalisation.std
    parts = normalised.reshape(samples, sensors, PARTS, 3)
    present = np.isfinite(parts).all(axis=3)
    result = np.empty((samples, feature_count(sensors)), dtype=np.float32)
    channels = np.where(present[..., None], parts, 0.0).reshape(samples, -1)
    np.clip(channels, -LIMIT, LIMIT, out=result[:, : sensors * CHANNELS], casting="unsafe")
    result[:, sensors * CHANNELS :] = present.reshape(samples, -1)
    return result


def fit_normalisation(imu: list[FloatArray]) -> Normalisation:
    """Channel statistics over recordings [samples, sensors, 6], NaN left out.

    A channel that was never present gets mean 0 and deviation 1.
    """
    stacked = np.concatenate(imu).astype(np.float64)
    finite = np.isfinite(stacked)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, stacked, 0.0).sum(axis=0) / count
    variance = np.where(finite, (stacked - mean) ** 2, 0.0).sum(axis=0) / count
    known = finite.any(axis=0) & (variance > 1e-12)
    return Normalisation(np.where(known, mean, 0.0), np.where(known, np.sqrt(variance), 1.0))
