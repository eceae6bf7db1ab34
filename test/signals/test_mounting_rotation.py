"""Samples are rotated from the axes of a mounted sensor into those of the rig."""

from contextlib import nullcontext

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts

SENSORS = 3
Array = NDArray[np.float64]


@pytest.fixture
def imu() -> Array:
    return np.random.default_rng(0).normal(3.0, 2.0, (50, SENSORS, 6))


def test_turn_mounts_applies_rotation_of_each_sensor(imu: Array) -> None:
    rotations = Rotation.random(SENSORS, random_state=0)
    turned = turn_mounts(imu, mount_rotations(rotations.as_quat().ravel().tolist(), SENSORS))
    for sensor, rotation in enumerate(rotations):
        np.testing.assert_allclose(turned[:, sensor, :3], rotation.apply(imu[:, sensor, :3]))
        np.testing.assert_allclose(turned[:, sensor, 3:], rotation.apply(imu[:, sensor, 3:]))


def test_mount_rotations_accept_one_for_all(imu: Array) -> None:
    matrices = mount_rotations([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)], SENSORS)  # x of the IMU is y of the rig
    np.testing.assert_allclose(turn_mounts(imu, matrices)[..., 1], imu[..., 0])


def test_turn_mounts_row_equals_recording(imu: Array) -> None:
    matrices = mount_rotations(Rotation.random(SENSORS, random_state=1).as_quat().ravel().tolist(), SENSORS)
    np.testing.assert_allclose(turn_mounts(imu[3], matrices), turn_mounts(imu, matrices)[3])


def test_turn_mounts_keeps_mask(imu: Array) -> None:
    imu[:, 0, 3:] = np.nan
    turned = turn_mounts(imu, mount_rotations([0.0, 0.6, 0.0, 0.8], SENSORS))
    assert np.isnan(turned[:, 0, 3:]).all()
    assert np.isfinite(turned[:, 0, :3]).all()
    assert np.isfinite(turned[:, 1:]).all()


@pytest.mark.parametrize(
    ("quaternions", "parts"),
    [
        ([0.0, 0.0, 1.0], ["3 numbers", "4", "12"]),
        ([0.0, 0.0, 0.0, 1.0] * 2, ["8 numbers"]),
        ([], ["0 numbers"]),
        ([0.0, 0.0, 0.0, 0.0], ["length"]),
        ([0.0, 0.0, 0.0, np.nan], ["length"]),
        ([0.0, 0.0, 0.0, np.inf], ["length"]),
        ([1.0, 1.0, 1.0, 1.0], ["length"]),
    ],
)
def test_mount_rotations_refuse_bad_quaternions(quaternions: list[float], parts: list[str]) -> None:
    with refusal(*parts):
        mount_rotations(quaternions, SENSORS)


@pytest.mark.parametrize(("length", "is_refused"), [(1.0095, False), (1.0105, True), (0.9905, False), (0.9895, True)])
def test_quaternion_may_be_off_by_a_hundredth_of_its_length(length: float, is_refused: bool) -> None:
    with refusal("length is not 1") if is_refused else nullcontext():
        mount_rotations([0.0, 0.0, 0.0, length], SENSORS)
