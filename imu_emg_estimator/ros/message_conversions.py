"""Into ROS messages; the way out of them is ``signals.messages``."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from imu_emg_estimator.signals.grid_alignment import SECOND

LATEST = 2**31 * SECOND - 1  # ns; seconds of a timestamp are a 32-bit integer


def to_timestamp(timestamp: int) -> Time:
    """Nanoseconds as a message's timestamp; the nearest one that a message can hold."""
    seconds, rest = split_timestamp(timestamp)
    return Time(sec=seconds, nanosec=rest)


def split_timestamp(timestamp: int) -> tuple[int, int]:
    """Seconds and remaining nanoseconds of a message's timestamp; the nearest one that a message can hold."""
    return divmod(min(max(timestamp, 0), LATEST), SECOND)
