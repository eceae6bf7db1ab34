"""Rotation of IMU samples from the axes of a sensor as it is mounted into the axes of the rig."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import FloatArray

MAX_NORM_ERROR = 0.01  # of a quaternion


def turn_mounts(imu: FloatArray, rotations: FloatArray) -> FloatArray:
    """Rotate samples [..., sensors, 6] from each IMU's own axes into the axes of the rig.

    Args:
        rotations: [sensors, 3, 3] matrices from IMU axes to rig axes.
    """
    parts = imu.reshape(*imu.shape[:-1], 2, 3)
    turned: FloatArray = np.einsum("sij,...spj->...spi", rotations, parts).reshape(imu.shape)
    return turned


def mount_rotations(quaternions: Sequence[float], sensors: int) -> FloatArray:
    """Convert quaternions x y z w, one for every sensor or one for all, to matrices [sensors, 3, 3].

    Raises:
        InputError: another number of values, or a quaternion that is not of length 1.
    """
    values = np.asarray(quaternions, dtype=np.float64)
    if values.size not in (4, 4 * sensors):
        raise InputError(
            f"sensor_rotations holds {values.size} numbers; give 4 (x y z w) for all sensors, or {4 * sensors}"
        )
    rows = np.broadcast_to(values.reshape(-1, 4), (sensors, 4))
    norms = np.linalg.norm(rows, axis=1)
    if not np.all(np.abs(norms - 1.0) < MAX_NORM_ERROR):
        raise InputError("sensor_rotations holds a quaternion whose length is not 1; give x y z w of a rotation")
    return np.stack([_matrix(*row) for row in rows / norms[:, None]])


def _matrix(x: float, y: float, z: float, w: float) -> FloatArray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
