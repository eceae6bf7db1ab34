"""Self-supervision hides IMU data and learns to estimate what was hidden, nothing else; training goes on from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from benchmarks.accuracy.masked_pretraining import MaskingSettings, hidden_stretches, masked_batches, pretrain_masked
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.subject_data import prepare
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.training.augmentation import AugmentationSettings
from imu_emg_estimator.training.episodic_training import EpisodeSettings, train_in_episodes
from imu_emg_estimator.training.pretraining import TrainingSettings

PLAIN = AugmentationSettings(mirror=0, mount_rotation=0, gain=0, sensor_dropout=0, gyroscope_dropout=0)
SHORT = TrainingSettings(steps=4, batch=2, sequence=32)
RATE = 50.0


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> list[FloatArray]:
    return [make_recording([("walking", 15.0)], seed=seed).imu for seed in (1, 2, 3)]


def test_hidden_stretches_follow_settings() -> None:
    masking = MaskingSettings(shortest=0.2, longest=0.4, share=0.2)
    hidden = hidden_stretches((40, 300, 6), masking, RATE, np.random.default_rng(0))
    assert 0.15 < hidden.mean() <= 0.2
    edges = np.diff(np.pad(hidden, ((0, 0), (1, 1), (0, 0))).astype(int), axis=1)
    lengths = [
        stop - start
        for column in edges.transpose(0, 2, 1).reshape(-1, 301)
        for start, stop in zip(np.flatnonzero(column == 1), np.flatnonzero(column == -1), strict=True)
    ]
    assert min(lengths) == 10
    assert np.median(lengths) <= 20  # overlaps make a few of them longer
    assert hidden.any(axis=(0, 1)).all()


def test_hidden_stretch_may_exceed_sequence() -> None:
    hidden = hidden_stretches((3, 8, 2), MaskingSettings(share=2.0), RATE, np.random.default_rng(0))
    assert hidden.any()


def test_targets_are_hidden_known_samples(bundle: Bundle, imu: list[FloatArray]) -> None:
    recording = imu[0][:32].copy()  # as long as the sequence: there is but one
    recording[:, 2, 3:] = np.nan
    settings = replace(SHORT, augmentation=PLAIN)
    inputs, target, weight = next(
        masked_batches([recording], bundle.rig, settings, MaskingSettings(), 0, bundle.normalisation)
    )
    whole = features(recording.astype(np.float32), bundle.normalisation)
    np.testing.assert_array_equal(target, [whole[:, :36]] * 2)
    hidden = weight > 0
    assert 0.05 < hidden.mean() < 0.4
    assert not hidden[:, :, 2 * 6 + 3 : 3 * 6].any()  # the gyroscope that was never there
    assert (inputs[..., :36][hidden] == 0).all()
    np.testing.assert_array_equal(inputs[..., :36][~hidden], target[~hidden])
    present = np.repeat(inputs[..., 36:48], 3, axis=2) > 0
    np.testing.assert_array_equal(present, ~hidden & (np.repeat(whole[:, 36:48], 3, axis=1) > 0))

    _, late, late_weight = next(
        masked_batches([recording], bundle.rig, settings, MaskingSettings(), 3, bundle.normalisation)
    )
    np.testing.assert_array_equal(late[:, 3:], target[:, :-3])
    np.testing.assert_array_equal(late_weight[:, 3:], weight[:, :-3])
    assert not late_weight[:, :3].any()


def test_masked_pretraining_accepts_short_and_empty_recordings(bundle: Bundle, imu: list[FloatArray]) -> None:
    recordings = [imu[0][:0], imu[1][:10]]
    inputs, _, weight = next(
        masked_batches(recordings, bundle.rig, SHORT, MaskingSettings(share=0.9), 0, bundle.normalisation)
    )
    assert inputs.shape == (2, 32, 72)
    assert not inputs[:, 10:].any()
    assert not weight[:, 10:].any()
    with refusal("2 recordings", "IMU"):
        pretrain_masked([imu[0][:0]] * 2, bundle.rig, bundle.config, SHORT, bundle.normalisation)


@pytest.mark.slow
def test_masked_pretraining_takes_half_of_steps(make_bundle: BundleFactory, imu: list[FloatArray]) -> None:
    bundle = make_bundle(dilation=2)
    reported: list[tuple[int, int, float]] = []
    settings = TrainingSettings(steps=160, batch=8, sequence=64, learning_rate=1e-2, augmentation=PLAIN)
    pretrain_masked(
        imu, bundle.rig, bundle.config, settings, bundle.normalisation, progress=lambda *values: reported.append(values)
    )
    assert [(done, total) for done, total, _ in reported] == [(step + 1, 80) for step in range(80)]
    losses = [loss for _, _, loss in reported]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_episodes_continue_from_masked_pretraining(
    bundle: Bundle, imu: list[FloatArray], make_recording: RecordingFactory
) -> None:
    network = pretrain_masked(imu, bundle.rig, bundle.config, SHORT, bundle.normalisation)
    again = pretrain_masked(imu, bundle.rig, bundle.config, SHORT, bundle.normalisation)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())
    subject = prepare([make_recording([("walking", 5.0)])])
    initial = Estimator(network, bundle.normalisation, np.ones(2))
    episodes = EpisodeSettings(episodes=1, support=2, query=2, training=SHORT)
    trained = train_in_episodes(initial, [subject], bundle.rig, episodes).network
    assert not trained.training
    assert trained.config == bundle.config
