"""Units of IMU data, found from the size of gravity and of the fastest movements."""

from __future__ import annotations

import numpy as np

from imu_emg_estimator.recording import FloatArray

GRAVITY_MPS2 = 9.80665
GRAVITY_RANGE = (0.6, 1.6)  # median magnitude of an acceleration while people move about, in units of gravity
MAX_RATE_RADPS = 40.0  # limbs stay below (gyroscopes end at 35), in deg/s every step exceeds it


def acceleration_unit(imu: FloatArray) -> tuple[str, float] | None:
    """Find the unit of the accelerations in [samples, sensors, 6] from gravity.

    Returns:
        Name of the unit and its size in m/s^2; None = neither g nor m/s^2.
    """
    magnitude = np.linalg.norm(imu[..., :3], axis=-1)
    if not np.isfinite(magnitude).any():
        return None
    median = float(np.nanmedian(magnitude))
    for name, scale in (("m/s²", 1.0), ("g", GRAVITY_MPS2)):
        if GRAVITY_RANGE[0] * GRAVITY_MPS2 <= median * scale <= GRAVITY_RANGE[1] * GRAVITY_MPS2:
            return name, scale
    return None


def rate_unit(imu: FloatArray) -> tuple[str, float]:
    """Find the unit of the angular rates in [samples, sensors, 6] from the fastest sensor.

    Slow movement in deg/s looks like rad/s: pass all recordings of a subject together.

    Returns:
        Name of the unit and its size in rad/s.
    """
    magnitude = np.linalg.norm(imu[..., 3:], axis=-1)
    fast = max((float(np.percentile(m, 99)) for c in magnitude.T if len(m := c[np.isfinite(c)])), default=0.0)
    return ("deg/s", np.pi / 180) if fast > MAX_RATE_RADPS else ("rad/s", 1.0)
