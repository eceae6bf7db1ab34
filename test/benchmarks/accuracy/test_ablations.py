"""Ablations change one thing, and what they do to recordings is causal, live and without labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory

from benchmarks.accuracy import ablations as ablation
from benchmarks.accuracy.ablations import ABLATIONS, REFERENCE, Variant, varied
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.masked_imu_features import feature_blocks
from imu_emg_estimator.training.pretraining import TrainingSettings, model_config

TRANSFORMS = [variant.transform for variant in ABLATIONS.values() if variant.transform]


@pytest.fixture(scope="module")
def recording(make_recording: RecordingFactory) -> Recording:
    return make_recording([("standing", 4.0), ("walking", 12.0)])


@pytest.mark.parametrize("name", ABLATIONS)
def test_variants_are_distinct_valid_recipes(name: str, recording: Recording) -> None:
    variant = ABLATIONS[name]
    recipe, shape = varied(TrainingSettings(), variant, seed=3), model_config(recording.rig, **variant.shape)
    assert ModelConfig.from_dict(shape.to_dict()) == shape
    plain = (TrainingSettings(seed=3), model_config(recording.rig))
    changed = (
        (recipe, shape) != plain
        or variant.transform
        or variant.masked
        or not variant.episodic
        or variant.gyroscopes is not None
        or variant.hidden
    )
    assert bool(changed) != (name == REFERENCE)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_variants_are_causal(transform: ablation.Transform, recording: Recording) -> None:
    cut = 10 * round(recording.rig.rate)
    whole, part = transform(recording).imu, transform(recording.slice(0, cut)).imu
    np.testing.assert_allclose(whole[: cut - 1], part[: cut - 1], atol=1e-4)


def test_rates_from_acceleration_equal_those_of_turning_sensor(recording: Recording) -> None:
    """A sensor turns about its y axis at 0.5 rad/s: gravity turns the other way in its frame."""
    time = np.arange(len(recording)) / recording.rig.rate
    imu = np.full_like(recording.imu, np.nan)
    imu[..., 0] = (-9.81 * np.sin(0.5 * time))[:, None]
    imu[..., 1] = 0.0
    imu[..., 2] = (9.81 * np.cos(0.5 * time))[:, None]
    rates = ablation.rates_from_acceleration(replace(recording, imu=imu)).imu[60:-5, 0, 3:]
    np.testing.assert_allclose(rates, np.broadcast_to([0.0, 0.5, 0.0], rates.shape), atol=0.02)


def test_rates_from_acceleration_keep_known_rates(recording: Recording) -> None:
    np.testing.assert_array_equal(ablation.rates_from_acceleration(recording).imu, recording.imu)


def test_gravity_alignment_puts_gravity_on_one_axis(recording: Recording) -> None:
    """However the sensors are tilted, gravity comes out on one axis."""
    tilted = recording.imu.copy()
    tilted[..., 1] += 3.0
    for imu in (recording.imu, tilted):
        aligned = ablation.gravity_aligned(replace(recording, imu=imu)).imu[60:200, :, :3].mean(axis=0)
        along = np.abs(aligned).max(axis=-1)
        assert (along > 0.98 * np.linalg.norm(aligned, axis=-1)).all()


def test_running_normalisation_ignores_units(recording: Recording) -> None:
    one, other = (
        ablation.running_normalisation(replace(recording, imu=scale * recording.imu)).imu[300:] for scale in (3.0, 6.0)
    )
    lively = np.nanstd(recording.imu, axis=0) > 1.0
    np.testing.assert_allclose(one[:, lively], other[:, lively], rtol=0.05, atol=0.05)


def test_masked_variant_hides_named_inputs_only(recording: Recording) -> None:
    config = model_config(recording.rig)
    network = ablation.Blind(("magnitudes", "changes"), config).eval()
    rows = torch.randn(1, 40, config.inputs)
    seen = network(rows)[0]
    for name, columns in feature_blocks(config.inputs).items():
        changed = rows.clone()
        changed[..., columns] += 1.0
        assert torch.equal(network(changed)[0], seen) == (name in network.hidden)


def test_masked_variant_names_existing_inputs() -> None:
    hidden = {name for variant in ABLATIONS.values() for name in variant.hidden}
    assert hidden
    assert hidden < set(feature_blocks(72))


def test_variant_changes_named_settings_only() -> None:
    variant = Variant("loss", "test", training={"huber": 2.0}, augmentation={"noise": 0.1})
    recipe = varied(TrainingSettings(steps=7), variant, seed=1)
    expected = TrainingSettings(steps=7, huber=2.0, seed=1)
    assert recipe == replace(expected, augmentation=replace(expected.augmentation, noise=0.1))
