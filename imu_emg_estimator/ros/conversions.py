"""Into ROS messages; the way out of them is ``signals.messages``."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from imu_emg_estimator.signals.alignment import SECOND

LATEST = 2**31 * SECOND - 1  # ns; seconds of a stamp are a 32-bit integer


def to_stamp(stamp: int) -> Time:
    """Nanoseconds as a message's stamp; the nearest one that a message can hold."""
    seconds, rest = split_stamp(stamp)
    return Time(sec=seconds, nanosec=rest)


def split_stamp(stamp: int) -> tuple[int, int]:
    """Seconds and remaining nanoseconds of a message's stamp; the nearest one that a message can hold."""
    return divmod(min(max(stamp, 0), LATEST), SECOND)
