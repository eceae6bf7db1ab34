"""Encoder of Imu messages: what it writes is read back, and nothing else changes."""

import math

import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.imu_encoder import EMPTY_IMU, encode_imu

SAMPLE = (0.5, -9.8, 1e30, 3.0, -2.0, 0.25)
TIMESTAMP = 1_700_000_000_123_456_789
BIG_ENDIAN = bytes((0, 0, 0, 0)) + EMPTY_IMU[4:]


@pytest.mark.parametrize("payload", [EMPTY_IMU, BIG_ENDIAN])
def test_encoded_numbers_are_decoded(payload: bytes) -> None:
    timestamp, sample = decode_imu(encode_imu(TIMESTAMP, (*SAMPLE[:2], 9.0, *SAMPLE[3:]), payload=payload)) or (0, ())
    assert (timestamp, sample) == (TIMESTAMP, (0.5, -9.8, 9.0, 3.0, -2.0, 0.25))


@pytest.mark.parametrize("absent", [(True, False), (False, True), (True, True)])
def test_absent_part_is_decoded_as_not_available(absent: tuple[bool, bool]) -> None:
    _, sample = decode_imu(encode_imu(TIMESTAMP, (1.0,) * 6, absent)) or (0, (0.0,) * 6)
    assert (math.isnan(sample[0]), math.isnan(sample[3])) == absent


def test_message_keeps_all_but_the_numbers() -> None:
    frame = b"shank\0"
    before = EMPTY_IMU[:12] + len(frame).to_bytes(4, "little") + frame + bytes(6) + bytes(range(37)) * 8
    after = encode_imu(TIMESTAMP, SAMPLE, payload=before)
    changed = {at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    assert changed <= {*range(4, 12), *range(132, 156), *range(228, 252)}


def test_other_bytes_are_refused() -> None:
    with pytest.raises(InputError, match="not plain CDR of an Imu"):
        encode_imu(TIMESTAMP, SAMPLE, payload=b"no message")
