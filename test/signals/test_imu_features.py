"""IMU samples as the network sees them: normalised, clipped, masked; and mounts turned into the rig's axes."""

import numpy as np
import pytest
from helpers import refusal
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu_emg_estimator.signals.imu import (
    LIMIT,
    Normalisation,
    feature_count,
    features,
    fit_normalisation,
    mount_rotations,
    turn_mounts,
)

SENSORS = 3
Array = NDArray[np.float64]


@pytest.fixture
def imu() -> Array:
    return np.random.default_rng(0).normal(3.0, 2.0, (50, SENSORS, 6))


@pytest.fixture
def normalisation() -> Normalisation:
    generator = np.random.default_rng(1)
    return Normalisation(generator.standard_normal((SENSORS, 6)), generator.uniform(1.0, 3.0, (SENSORS, 6)))


def channels(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows[:, : SENSORS * 6].reshape(-1, SENSORS, 6)


def masks(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """[samples, sensors, (accelerometer, gyroscope)]"""
    return rows[:, SENSORS * 6 :].reshape(-1, SENSORS, 2)


def test_channels_are_normalised_and_present(imu: Array, normalisation: Normalisation) -> None:
    rows = features(imu, normalisation)
    assert rows.shape == (50, feature_count(SENSORS))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(channels(rows) * normalisation.std + normalisation.mean, imu, atol=1e-5)
    assert (masks(rows) == 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_missing_value_masks_its_part_and_nothing_else(
    imu: Array, normalisation: Normalisation, value: float
) -> None:
    whole = features(imu, normalisation)
    imu[7, 1, 4] = value  # y of a gyroscope
    rows = features(imu, normalisation)
    assert masks(rows)[7, 1].tolist() == [1, 0]
    assert channels(rows)[7, 1, 3:].tolist() == [0, 0, 0]
    changed = rows != whole
    assert set(zip(*np.nonzero(changed), strict=True)) <= {(7, column) for column in (9, 10, 11, 18 + 3)}
    assert np.isfinite(rows).all()


def test_far_values_are_clipped(imu: Array, normalisation: Normalisation) -> None:
    imu[0, 0] = [1e30, -1e30, 1e6, -1e6, 0, 0]
    assert channels(features(imu, normalisation))[0, 0, :4].tolist() == [LIMIT, -LIMIT, LIMIT, -LIMIT]


def test_one_row_equals_that_row_of_many(imu: Array, normalisation: Normalisation) -> None:
    imu[::3, 2] = np.nan
    rows = np.concatenate([features(row[None], normalisation) for row in imu])
    np.testing.assert_array_equal(rows, features(imu, normalisation))


def test_statistics_leave_missing_values_out(imu: Array) -> None:
    imu[::4, 1] = np.nan
    imu[::5, 2, 3] = np.inf
    fitted = fit_normalisation([imu[:20], imu[20:]])
    known = np.where(np.isfinite(imu), imu, np.nan)
    np.testing.assert_allclose(fitted.mean, np.nanmean(known, axis=0))
    np.testing.assert_allclose(fitted.std, np.nanstd(known, axis=0))


def test_channel_that_never_changes_is_left_as_it_is(imu: Array) -> None:
    imu[:, 1] = 5.0
    fitted = fit_normalisation([imu])
    assert (fitted.mean[1] == 0).all()
    assert (fitted.std[1] == 1).all()
    assert fitted.used.all()


def test_channel_that_was_never_there_is_masked_for_ever(imu: Array) -> None:
    whole = imu.copy()
    imu[:, 0, 3:] = np.nan
    fitted = fit_normalisation([imu])
    assert not fitted.used[0, 3:].any()
    assert fitted.used.sum() == imu[0].size - 3
    np.testing.assert_array_equal(features(whole, fitted), features(imu, fitted))
    assert np.isfinite(features(whole, fitted)).all()


def test_every_mount_is_turned_by_its_own_rotation(imu: Array) -> None:
    rotations = Rotation.random(SENSORS, random_state=0)
    turned = turn_mounts(imu, mount_rotations(rotations.as_quat().ravel().tolist(), SENSORS))
    for sensor, rotation in enumerate(rotations):
        np.testing.assert_allclose(turned[:, sensor, :3], rotation.apply(imu[:, sensor, :3]))
        np.testing.assert_allclose(turned[:, sensor, 3:], rotation.apply(imu[:, sensor, 3:]))


def test_one_quaternion_serves_all_sensors(imu: Array) -> None:
    matrices = mount_rotations([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)], SENSORS)  # x of the IMU is y of the rig
    np.testing.assert_allclose(turn_mounts(imu, matrices)[..., 1], imu[..., 0])


def test_live_row_and_recording_are_turned_alike(imu: Array) -> None:
    matrices = mount_rotations(Rotation.random(SENSORS, random_state=1).as_quat().ravel().tolist(), SENSORS)
    np.testing.assert_allclose(turn_mounts(imu[3], matrices), turn_mounts(imu, matrices)[3])


def test_masked_part_stays_masked_and_alone(imu: Array) -> None:
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
def test_bad_rotations_are_refused(quaternions: list[float], parts: list[str]) -> None:
    with refusal(*parts):
        mount_rotations(quaternions, SENSORS)
