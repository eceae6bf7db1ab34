"""What timestamps and Imu messages say, whichever library decoded them: the node's or the reader of bags."""

from __future__ import annotations

import math
from typing import Any

from imu_emg_estimator.signals.grid_alignment import SECOND, Sample

NAN = float("nan")
LATEST = 2**31 * SECOND - 1  # ns; seconds of a timestamp are a 32-bit integer


def nanoseconds(timestamp: Any) -> int:
    """A builtin_interfaces/Time in ns."""
    return int(timestamp.sec) * SECOND + int(timestamp.nanosec)


def split_timestamp(timestamp: int) -> tuple[int, int]:
    """Split ns into seconds and remaining ns of a builtin_interfaces/Time, the nearest one that it can hold."""
    return divmod(min(max(timestamp, 0), LATEST), SECOND)


def imu_sample(message: Any) -> Sample:
    """Acceleration [m/s^2] and angular rate [rad/s] of a sensor_msgs/Imu, six numbers; NaN = not available."""
    acceleration, rate = message.linear_acceleration, message.angular_velocity
    return as_sample(
        (acceleration.x, acceleration.y, acceleration.z),
        message.linear_acceleration_covariance[0],
        (rate.x, rate.y, rate.z),
        message.angular_velocity_covariance[0],
    )


def as_sample(
    acceleration: tuple[float, float, float],
    acceleration_variance: float,
    rate: tuple[float, float, float],
    rate_variance: float,
) -> Sample:
    """Six numbers from the fields of an Imu message and the first elements of their covariances.

    A field whose covariance starts with -1 is absent (REP 145, sensor_msgs/Imu): NaN, as is what is not finite.
    """
    if acceleration_variance == -1.0:
        acceleration = (NAN, NAN, NAN)
    if rate_variance == -1.0:
        rate = (NAN, NAN, NAN)
    sample = acceleration + rate
    if math.isfinite(sum(sample)):  # then each of them is
        return sample
    return tuple([value if math.isfinite(value) else NAN for value in sample])
