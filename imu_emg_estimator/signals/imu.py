"""IMU samples as the network sees them: normalised channels and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError

FloatArray = NDArray[np.floating]

CHANNELS = 6  # acceleration x y z, angular rate x y z
PARTS = 2  # accelerometer, gyroscope: masked separately
LIMIT = 8.0  # standard deviations; beyond, an input says nothing more


def feature_count(sensors: int) -> int:
    """Length of a feature row for so many sensors."""
    return sensors * (CHANNELS + PARTS)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of every IMU channel over the training wearers, each [sensors, 6].

    NaN = the channel was never there: the network has not learned what to make of it, so it is masked for ever.
    """

    mean: FloatArray
    std: FloatArray

    @property
    def used(self) -> NDArray[np.bool_]:
        """Channels [sensors, 6] that the network looks at."""
        return np.isfinite(self.mean)


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
    present = np.asarray(np.isfinite(parts).all(axis=3))
    result = np.empty((samples, feature_count(sensors)), dtype=np.float32)
    channels = np.where(present[..., None], parts, 0.0).reshape(samples, -1)
    np.clip(channels, -LIMIT, LIMIT, out=result[:, : sensors * CHANNELS], casting="unsafe")
    result[:, sensors * CHANNELS :] = present.reshape(samples, -1)
    return result


def fit_normalisation(imu: list[FloatArray]) -> Normalisation:
    """Channel statistics over recordings [samples, sensors, 6], NaN left out.

    A channel that never changes gets mean 0 and deviation 1; one that was never present NaN.
    """
    stacked = np.concatenate(imu).astype(np.float64)
    finite = np.isfinite(stacked)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, stacked, 0.0).sum(axis=0) / count
    variance = np.where(finite, (stacked - mean) ** 2, 0.0).sum(axis=0) / count
    changing, absent = variance > 1e-12, ~finite.any(axis=0)
    mean, std = np.where(changing, mean, 0.0), np.where(changing, np.sqrt(variance), 1.0)
    mean[absent] = std[absent] = np.nan
    return Normalisation(mean, std)


def turn_mounts(imu: FloatArray, rotations: FloatArray) -> FloatArray:
    """Turn samples [..., sensors, 6] from each IMU's own axes into the axes that the rig expects.

    Args:
        rotations: [sensors, 3, 3] matrices, rig axes from IMU axes.
    """
    parts = imu.reshape(*imu.shape[:-1], PARTS, 3)
    turned: FloatArray = np.einsum("sij,...spj->...spi", rotations, parts).reshape(imu.shape)
    return turned


def mount_rotations(quaternions: Sequence[float], sensors: int) -> FloatArray:
    """Matrices [sensors, 3, 3] from quaternions x y z w in a row: one for every sensor, or one for all.

    Raises:
        InputError: another number of values, or a quaternion without a direction.
    """
    values = np.asarray(quaternions, dtype=np.float64)
    if values.size not in (4, 4 * sensors):
        raise InputError(
            f"sensor rotations hold {values.size} numbers; give 4 (x y z w) for all sensors, or {4 * sensors}"
        )
    rows = np.broadcast_to(values.reshape(-1, 4), (sensors, 4))
    norms = np.linalg.norm(rows, axis=1)
    if not np.all(np.abs(norms - 1.0) < 0.01):
        raise InputError("sensor rotations hold a quaternion whose length is not 1; give x y z w of a rotation")
    return np.stack([_matrix(*row) for row in rows / norms[:, None]])


def _matrix(x: float, y: float, z: float, w: float) -> FloatArray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
