"""Timestamps and Imu messages as numbers, and timestamps back."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not sourced; source scripts/env.sh, or make test")

from builtin_interfaces.msg import Time
from fixtures.ros_lab import imu_message, to_timestamp

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_message import LATEST, imu_sample, nanoseconds

SAMPLE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_imu_sample_masks_nonfinite_values(value: float) -> None:
    message = imu_message(0, SAMPLE)
    message.angular_velocity.y = value
    np.testing.assert_array_equal(imu_sample(message), [1.0, 2.0, 3.0, 4.0, np.nan, 6.0])
