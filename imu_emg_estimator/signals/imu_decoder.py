"""Imu messages straight from their bytes: the few numbers that are needed, at the offsets where they lie.

Decoding a whole sensor_msgs/Imu into Python objects costs ten times as much, most of it for
covariances and an orientation that nobody reads.

Source: OMG DDS-XTypes 1.3, 7.4.1 (encoding version 1, plain CDR): a header of four bytes, then the
fields in order, each aligned to its own size, counted from the end of the header.
"""

from __future__ import annotations

from struct import Struct

from imu_emg_estimator.signals.grid_alignment import SECOND, Sample
from imu_emg_estimator.signals.imu_message import as_sample

HEADER = 4  # bytes: two for the representation, the second saying whether it is little-endian; two for options
LENGTH_END = 12  # of the frame's length, from the end of the header: after sec and nanosec
DOUBLES = 37  # orientation 4 and its covariance 9, angular velocity 3 and 9, linear acceleration 3 and 9
TO_RATE = HEADER + 8 * 13  # bytes from the end of the frame to the angular velocity

# By endianness: (sec, nanosec, length of the frame), (angular velocity, first of its covariance, the same for
# the linear acceleration).
_LAYOUTS = tuple((Struct(f"{order}iII"), Struct(f"{order}4d64x4d")) for order in "><")


def decode_imu(payload: bytes) -> tuple[int, Sample] | None:
    """Timestamp [ns] and sample of a serialised sensor_msgs/Imu; see ``messages.imu_sample``.

    Returns:
        None where this is not plain CDR of an Imu, or too short for one: what it is, if anything, the
        message's own deserialisation must say.
    """
    if len(payload) < HEADER + LENGTH_END or payload[0] != 0 or payload[1] > 1:
        return None
    start, values = _LAYOUTS[payload[1]]
    seconds, rest, length = start.unpack_from(payload, HEADER)
    frame_end = (LENGTH_END + length + 7) & ~7  # doubles begin at multiples of eight
    if len(payload) < HEADER + frame_end + 8 * DOUBLES:
        return None
    rx, ry, rz, rate_variance, ax, ay, az, variance = values.unpack_from(payload, TO_RATE + frame_end)
    return seconds * SECOND + rest, as_sample((ax, ay, az), variance, (rx, ry, rz), rate_variance)
