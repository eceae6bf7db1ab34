"""The meta-learning stage makes a network that a few seconds adapt better, and keeps it good without them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.calibration.adaptation import adapt_estimator
from imu_emg_estimator.calibration.closed_form import CORRELATED_SAMPLES, Moments
from imu_emg_estimator.model.activation_loss import estimate_loss, mean_loss
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import SubjectData, prepare
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import feature_blocks
from imu_emg_estimator.training.augmentation import AugmentationSettings
from imu_emg_estimator.training.episodic_training import (
    EpisodeSampler,
    EpisodeSettings,
    _shifted,
    pretrain_in_episodes,
    ridge_heads,
    train_in_episodes,
)
from imu_emg_estimator.training.pretraining import TrainingSettings

RECIPE = TrainingSettings(steps=3, sequence=64)
SETTINGS = EpisodeSettings(episodes=1, support=2, query=2, training=RECIPE)


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[SubjectData]:
    schedule = [("standing", 3.0), ("walking", 20.0), ("running", 5.0)]
    return [prepare([make_recording(schedule, subject=str(seed), seed=seed)]) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def estimator(trained_bundle: Bundle) -> Estimator:
    return Estimator(network_of(trained_bundle), trained_bundle.normalisation, np.array([40.0, 40.0]))


def error(estimator: Estimator, subject: SubjectData) -> float:
    """Mean squared error of the estimate on a subject of the training."""
    estimate = estimate_recording(estimator.network, estimator.normalisation, subject.imu)[0]
    return float(np.nanmean((estimate - subject.target) ** 2))


@pytest.mark.slow
def test_train_in_episodes_improves_closed_form(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig, make_recording: RecordingFactory
) -> None:
    recipe = replace(RECIPE, steps=40, learning_rate=5e-3, averaging=0.9)
    settings = replace(SETTINGS, episodes=2, support=4, query=4, lag=4.0, unadapted_weight=1.0, training=recipe)
    taught = train_in_episodes(estimator, subjects, rig, settings)
    late = [
        make_recording([("walking", 30.0)], seed=20 + seed, emg_delay=delay) for seed, delay in enumerate((0.1, -0.1))
    ]
    before, after = (
        [
            error(
                adapt_estimator(network, [recording.slice(0, 600)], share=1.0, heads_only=True),
                prepare([recording.slice(660, 1700)]),
            )
            for recording in late
        ]
        for network in (estimator, taught)
    )
    assert np.mean(after) < 0.9 * np.mean(before)
    assert error(taught, subjects[0]) < error(estimator, subjects[0]) + 0.005


def test_train_in_episodes_keeps_given_network_and_follows_seed(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    before = {name: value.clone() for name, value in estimator.network.state_dict().items()}
    settings = SETTINGS
    one, same = (train_in_episodes(estimator, subjects, rig, settings).network.state_dict() for _ in range(2))
    other = train_in_episodes(
        estimator, subjects, rig, replace(settings, training=replace(RECIPE, seed=1))
    ).network.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in estimator.network.state_dict().items())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["front_end.convolution.weight"], other["front_end.convolution.weight"])
    assert not torch.equal(one["front_end.convolution.weight"], before["front_end.convolution.weight"])


def test_train_in_episodes_reports_every_step(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    reported: list[tuple[int, int]] = []
    train_in_episodes(estimator, subjects, rig, SETTINGS, lambda a, b, loss: reported.append((a, b)))
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_train_in_episodes_refuses_subjects_without_locomotion(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    still = [replace(subject, locomotion=np.zeros_like(subject.locomotion)) for subject in subjects]
    with refusal("locomotion"):
        train_in_episodes(estimator, still, rig, SETTINGS)


@pytest.mark.slow
def test_pretrain_in_episodes_learns_activation(subjects: list[SubjectData], rig: Rig, trained_bundle: Bundle) -> None:
    recipe = replace(RECIPE, steps=100, learning_rate=1e-2, averaging=0.97)
    network, normalisation = pretrain_in_episodes(
        subjects, rig, trained_bundle.config, replace(SETTINGS, support=3, query=3, training=recipe)
    )
    assert error(Estimator(network, normalisation, np.ones(2)), subjects[0]) < 0.02
    assert not network.training


# the parts


def sampler_of(estimator: Estimator, subjects: list[SubjectData], rig: Rig, **values: Any) -> EpisodeSampler:
    return EpisodeSampler(subjects, rig, estimator, replace(SETTINGS, **values))


def test_episode_has_one_side_and_one_mount_throughout(
    estimator: Estimator, subjects: list[SubjectData], rig: Rig
) -> None:
    """A subject does not change legs between the support and the query."""
    dropping = AugmentationSettings(sensor_dropout=0.5, mount_rotation=0.0, gain=0.0)
    sampler = sampler_of(estimator, subjects, rig, training=replace(RECIPE, augmentation=dropping), support=3, query=3)
    some_are_missing = False
    for _ in range(5):
        inputs = sampler.draw().inputs
        present = inputs[..., feature_blocks(inputs.shape[-1])["masks"]]
        gone = (present == 0).all(axis=1)  # [sequences, parts]
        assert (gone == gone[0]).all()
        some_are_missing |= bool(gone.any())
    assert some_are_missing


def test_episode_varies_emg_but_keeps_measured_one(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    episode = sampler_of(estimator, subjects, rig, lag=5.0, gain=0.5).draw()
    assert not np.array_equal(episode.target, episode.varied)
    plain = sampler_of(estimator, subjects, rig, lag=0.0, gain=0.0).draw()
    assert np.array_equal(plain.target, plain.varied)
    assert np.array_equal(plain.weight, plain.varied_weight)


@pytest.mark.parametrize(
    ("samples", "expected"), [(0, [1, 2, 3, 4]), (1, [0, 1, 2, 3]), (-2, [3, 4, 0, 0]), (9, [0] * 4)]
)
def test_shifted_moves_in_time(samples: int, expected: list[int]) -> None:
    values = np.arange(1.0, 5.0)[None, :, None]
    assert _shifted(values, samples).ravel().tolist() == expected


def test_ridge_heads_equal_closed_form() -> None:
    generator = np.random.default_rng(0)
    tokens = np.append(generator.standard_normal((60, 4)), np.ones((60, 1)), axis=1)
    target, weight, centre = generator.random((60, 2)), generator.random((60, 2)), generator.random((2, 5))
    heads = ridge_heads(
        *(torch.from_numpy(part) for part in (tokens, target, weight, centre)), 3.0 * CORRELATED_SAMPLES
    )
    for muscle in range(2):
        expected = Moments.of(tokens, target[:, muscle], weight[:, muscle]).ridge(centre[muscle], np.eye(5), 3.0)
        np.testing.assert_allclose(heads[muscle].numpy(), expected, rtol=1e-9)


def test_train_in_episodes_uses_loss_of_recipe(estimator: Estimator, subjects: list[SubjectData], rig: Rig) -> None:
    heads = [
        train_in_episodes(
            estimator,
            subjects,
            rig,
            replace(SETTINGS, unadapted_weight=0.0, training=replace(RECIPE, correlation_share=share)),
        ).network.head.weight
        for share in (0.0, 0.2)
    ]
    assert not torch.equal(*heads)


def test_mean_loss_is_estimate_loss_without_likelihood() -> None:
    torch.manual_seed(0)
    mean, target, weight = torch.rand(3, 40, 2), torch.rand(3, 40, 2), (torch.rand(3, 40, 2) > 0.3).float()
    certain = torch.zeros_like(mean)
    for share in (0.0, 0.2):
        likelihood = (0.5 * (target - mean) ** 2 * weight).sum() / weight.sum()
        whole = estimate_loss(mean, certain, target, weight, 0.5, share)
        torch.testing.assert_close(whole, mean_loss(mean, target, weight, 0.5, share) + 0.1 * likelihood)
