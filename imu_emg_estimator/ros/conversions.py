"""Between ROS messages and arrays."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Imu

from imu_emg_estimator.signals.alignment import SECOND

LATEST = 2**31 * SECOND - 1  # ns; seconds of a stamp are a 32-bit integer


def nanoseconds(stamp: Time) -> int:
    """A message's stamp in ns."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def to_stamp(stamp: int) -> Time:
    """Nanoseconds as a message's stamp; the nearest one that a message can hold."""
    seconds, rest = divmod(min(max(stamp, 0), LATEST), SECOND)
    return Time(sec=seconds, nanosec=rest)


def imu_sample(message: Imu) -> NDArray[np.float64]:
    """Acceleration [m/s^2] and angular rate [rad/s] of an Imu message, shape (6,).

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
