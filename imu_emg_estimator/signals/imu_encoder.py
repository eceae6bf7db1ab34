"""Numbers into the bytes of a sensor_msgs/Imu, in the layout that ``imu_decoder`` reads."""

from __future__ import annotations

from struct import Struct

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import Sample
from imu_emg_estimator.signals.imu_decoder import (
    FIXED_BYTES,
    FRAME_OFFSET,
    HEADER_BYTES,
    RATE_OFFSET,
    decode_imu,
    split_timestamp,
)

NOT_MEASURED = -1.0  # first element of a covariance, see REP 145
PART_BYTES = 8 * (3 + 9)  # a vector and its covariance
# By endianness: timestamp and length of the frame, a vector, the first element of its covariance.
_LAYOUTS = tuple(tuple(Struct(f"{order}{form}") for form in ("iII", "3d", "d")) for order in "><")

EMPTY_IMU = bytes((0, 1, 0, 0)) + bytes(4 * 4) + bytes(FIXED_BYTES - HEADER_BYTES)  # no frame, all values 0


def encode_imu(
    timestamp: int, sample: Sample, absent: tuple[bool, bool] = (False, False), payload: bytes = EMPTY_IMU
) -> bytes:
    """Put numbers into a serialised message and leave everything else as it is.

    Args:
        timestamp: [ns]; the nearest one that a message can hold is written.
        sample: acceleration [m/s^2], angular rate [rad/s].
        absent: whether acceleration, rate are not measured: the covariance says so.

    Raises:
        InputError: the payload is not plain CDR of an Imu.
    """
    if decode_imu(payload) is None:
        raise InputError("a message on an Imu topic is not plain CDR of an Imu; record it again")
    start, vector, variance = _LAYOUTS[payload[1]]
    message = bytearray(payload)
    length = start.unpack_from(payload, HEADER_BYTES)[2]
    start.pack_into(message, HEADER_BYTES, *split_timestamp(timestamp), length)
    rate_at = RATE_OFFSET + (FRAME_OFFSET + length + 7 & ~7)
    for at, values, is_absent in (
        (rate_at + PART_BYTES, sample[:3], absent[0]),
        (rate_at, sample[3:], absent[1]),
    ):
        vector.pack_into(message, at, *values)
        if is_absent:
            variance.pack_into(message, at + vector.size, NOT_MEASURED)
    return bytes(message)
