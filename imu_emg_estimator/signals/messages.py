"""What stamps and Imu messages say, whichever library decoded them: the node's or the reader of bags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.alignment import SECOND


def nanoseconds(stamp: Any) -> int:
    """A builtin_interfaces/Time in ns."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def imu_sample(message: Any) -> NDArray[np.float64]:
    """Acceleration [m/s^2] and angular rate [rad/s] of a sensor_msgs/Imu, shape (6,).

    A field whose covariance starts with -1 is absent (REP 145, sensor_msgs/Imu): NaN, as is what is not finite.
    """
    acceleration, rate = message.linear_acceleration, message.angular_velocity
    sample = np.array([acceleration.x, acceleration.y, acceleration.z, rate.x, rate.y, rate.z])
    if message.linear_acceleration_covariance[0] == -1.0:
        sample[:3] = np.nan
    if message.angular_velocity_covariance[0] == -1.0:
        sample[3:] = np.nan
    sample[~np.isfinite(sample)] = np.nan
    return sample
