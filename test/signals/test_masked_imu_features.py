"""IMU samples as the network sees them: normalised, clipped, masked, measured; mounts turned into the rig's axes."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu_emg_estimator.signals.masked_imu_features import (
    Normalisation,
    RowFeatures,
    feature_blocks,
    feature_count,
    features,
    fit_normalisation,
)
from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts

LIMIT = 8.0

SENSORS = 3
Array = NDArray[np.float64]


@pytest.fixture
def imu() -> Array:
    return np.random.default_rng(0).normal(3.0, 2.0, (50, SENSORS, 6))


@pytest.fixture
def normalisation() -> Normalisation:
    generator = np.random.default_rng(1)
    return Normalisation(generator.standard_normal((SENSORS, 6)), generator.uniform(1.0, 3.0, (SENSORS, 6)))


def block(rows: NDArray[np.float32], name: str, width: int = 2) -> NDArray[np.float32]:
    """[samples, sensors, width]: of an accelerometer and a gyroscope, or of their axes."""
    return rows[:, feature_blocks(rows.shape[1])[name]].reshape(-1, SENSORS, width)


def channels(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return block(rows, "channels", 6)


def masks(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return block(rows, "masks")


def magnitudes(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return block(rows, "magnitudes")


def changes(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return block(rows, "changes")


def test_features_normalise_channels_and_mark_presence(imu: Array, normalisation: Normalisation) -> None:
    rows = features(imu, normalisation)
    assert rows.shape == (50, feature_count(SENSORS))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(channels(rows) * normalisation.std + normalisation.mean, imu, atol=1e-5)
    assert (masks(rows) == 1).all()


def test_features_hold_measured_magnitudes(imu: Array, normalisation: Normalisation) -> None:
    usual, scale = normalisation.of_lengths()
    measured = np.linalg.norm(imu.reshape(-1, SENSORS, 2, 3), axis=3)
    np.testing.assert_allclose(magnitudes(features(imu, normalisation)) * scale + usual, measured, atol=1e-5)


def test_features_hold_changes_since_last_sample(imu: Array, normalisation: Normalisation) -> None:
    imu[20, 1, 4] = np.nan
    rows = changes(features(imu, normalisation))
    steps = np.linalg.norm(np.diff(imu.reshape(-1, SENSORS, 2, 3), axis=0), axis=3)
    expected = np.concatenate([np.zeros((1, SENSORS, 2)), np.nan_to_num(steps)])
    np.testing.assert_allclose(rows * normalisation.of_lengths()[1], expected, atol=1e-5)
    assert (rows[20:22, 1, 1] == 0).all()


def test_fit_normalisation_standardises_magnitudes() -> None:
    still = np.array([0.0, 0.0, 9.8, 0.0, 0.0, 0.0])
    moving = still + np.random.default_rng(2).normal(0.0, 2.0, (2000, SENSORS, 6))
    rows = magnitudes(features(moving, fit_normalisation([moving])))
    assert np.abs(rows.mean(axis=0)).max() < 0.2
    assert ((rows.std(axis=0) > 0.6) & (rows.std(axis=0) < 1.1)).all()


@pytest.mark.parametrize("lengths", [magnitudes, changes])
def test_features_magnitudes_ignore_mounting(
    imu: Array, normalisation: Normalisation, lengths: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    matrices = mount_rotations(Rotation.random(SENSORS, random_state=2).as_quat().ravel().tolist(), SENSORS)
    as_worn, turned = features(imu, normalisation), features(turn_mounts(imu, matrices), normalisation)
    np.testing.assert_allclose(lengths(turned), lengths(as_worn), atol=1e-5)
    assert not np.allclose(channels(turned), channels(as_worn), atol=0.1)


def test_row_features_equal_features_bit_for_bit(imu: Array, normalisation: Normalisation) -> None:
    """Whatever is masked, and whatever was masked in the row before."""
    imu[10:20, 1, 4], imu[15:30, :, 0], imu[16, 2, 3], imu[40:45] = np.nan, np.inf, -np.inf, np.nan
    imu[30] *= 100  # clipped
    one = RowFeatures(normalisation)
    for dtype in (np.float64, np.float32):
        one.reset()
        whole = features(imu.astype(dtype), normalisation)
        rows, missing = zip(*((one.of(row).copy(), one.missing.copy()) for row in imu.astype(dtype)), strict=True)
        np.testing.assert_array_equal(np.array(rows).view(np.int32), whole.view(np.int32))
        np.testing.assert_array_equal(missing, ~(masks(whole) == 1).all(axis=2))


def test_row_features_copy_their_inputs(imu: Array, normalisation: Normalisation) -> None:
    expected = features(imu, normalisation)
    one = RowFeatures(Normalisation(normalisation.mean.copy(), normalisation.std.copy()))
    kept = imu.copy()
    rows = np.array([one.of(row).copy() for row in imu])
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(imu, kept)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_mask_only_part_of_missing_value(imu: Array, normalisation: Normalisation, value: float) -> None:
    whole = features(imu, normalisation)
    imu[7, 1, 4] = value  # y of a gyroscope
    rows = features(imu, normalisation)
    assert masks(rows)[7, 1].tolist() == [1, 0]
    assert channels(rows)[7, 1, 3:].tolist() == [0, 0, 0]
    assert magnitudes(rows)[7, 1, 1] == 0
    changed = rows != whole
    columns = (9, 10, 11, 18 + 3, 24 + 3, 30 + 3)  # the last is the change, which the next sample lacks as well
    assert set(zip(*np.nonzero(changed), strict=True)) <= {(8, 30 + 3)} | {(7, column) for column in columns}
    assert np.isfinite(rows).all()


def test_features_clip_outliers(imu: Array, normalisation: Normalisation) -> None:
    imu[0, 0] = [1e30, -1e30, 1e6, -1e6, 0, 0]
    rows = features(imu, normalisation)
    assert channels(rows)[0, 0, :4].tolist() == [LIMIT, -LIMIT, LIMIT, -LIMIT]
    assert magnitudes(rows)[0, 0, 0] == LIMIT


def test_features_of_one_row_lack_only_changes(imu: Array, normalisation: Normalisation) -> None:
    imu[::3, 2] = np.nan
    rows, together = np.concatenate([features(row[None], normalisation) for row in imu]), features(imu, normalisation)
    known = feature_blocks(rows.shape[1])["changes"].start
    np.testing.assert_array_equal(rows[:, :known], together[:, :known])
    assert (changes(rows) == 0).all()


def test_fit_normalisation_ignores_missing_values(imu: Array) -> None:
    imu[::4, 1] = np.nan
    imu[::5, 2, 3] = np.inf
    fitted = fit_normalisation([imu[:20], imu[20:]])
    known = np.where(np.isfinite(imu), imu, np.nan)
    np.testing.assert_allclose(fitted.mean, np.nanmean(known, axis=0))
    np.testing.assert_allclose(fitted.std, np.nanstd(known, axis=0))


def test_fit_normalisation_keeps_constant_channel(imu: Array) -> None:
    imu[:, 1] = 5.0
    fitted = fit_normalisation([imu])
    assert (fitted.mean[1] == 0).all()
    assert (fitted.std[1] == 1).all()
    assert fitted.used.all()


def test_fit_normalisation_masks_absent_channel(imu: Array) -> None:
    whole = imu.copy()
    imu[:, 0, 3:] = np.nan
    fitted = fit_normalisation([imu])
    assert not fitted.used[0, 3:].any()
    assert fitted.used.sum() == imu[0].size - 3
    np.testing.assert_array_equal(features(whole, fitted), features(imu, fitted))
    assert np.isfinite(features(whole, fitted)).all()
