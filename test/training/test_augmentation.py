"""Variations keep what a subject's body and mounts keep: legs, lengths, and which samples are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.augmentation import AugmentationSettings, augment

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
NONE = AugmentationSettings(mirror=0, mount_rotation=0, gain=0, sensor_dropout=0, gyroscope_dropout=0)
SEQUENCES, SAMPLES, SENSORS, MUSCLES = 40, 20, 6, 2


@pytest.fixture
def batch() -> Batch:
    generator = np.random.default_rng(0)
    imu = generator.standard_normal((SEQUENCES, SAMPLES, SENSORS, 6)).astype(np.float32)
    target, weight = generator.random((2, SEQUENCES, SAMPLES, MUSCLES)).astype(np.float32)
    return imu, target, weight


def varied(batch: Batch, rig: Rig, seed: int = 0, **settings: float) -> Batch:
    return augment(*batch, rig, replace(NONE, **settings), np.random.default_rng(seed))


def assert_same(a: Batch, b: Batch) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def test_augment_changes_nothing_with_all_off(batch: Batch, rig: Rig) -> None:
    assert_same(varied(batch, rig), batch)


def test_augment_keeps_given_arrays(batch: Batch, rig: Rig) -> None:
    before = tuple(part.copy() for part in batch)
    result = augment(*batch, rig, AugmentationSettings(), np.random.default_rng(0))
    assert_same(batch, before)
    assert [part.dtype for part in result] == [np.float32] * 3
    assert [part.shape for part in result] == [part.shape for part in batch]


def test_mirror_twice_is_identity(batch: Batch, rig: Rig) -> None:
    once = varied(batch, rig, mirror=1)
    assert not np.array_equal(once[0], batch[0])
    assert_same(varied(once, rig, mirror=1), batch)


def test_mirror_exchanges_imu_and_emg_of_legs(batch: Batch, rig: Rig) -> None:
    mirrored = varied(batch, rig, mirror=1)
    signs = [1, -1, 1, -1, 1, -1]  # the lateral axis is y
    for sensor, twin in (("right_foot", "left_foot"), ("left_thigh", "right_thigh")):
        here, there = rig.sensor_names.index(sensor), rig.sensor_names.index(twin)
        np.testing.assert_array_equal(mirrored[0][:, :, here], batch[0][:, :, there] * signs)
    for before, after in zip(batch[1:], mirrored[1:], strict=True):
        np.testing.assert_array_equal(after, before[:, :, ::-1])


def test_mirror_gives_plausible_subject(make_recording: RecordingFactory, rig: Rig) -> None:
    """The synthetic legs are mirror images, half a stride apart: mirrored, each follows the other's path."""
    recording: Recording = make_recording([("walking", 20.0)])
    batch = (recording.imu[None], recording.envelope[None], np.ones((1, len(recording), 2)))
    mirrored = varied(batch, rig, mirror=1)
    for part, original in zip(mirrored[:2], (recording.imu, recording.envelope), strict=True):
        np.testing.assert_allclose(part[0].mean(axis=0), original.mean(axis=0), rtol=0.05, atol=0.2)
        np.testing.assert_allclose(part[0].std(axis=0), original.std(axis=0), rtol=0.05)
    np.testing.assert_array_equal(mirrored[1][0, :, 0], recording.envelope[:, 1])


def test_mirror_applies_to_half_of_whole_sequences(batch: Batch, rig: Rig) -> None:
    mirrored, half = varied(batch, rig, mirror=1), varied(batch, rig, mirror=0.5)
    chosen = [np.array_equal(half[0][i], mirrored[0][i]) for i in range(SEQUENCES)]
    assert 10 < sum(chosen) < 30
    for part, yes, no in zip(half, mirrored, batch, strict=True):
        np.testing.assert_array_equal(part, np.where(np.reshape(chosen, (-1, *[1] * (part.ndim - 1))), yes, no))


def test_mirror_skips_rig_without_twins(batch: Batch, rig: Rig) -> None:
    lopsided = replace(rig, sensors=rig.sensors[:3])
    batch = (batch[0][:, :, :3], *batch[1:])
    assert_same(varied(batch, lopsided, mirror=1), batch)


def test_mount_rotation_keeps_lengths_and_angles(batch: Batch, rig: Rig) -> None:
    imu, *others = varied(batch, rig, mount_rotation=20)
    acceleration, rate = imu[..., :3], imu[..., 3:]
    assert np.abs(imu - batch[0]).max() > 0.1
    np.testing.assert_allclose(
        np.linalg.norm(acceleration, axis=3), np.linalg.norm(batch[0][..., :3], axis=3), rtol=1e-5
    )
    # One rotation for both parts of a sensor: the angle between them stays.
    before = (batch[0][..., :3] * batch[0][..., 3:]).sum(axis=3)
    np.testing.assert_allclose((acceleration * rate).sum(axis=3), before, atol=1e-4)
    assert_same((batch[0], *others), batch)


def test_mount_rotation_is_constant_per_sequence_and_sensor(rig: Rig) -> None:
    imu = np.tile(np.float32([0, 0, 9.81, 0, 0, 1]), (SEQUENCES, SAMPLES, SENSORS, 1))
    turned, *_ = varied((imu, *np.zeros((2, SEQUENCES, SAMPLES, MUSCLES))), rig, mount_rotation=8)
    np.testing.assert_array_equal(turned, np.broadcast_to(turned[:, :1], turned.shape))
    assert len(np.unique(turned[:, 0, :, 0])) == SEQUENCES * SENSORS
    tilt = np.rad2deg(np.arccos(turned[:, 0, :, 2] / 9.81))
    assert np.sqrt((tilt**2).mean()) == pytest.approx(8 * np.sqrt(2), rel=0.15)  # about two of the three axes


def test_gain_is_constant_per_sequence_and_sensor(batch: Batch, rig: Rig) -> None:
    gain = varied(batch, rig, gain=0.05)[0] / batch[0]
    np.testing.assert_allclose(gain, np.broadcast_to(gain[:, :1, :, :1], gain.shape), rtol=1e-5)
    assert gain[:, 0, :, 0].std() == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_sensor_dropout_masks_whole_sensors(batch: Batch, rig: Rig, share: float) -> None:
    gone = np.isnan(varied(batch, rig, sensor_dropout=share)[0])
    np.testing.assert_array_equal(gone, np.broadcast_to(gone[:, :1, :, :1], gone.shape))
    assert gone.mean() == pytest.approx(share, abs=0.05)
    by_sequence = gone[:, 0, :, 0]
    assert (by_sequence.any(axis=1) != by_sequence.all(axis=1)).any() == (share == 0.1)  # each on its own


def test_gyroscope_dropout_keeps_accelerometers(batch: Batch, rig: Rig) -> None:
    gone = np.isnan(varied(batch, rig, gyroscope_dropout=0.3)[0])
    assert not gone[..., :3].any()
    np.testing.assert_array_equal(gone[..., 3:], np.broadcast_to(gone[:, :1, :, 3:4], gone[..., 3:].shape))
    by_sequence = gone[:, 0, :, 3]
    assert by_sequence.all(axis=1).mean() > 0.2  # a subject without any gyroscope
    assert (by_sequence.any(axis=1) & ~by_sequence.all(axis=1)).mean() > 0.3  # or without some


def test_augment_keeps_missing_samples_missing(batch: Batch, rig: Rig) -> None:
    batch[0][:, :5] = np.nan
    result = augment(*batch, rig, replace(AugmentationSettings(), sensor_dropout=0), np.random.default_rng(0))
    assert np.isnan(result[0][:, :5]).all()
    assert np.isfinite(result[0][:, 5:, :, :3]).all()


def test_augment_follows_seed(batch: Batch, rig: Rig) -> None:
    one, same, other = (augment(*batch, rig, AugmentationSettings(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert_same(one, same)
    assert not np.array_equal(one[0], other[0], equal_nan=True)


def test_tempo_moves_imu_and_emg_together(rig: Rig) -> None:
    """A ramp in every channel: replayed at another tempo it stays a ramp of another slope about the same middle."""
    ramp = np.arange(SAMPLES, dtype=np.float32)[None, :, None, None]
    imu = np.broadcast_to(ramp, (SEQUENCES, SAMPLES, SENSORS, 6))
    target = np.broadcast_to(ramp[:, :, 0], (SEQUENCES, SAMPLES, MUSCLES))
    after, moved, weight = varied((imu, target, np.ones_like(target)), rig, tempo=0.2)
    known = weight > 0
    np.testing.assert_array_equal(after[..., 0, 0][known[..., 0]], moved[..., 0][known[..., 0]])
    parts = zip(moved[..., 0], known[..., 0], strict=True)
    slopes = np.array([np.polyfit(np.flatnonzero(chosen), values[chosen], 1)[0] for values, chosen in parts])
    assert 0.1 < np.std(np.log(slopes)) < 0.3
    rates = np.nanmax(after[..., 0, 3], axis=1) / np.nanmax(after[..., 0, 0], axis=1)
    np.testing.assert_allclose(rates, slopes, rtol=0.1)  # turning faster, at the tempo
    assert not np.isfinite(after[~known[..., 0]]).any()


def test_noise_has_requested_deviation(batch: Batch, rig: Rig) -> None:
    noisy = varied(batch, rig, noise=0.5)
    assert np.std(noisy[0] - batch[0]) == pytest.approx(0.5, rel=0.05)
    assert_same(noisy[1:], batch[1:])
