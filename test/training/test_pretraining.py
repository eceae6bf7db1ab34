"""Pre-training learns what the IMUs show of the EMG, from trusted EMG alone, and says what it learned from."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.subject_data import by_subject, delayed, population_reference, prepare, reference_amplitude
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.evaluation import score_recordings
from imu_emg_estimator.training.pretraining import (
    LOOK_AHEAD_S,
    TOKEN_PERIOD_S,
    TrainingSettings,
    cut_sequence,
    model_config,
)
from imu_emg_estimator.training.recipe import train_bundle

MAX_TARGET = 3.0

SHORT = TrainingSettings(steps=3, batch=2, sequence=32)
TINY: dict[str, Any] = {"width": 8, "layers": 1, "heads": 1, "band": 8, "kernel": 3, "feedforward": 8}


def train(recordings: list[Recording], settings: TrainingSettings = SHORT) -> Bundle:
    return train_bundle(recordings, "short", "synthetic", settings, overrides=TINY)


def with_envelope(recording: Recording, muscle: int, values: Any) -> Recording:
    envelope = recording.envelope.copy()
    envelope[:, muscle] = values
    return replace(recording, envelope=envelope)


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [
        make_recording([("standing", 2.0), ("walking", 4.0)], subject=str(seed), seed=seed, amplitude=30.0 * seed)
        for seed in (1, 2, 3)
    ]


@pytest.mark.parametrize("seed", [11, 12])
def test_pretrain_estimates_unseen_subjects(
    trained_bundle: Bundle, make_recording: RecordingFactory, seed: int
) -> None:
    recording = make_recording([("walking", 20.0), ("running", 10.0)], seed=seed)
    scores = score_recordings(trained_bundle, [recording])
    for condition in ("all", "walking", "running"):
        for figures in scores[condition].values():
            assert figures.r > 0.98
            assert figures.r2 > 0.9


def test_pretrained_network_tolerates_missing_sensor(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 20.0)], seed=11)
    imu = recording.imu.copy()
    imu[:, 1], imu[:, :, 3:] = np.nan, np.nan
    for figures in score_recordings(trained_bundle, [replace(recording, imu=imu)])["walking"].values():
        assert figures.r > 0.8


def test_pretrain_records_training_data_in_bundle(bundle_of_three: Bundle) -> None:
    assert bundle_of_three.training["dataset"] == "synthetic"
    assert bundle_of_three.training["subjects"] == ["1", "2", "3"]
    assert bundle_of_three.training["settings"]["steps"] == 120
    assert bundle_of_three.reference.unit == "count"
    assert bundle_of_three.calibration is None


def test_pretrain_uses_unlabelled_recordings(subjects: list[Recording]) -> None:
    """Their IMUs must be normalised all the same."""
    plain = [replace(recording, condition=np.full(len(recording), UNLABELLED)) for recording in subjects]
    normalisation = train(plain).normalisation
    assert (normalisation.std > 0.05).all()
    assert (normalisation.std != 1.0).all()
    assert normalisation.mean[:, 2] == pytest.approx(np.full(6, 9.81), abs=1.0)


def test_pretrain_follows_seed(subjects: list[Recording]) -> None:
    assert train(subjects).content_hash == train(subjects).content_hash
    assert train(subjects).content_hash != train(subjects, replace(SHORT, seed=1)).content_hash


def test_pretrain_ignores_untrusted_channel(subjects: list[Recording]) -> None:
    doubted = replace(subjects[1], muscle_weight=np.array([1.0, 0.0]))
    bundles = [train([subjects[0], with_envelope(doubted, 1, values), subjects[2]]) for values in (0.0, 1e6, np.nan)]
    assert len({bundle.content_hash for bundle in bundles}) == 1


def test_pretrain_ignores_unknown_samples(subjects: list[Recording]) -> None:
    recording = with_envelope(subjects[0], 0, np.where(np.arange(len(subjects[0])) < 200, np.nan, 5.0))
    assert all(np.isfinite(weight).all() for weight in train([recording, subjects[1]]).weights.values())


def test_pretrain_leaves_out_subject_without_trusted_emg(subjects: list[Recording]) -> None:
    untrusted = replace(subjects[2], muscle_weight=np.zeros(2))
    assert train([*subjects[:2], untrusted]).training["subjects"] == ["1", "2"]
    with refusal("1 recordings", "EMG"):
        train([untrusted])
    with refusal("0 recordings"):
        train([])


def test_pretrain_names_muscle_without_trusted_emg(subjects: list[Recording]) -> None:
    with refusal("vastus_lateralis_left"):
        train([with_envelope(recording, 1, np.nan) for recording in subjects])


def test_pretrain_uses_recording_shorter_than_sequence(subjects: list[Recording]) -> None:
    short = [recording.slice(100, 120) for recording in subjects]
    assert all(np.isfinite(weight).all() for weight in train(short).weights.values())


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_pretrain_reports_progress_at_every_step(subjects: list[Recording], steps: int) -> None:
    reported: list[tuple[int, int]] = []

    def progress(done: int, total: int, loss: float) -> None:
        reported.append((done, total))
        assert np.isfinite(loss)

    train_bundle(subjects, "a", "synthetic", replace(SHORT, steps=steps), overrides=TINY, progress=progress)
    assert [(done, total) for done, total in reported if done] == [(step + 1, steps) for step in range(steps)]


# the target


def test_reference_is_percentile_in_locomotion(subjects: list[Recording]) -> None:
    moving, still = subjects[0].slice(118, 352), subjects[0].slice(0, 118)
    loud = with_envelope(still, 0, 1e4)  # not in locomotion: does not count
    expected = np.percentile(moving.envelope, 95, axis=0)
    np.testing.assert_allclose(reference_amplitude([loud, moving]), expected)
    assert np.isnan(reference_amplitude([replace(moving, muscle_weight=np.array([0.0, 1.0]))])).tolist() == [
        True,
        False,
    ]
    assert np.isnan(reference_amplitude([with_envelope(moving, 1, np.nan)])).tolist() == [False, True]
    assert np.isnan(reference_amplitude([with_envelope(moving, 1, 0.0)])).tolist() == [False, True]


def test_reference_without_locomotion_is_percentile_of_all(subjects: list[Recording]) -> None:
    plain = replace(subjects[0], condition=np.full(len(subjects[0]), UNLABELLED))
    np.testing.assert_allclose(reference_amplitude([plain]), np.percentile(plain.envelope, 95, axis=0))


def test_population_reference_minimises_relative_distance() -> None:
    references = np.array([[10.0, 20.0], [40.0, np.nan], [50.0, 20.0]])
    found = population_reference(references)
    amplitudes = np.linspace(5, 60, 5501)[:, None]
    error = ((amplitudes - references[:, 0]) ** 2 / references[:, 0] ** 2).mean(axis=1)
    assert found[0] == pytest.approx(amplitudes[error.argmin(), 0], abs=0.01)
    assert found[1] == pytest.approx(20.0)


def test_population_reference_is_shared_by_twin_muscles(rig: Rig) -> None:
    references = np.array([[10.0, 20.0], [40.0, np.nan]])
    right, left = population_reference(references, rig)
    np.testing.assert_allclose([right, left], population_reference(np.array([[10.0], [40.0], [20.0]]))[0])


def test_subject_data_has_activation_as_target(subjects: list[Recording]) -> None:
    first, second = subjects[0].slice(0, 100), subjects[0].slice(100, 300)
    first = with_envelope(first, 0, np.r_[np.full(50, np.nan), np.full(50, 1e6)])
    second = replace(second, muscle_weight=np.array([0.5, 0.0]))
    subject = prepare([first, second], np.array([30.0, 15.0]))
    assert subject.starts.tolist() == [0, 100, 300]
    np.testing.assert_allclose(subject.target[100:], np.minimum(second.envelope / [30.0, 15.0], 3.0), rtol=1e-6)
    assert subject.target[:100, 0].tolist() == [0.0] * 50 + [MAX_TARGET] * 50
    assert subject.weight[:, 0].tolist() == [0.0] * 50 + [1.0] * 50 + [0.5] * 200
    assert subject.weight[:, 1].tolist() == [1.0] * 100 + [0.0] * 200


def test_subject_data_keeps_order_of_recordings(subjects: list[Recording]) -> None:
    parts = [subjects[1].slice(0, 50), subjects[0], subjects[1].slice(50, 100)]
    assert by_subject(parts) == {"2": [parts[0], parts[2]], "1": [parts[1]]}


def test_delayed_pads_front_with_zeros() -> None:
    values = np.arange(1.0, 5.0)[:, None]
    assert delayed(values, 0).ravel().tolist() == [1, 2, 3, 4]
    assert delayed(values, 3).ravel().tolist() == [0, 0, 0, 1]


def test_sequence_ends_with_recording(subjects: list[Recording]) -> None:
    """Beyond, samples are missing and nothing is asked; targets lag by the look-ahead."""
    subject = prepare([subjects[0].slice(0, 100), subjects[0].slice(100, 300)])
    imu, target, weight = cut_sequence(subject, 90, length=32, look_ahead=3)
    np.testing.assert_array_equal(imu[:10], subject.imu[90:100])
    assert np.isnan(imu[10:]).all()
    np.testing.assert_array_equal(target[3:13], subject.target[90:100])
    assert weight[:, 0].tolist() == [0.0] * 3 + [1.0] * 10 + [0.0] * 19


# the loss


def test_loss_equals_weighted_formula(bundle: Bundle) -> None:
    torch.manual_seed(0)
    model = network_of(bundle)
    inputs, target = torch.randn(2, 30, bundle.config.inputs), torch.rand(2, 30, 2)
    weight = (torch.rand(2, 30, 2) > 0.3).float()
    mean, log_deviation = model(inputs)
    error, deviation = target - mean, log_deviation.clamp(-5, 2).exp()
    huber = torch.where(error.abs() < 0.5, error**2, 2 * 0.5 * error.abs() - 0.25)
    expected = huber / (2 * 0.5**2) + 0.1 * (0.5 * (error / deviation) ** 2 + deviation.log())
    loss = activation_loss(model, inputs, target, weight, 0.5)
    torch.testing.assert_close(loss, (expected * weight).sum() / weight.sum())
    poisoned = torch.where(weight > 0, target, torch.tensor(1e6))
    torch.testing.assert_close(loss, activation_loss(model, inputs, poisoned, weight, 0.5))


def test_loss_of_deviation_has_no_gradient_on_estimate(bundle: Bundle) -> None:
    torch.manual_seed(0)
    inputs, target, weight = torch.randn(2, 30, bundle.config.inputs), torch.rand(2, 30, 2), torch.ones(2, 30, 2)
    model, alone = network_of(bundle), network_of(bundle)
    activation_loss(model, inputs, target, weight, 0.5).backward()
    (torch.nn.functional.smooth_l1_loss(alone(inputs)[0], target, beta=0.5) / 0.5).backward()
    for gradient, expected in zip(
        (model.head.weight.grad, model.front_end.convolution.weight.grad),
        (alone.head.weight.grad, alone.front_end.convolution.weight.grad),
        strict=True,
    ):
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("correlation_share", [0.0, 0.2])
def test_activation_loss_is_lowest_at_truth(bundle: Bundle, correlation_share: float) -> None:
    model = network_of(bundle)
    inputs = torch.randn(2, 40, bundle.config.inputs)
    with torch.no_grad():
        truth = model(inputs)[0]
        weight = torch.ones_like(truth)
        right, wrong = (
            activation_loss(model, inputs, y, weight, 0.5, correlation_share=correlation_share)
            for y in (truth, truth.flip(1))
        )
    assert float(right) < float(wrong)


def test_activation_loss_correlation_ignores_scale(bundle: Bundle) -> None:
    model = network_of(bundle)
    inputs = torch.randn(2, 40, bundle.config.inputs)
    with torch.no_grad():
        mean = model(inputs)[0]
        scaled, weight = 2 * mean + 1, torch.ones_like(mean)
        losses = [activation_loss(model, inputs, scaled, weight, 0.5, correlation_share=share) for share in (0.0, 0.2)]
    assert float(losses[1] - losses[0]) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("rate", [58.8, 100.0, 200.0, 400.0])
def test_network_shape_has_same_durations_at_any_rate(rig: Rig, rate: float) -> None:
    config = model_config(replace(rig, rate=rate))
    assert config.look_ahead / rate == pytest.approx(LOOK_AHEAD_S, abs=0.5 / rate)
    assert config.context / rate == pytest.approx(config.band * TOKEN_PERIOD_S, abs=0.5 * config.band / rate)
    assert config.kernel > config.dilation  # no sample falls between the tokens of a sequence
    assert model_config(rig, kernel=5).kernel == 5
