"""A student learns what its teacher estimates, even where no EMG was measured, and is of its own size."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import weights_of
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.model.offline_estimate import estimate_recording, estimator_of
from imu_emg_estimator.model.subject_data import prepare
from imu_emg_estimator.recording import UNLABELLED
from imu_emg_estimator.training.augmentation import AugmentationSettings
from imu_emg_estimator.training.distillation import cut_down, distil, student_config
from imu_emg_estimator.training.pretraining import TrainingSettings

SETTINGS = TrainingSettings(
    steps=100, batch=8, sequence=64, learning_rate=1e-2, averaging=0.97, augmentation=AugmentationSettings(mirror=0.0)
)
FULL = ModelConfig(inputs=72, muscles=2, dilation=4, kernel=17, dropout=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("labelled", [True, False])
def test_distil_learns_estimate_of_teacher_without_emg(
    trained_bundle: Bundle, make_recording: RecordingFactory, labelled: bool
) -> None:
    schedule = [("standing", 3.0), ("walking", 15.0)]
    recordings = [make_recording(schedule, subject=str(seed), seed=seed) for seed in (1, 2)]
    if not labelled:
        recordings = [replace(own, condition=np.full_like(own.condition, UNLABELLED)) for own in recordings]
    untrusted = [prepare([replace(recording, muscle_weight=np.zeros(2))]) for recording in recordings]
    teacher = estimator_of(trained_bundle)
    with torch.no_grad():
        teacher.network.head.weight.mul_(2), teacher.network.head.bias.mul_(2)
    before = weights_of(teacher.network)
    config = replace(trained_bundle.config, width=8, layers=1, feedforward=8, dropout=0.0)
    student = distil(teacher, untrusted, trained_bundle.rig, config, SETTINGS)
    recording = make_recording(schedule, seed=11)
    taught, learned = (
        np.nan_to_num(estimate_recording(own.network, own.normalisation, recording.imu)[0])
        for own in (teacher, student)
    )
    for muscle in range(2):
        assert np.corrcoef(taught[:, muscle], learned[:, muscle])[0, 1] > 0.95
        assert np.polyfit(taught[:, muscle], learned[:, muscle], 1)[0] == pytest.approx(1.0, abs=0.15)
    assert student.network.config == config
    for name, value in weights_of(teacher.network).items():
        np.testing.assert_array_equal(value, before[name])


def test_student_has_a_quarter_of_the_weights_and_one_layer() -> None:
    def count(config: ModelConfig) -> int:
        return sum(map(prod, weight_shapes(config).values()))

    found = student_config(FULL)
    assert (found.layers, found.look_ahead, found.dilation) == (1, FULL.look_ahead, FULL.dilation)
    assert 0.24 * count(FULL) < count(found) <= 0.25 * count(FULL)
    assert found.width == FULL.width
    two = student_config(FULL, layers=2)
    assert 0.22 * count(FULL) < count(two) <= 0.25 * count(FULL)
    assert two.width < FULL.width
    assert student_config(FULL, 16, 2).layers == 2
    with refusal("width 64 and 9 layers", "no smaller"):
        student_config(FULL, 64, 9)


def test_student_starts_with_the_units_of_its_teacher_that_count(make_bundle: BundleFactory) -> None:
    """Units without weights and samples that the front end ignores can go without any change of the estimate."""
    bundle = make_bundle(layers=2, kernel=5, feedforward=12)
    teacher = estimator_of(bundle).network
    with torch.no_grad():
        teacher.front_end.convolution.weight[:, :, :2] = 0
        for weights in teacher.layers[1].state_dict().values():
            weights.zero_()
        feedforward = teacher.layers[0].feedforward
        feedforward.output.weight[:, ::2] = 0
        config = replace(bundle.config, layers=1, kernel=3, feedforward=6)
        inputs = torch.randn(1, 40, config.inputs)
        torch.testing.assert_close(cut_down(teacher, config).eval()(inputs), teacher(inputs))
    narrow = cut_down(teacher, replace(config, width=4))
    assert narrow.config.width == 4
