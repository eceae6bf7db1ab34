"""Imu messages to numbers, for the live node and for bags: from their bytes, or from decoded messages.

``decode_imu`` reads the few numbers that are needed at the offsets where they lie. To decode a whole sensor_msgs/Imu
into Python objects takes ten times as long, most of it for covariances and an orientation that nobody reads.

Source: OMG DDS-XTypes 1.3, 7.4.1 (encoding version 1, plain CDR): a header of four bytes, then the fields in order,
each aligned to its own size, counted from the end of the header.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from imu_emg_estimator.signals.grid_alignment import SECOND, Sample

LATEST = 2**31 * SECOND - 1  # ns; seconds of a timestamp are a 32-bit integer
ABSENT = (float("nan"),) * 3
HEADER_BYTES = 4  # two for the representation, the second saying whether it is little-endian; two for options
FRAME_OFFSET = 12  # of the frame's text, from the end of the header: after sec, nanosec and its length
MAX_PADDING_BYTES = 7  # that a middleware may add at the end
# The header, and after the frame orientation 4 and its covariance 9, angular velocity 3 and 9, acceleration 3 and 9.
FIXED_BYTES = HEADER_BYTES + 8 * 37
RATE_OFFSET = HEADER_BYTES + 8 * 13  # of the angular velocity, from the end of the frame

# By endianness: (sec, nanosec, length of the frame), (angular velocity, first of its covariance, the same for
# the linear acceleration).
_LAYOUTS = tuple((Struct(f"{order}iII"), Struct(f"{order}4d64x4d")) for order in "><")


class PlausibleRange(NamedTuple):
    """Absolute values that no axis of any IMU on a body exceeds: acceleration [m/s^2] and angular rate [rad/s].

    About 100 g and 4000 degrees a second; those of usual sensors end at 16 g and 2000 degrees a second.
    """

    acceleration: float = 980.665
    rate: float = 70.0


PLAUSIBLE = PlausibleRange()


def decode_imu(payload: bytes, plausible: PlausibleRange = PLAUSIBLE) -> tuple[int, Sample] | None:
    """Decode timestamp [ns] and sample of a serialised sensor_msgs/Imu; see ``imu_sample``.

    Returns:
        None where this is not plain CDR of an Imu, or too short or too long for one: the message's own
        deserialisation must then show what it is, if anything.
    """
    if len(payload) < HEADER_BYTES + FRAME_OFFSET or payload[0] != 0 or payload[1] > 1:
        return None
    start, values = _LAYOUTS[payload[1]]
    seconds, rest, length = start.unpack_from(payload, HEADER_BYTES)
    frame_end = (FRAME_OFFSET + length + 7) & ~7  # doubles begin at multiples of eight
    if not 0 <= len(payload) - frame_end - FIXED_BYTES <= MAX_PADDING_BYTES:
        return None
    rx, ry, rz, rate_variance, ax, ay, az, variance = values.unpack_from(payload, RATE_OFFSET + frame_end)
    return seconds * SECOND + rest, _sample((ax, ay, az), variance, (rx, ry, rz), rate_variance, plausible)


def decode_frame_id(payload: bytes) -> str:
    """Decode the frame_id of a serialised sensor_msgs/Imu.

    Raises:
        ValueError: ``decode_imu`` does not decode the message, or the frame is not text that ends with a zero.
    """
    if decode_imu(payload) is None:
        raise ValueError("not plain CDR of an Imu")
    length = _LAYOUTS[payload[1]][0].unpack_from(payload, HEADER_BYTES)[2]
    text = payload[HEADER_BYTES + FRAME_OFFSET :][:length]
    if text and text[-1]:  # some writers leave the zero of an empty text out
        raise ValueError("frame_id does not end with a zero")
    return text[:-1].decode()


def imu_sample(message: Any, plausible: PlausibleRange = PLAUSIBLE) -> Sample:
    """Acceleration [m/s^2] and angular rate [rad/s] of a decoded sensor_msgs/Imu: x, y, z each; NaN = not available.

    A field whose covariance starts with -1 is absent (REP 145, sensor_msgs/Imu): all three are NaN, as they are where
    one is not finite, or out of the plausible range.
    """
    acceleration, rate = message.linear_acceleration, message.angular_velocity
    return _sample(
        (acceleration.x, acceleration.y, acceleration.z),
        message.linear_acceleration_covariance[0],
        (rate.x, rate.y, rate.z),
        message.angular_velocity_covariance[0],
        plausible,
    )


def nanoseconds(timestamp: Any) -> int:
    """A builtin_interfaces/Time in ns."""
    return int(timestamp.sec) * SECOND + int(timestamp.nanosec)


def split_timestamp(timestamp: int) -> tuple[int, int]:
    """Split ns into seconds and remaining ns of a builtin_interfaces/Time, the nearest one that it can hold."""
    return divmod(min(max(timestamp, 0), LATEST), SECOND)


def _sample(
    acceleration: tuple[float, float, float],
    acceleration_variance: float,
    rate: tuple[float, float, float],
    rate_variance: float,
    plausible: PlausibleRange,
) -> Sample:
    """Six numbers from the fields of an Imu message and the first elements of their covariances."""
    highest, fastest = plausible
    (x, y, z), (rx, ry, rz) = acceleration, rate
    # Comparisons with NaN are false.
    if acceleration_variance == -1.0 or not (
        -highest <= x <= highest and -highest <= y <= highest and -highest <= z <= highest
    ):
        acceleration = ABSENT
    if rate_variance == -1.0 or not (
        -fastest <= rx <= fastest and -fastest <= ry <= fastest and -fastest <= rz <= fastest
    ):
        rate = ABSENT
    return acceleration + rate
