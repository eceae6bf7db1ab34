"""Imu messages decoded from their bytes, as by the message's own type or left to it; samples and timestamps."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not sourced; source scripts/env.sh, or make test")

from builtin_interfaces.msg import Time
from fixtures.ros_lab import imu_message, to_timestamp
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Imu

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import (
    LATEST,
    PlausibleRange,
    decode_frame_id,
    decode_imu,
    imu_sample,
    nanoseconds,
)

MESSAGES = 400  # of each kind
SAMPLE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
Generator = np.random.Generator


def random_message(generator: Generator) -> Any:
    """Any Imu: timestamps of all times, frames of all lengths, values of all sizes, absent and infinite ones."""
    message = Imu()
    message.header.stamp.sec = int(generator.integers(-(2**31), 2**31))
    message.header.stamp.nanosec = int(generator.integers(0, 2**32))
    message.header.frame_id = ("Fußsensor_" * 30)[: generator.choice([0, 1, 8, int(generator.integers(300))])]
    values = generator.standard_normal(6) * 10.0 ** generator.integers(-3, 308, 6)
    values[generator.random(6) < 0.1] = generator.choice([np.nan, np.inf, -np.inf, 0.0])
    for vector, three in ((message.linear_acceleration, values[:3]), (message.angular_velocity, values[3:])):
        vector.x, vector.y, vector.z = three.tolist()
    for covariance in (message.linear_acceleration_covariance, message.angular_velocity_covariance):
        covariance[0] = generator.choice([-1.0, 0.0, 0.01])
    message.orientation.w = generator.standard_normal()
    return message


def big_endian(message: Any) -> bytes:
    """What a machine of the other byte order sends."""
    frame = message.header.frame_id.encode() + b"\0"
    start = struct.pack(f">iII{len(frame)}s", message.header.stamp.sec, message.header.stamp.nanosec, len(frame), frame)
    orientation = message.orientation
    parts = (
        ([orientation.x, orientation.y, orientation.z, orientation.w], message.orientation_covariance),
        (vector_of(message.angular_velocity), message.angular_velocity_covariance),
        (vector_of(message.linear_acceleration), message.linear_acceleration_covariance),
    )
    numbers = [value for vector, covariance in parts for value in (*vector, *covariance)]
    return b"\0\0\0\0" + start + bytes(-len(start) % 8) + struct.pack(">37d", *numbers)


def vector_of(vector: Any) -> list[float]:
    return [vector.x, vector.y, vector.z]


def by_type(payload: bytes) -> tuple[int, tuple[float, ...]] | None:
    """Timestamp and sample as the message's own type has them; None where it cannot be deserialised."""
    try:
        message = deserialize_message(payload, Imu)
    except Exception:
        return None
    return nanoseconds(message.header.stamp), imu_sample(message)


def assert_same(payload: bytes) -> bool:
    """Decoded as the type does, or left to the type; returns whether it was decoded."""
    decoded = decode_imu(payload)
    if decoded is None:
        return False
    typed = by_type(payload)
    assert typed is not None, f"decoded although the type refuses it: {payload[:40].hex()}"
    assert decoded[0] == typed[0]
    np.testing.assert_array_equal(decoded[1], typed[1])
    return True


@pytest.mark.parametrize("serialise", [serialize_message, big_endian], ids=["native", "big-endian"])
def test_decode_imu_decodes_valid_messages(serialise: Callable[[Any], bytes]) -> None:
    generator = np.random.default_rng(0)
    for _ in range(MESSAGES):
        message = random_message(generator)
        payload = bytes(serialise(message))
        assert assert_same(payload)
        decoded = decode_imu(payload)
        assert decoded is not None
        assert decoded[0] == message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        np.testing.assert_array_equal(decoded[1], imu_sample(message))


def truncated(payload: bytearray, generator: Generator) -> bytes:
    return bytes(payload[: generator.integers(len(payload))])


def lengthened(payload: bytearray, generator: Generator) -> bytes:
    return bytes(payload) + generator.bytes(generator.integers(1, 30))


def changed(payload: bytearray, generator: Generator) -> bytes:
    for place in generator.integers(0, len(payload), 4):
        payload[place] = generator.integers(256)
    return bytes(payload)


def changed_at_its_start(payload: bytearray, generator: Generator) -> bytes:
    payload[generator.integers(24)] = generator.integers(256)
    return bytes(payload)


def of_another_representation(payload: bytearray, generator: Generator) -> bytes:
    payload[:2] = bytes(generator.choice([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 255], 2).astype(np.uint8))
    return bytes(payload)


def with_a_frame_of_another_length(payload: bytearray, generator: Generator) -> bytes:
    struct.pack_into("<I", payload, 12, generator.choice([0, 1, 5, 200, 2**31 - 1, 2**31, 2**32 - 12, 2**32 - 1]))
    return bytes(payload)


def noise(payload: bytearray, generator: Generator) -> bytes:
    return generator.bytes(generator.integers(0, 500))


@pytest.mark.parametrize(
    ("spoil", "decodes_some"),
    [
        (truncated, False),
        (lengthened, True),
        (changed, True),
        (changed_at_its_start, True),
        (of_another_representation, True),
        (with_a_frame_of_another_length, True),
        (noise, False),
    ],
)
def test_decode_imu_agrees_with_type_or_declines(
    spoil: Callable[[bytearray, Generator], bytes], decodes_some: bool
) -> None:
    generator = np.random.default_rng(1)
    payloads = [spoil(bytearray(serialize_message(random_message(generator))), generator) for _ in range(MESSAGES)]
    decoded = [assert_same(payload) for payload in payloads]
    assert any(decoded) == decodes_some


def test_decode_imu_declines_truncated_message() -> None:
    payload = serialize_message(random_message(np.random.default_rng(2)))
    assert not any(decode_imu(payload[:length]) for length in range(len(payload)))
    assert decode_imu(payload)


@pytest.mark.parametrize("frame", ["", "f", "right_foot", "Fußsensor", "x" * 1000])
@pytest.mark.parametrize("serialise", [serialize_message, big_endian], ids=["native", "big-endian"])
def test_decode_frame_id_returns_text(serialise: Callable[[Any], bytes], frame: str) -> None:
    message = random_message(np.random.default_rng(3))
    message.header.frame_id = frame
    assert decode_frame_id(bytes(serialise(message))) == frame


def test_decode_frame_id_refuses_invalid_text() -> None:
    message = random_message(np.random.default_rng(4))
    message.header.frame_id = "foot"
    payload = bytearray(serialize_message(message))
    for place, value in ((16, 0xFF), (20, 1), (12, 200), (0, 1)):  # no UTF-8, no zero at the end, too long, no CDR
        changed = bytearray(payload)
        changed[place] = value
        with pytest.raises(ValueError, match=r"frame_id|plain CDR|decode byte"):
            decode_frame_id(bytes(changed))


def test_decode_imu_allows_seven_bytes_of_padding() -> None:
    payload = serialize_message(random_message(np.random.default_rng(5)))
    assert decode_imu(payload + bytes(7)) == decode_imu(payload)
    assert decode_imu(payload + bytes(8)) is None


@pytest.mark.parametrize("timestamp", [0, 1, SECOND - 1, SECOND, 1_704_067_200 * SECOND + 123_456_789, LATEST])
def test_nanoseconds_roundtrip(timestamp: int) -> None:
    message = to_timestamp(timestamp)
    assert nanoseconds(message) == timestamp
    assert 0 <= message.nanosec < SECOND


def test_nanoseconds_refuses_unrepresentable_timestamps() -> None:
    assert nanoseconds(to_timestamp(-1)) == 0
    assert nanoseconds(to_timestamp(LATEST + 1)) == LATEST


def test_nanoseconds_before_1970_and_beyond_a_second() -> None:
    assert nanoseconds(Time(sec=-2, nanosec=500_000_000)) == -1_500_000_000
    assert nanoseconds(Time(sec=1, nanosec=4_000_000_000)) == 5 * SECOND


def test_imu_sample_orders_acceleration_before_rate() -> None:
    np.testing.assert_array_equal(imu_sample(imu_message(0, SAMPLE)), SAMPLE)


def test_imu_sample_masks_covariance_of_minus_one() -> None:
    message = imu_message(0, SAMPLE)
    message.linear_acceleration_covariance[0] = -1.0
    np.testing.assert_array_equal(imu_sample(message), [np.nan] * 3 + [4.0, 5.0, 6.0])
    message.angular_velocity_covariance[0] = -1.0
    assert np.isnan(imu_sample(message)).all()


def test_imu_sample_keeps_values_of_unknown_covariance() -> None:
    message = imu_message(0, SAMPLE)
    message.linear_acceleration_covariance[:] = 0.0
    message.angular_velocity_covariance[:] = 0.5
    np.testing.assert_array_equal(imu_sample(message), SAMPLE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200, -1e308, 70.1, -70.1])
def test_imu_sample_masks_part_with_a_value_no_sensor_measures(value: float) -> None:
    message = imu_message(0, SAMPLE)
    message.angular_velocity.y = value
    np.testing.assert_array_equal(imu_sample(message), [1.0, 2.0, 3.0, np.nan, np.nan, np.nan])
    message.linear_acceleration.z = 15.0 * value
    assert np.isnan(imu_sample(message)).all()


def test_imu_sample_keeps_values_to_the_end_of_the_range() -> None:
    sample = np.array([980.665, -980.665, 980.665, 70.0, -70.0, 70.0])
    np.testing.assert_array_equal(imu_sample(imu_message(0, sample)), sample)


def test_imu_sample_masks_huge_values_that_cancel_out() -> None:
    assert np.isnan(imu_sample(imu_message(0, np.array([1e308, -1e308, 1.0, 1e308, -1e308, 1.0])))).all()


def test_decode_imu_takes_another_plausible_range() -> None:
    message = imu_message(0, np.array([15.0, 0.0, 9.81, 2.0, 0.0, 0.0]))
    for decoded in (
        decode_imu(serialize_message(message), PlausibleRange(acceleration=12.0, rate=3.0)),
        (0, imu_sample(message, PlausibleRange(acceleration=12.0, rate=3.0))),
    ):
        assert decoded is not None
        np.testing.assert_array_equal(decoded[1], [np.nan, np.nan, np.nan, 2.0, 0.0, 0.0])
