"""A student learns what its teachers estimate, even where no EMG was measured, and is of its own size."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of, weights_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import prepare
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.training.augmentation import AugmentationSettings
from imu_emg_estimator.training.distillation import distil, mean_activation
from imu_emg_estimator.training.pretraining import TrainingSettings

SETTINGS = TrainingSettings(
    steps=100, batch=8, sequence=64, learning_rate=1e-2, averaging=0.97, augmentation=AugmentationSettings(mirror=0.0)
)
BRIEF = replace(SETTINGS, steps=12, batch=2, sequence=32)


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [
        make_recording([("standing", 3.0), ("walking", 15.0)], subject=str(seed), seed=seed, amplitude=40.0)
        for seed in (1, 2)
    ]


def estimator(bundle: Bundle, change: Callable[[torch.nn.Linear], object] | None = None) -> Estimator:
    network = network_of(bundle)
    if change:
        with torch.no_grad():
            change(network.head)
    return Estimator(network, bundle.normalisation, np.array(bundle.reference.amplitude))


@pytest.mark.slow
def test_distil_learns_mean_of_teachers_without_emg(
    trained_bundle: Bundle, subjects: list[Recording], make_recording: RecordingFactory
) -> None:
    def double(head: torch.nn.Linear) -> None:
        head.weight.mul_(2), head.bias.mul_(2)

    teachers = [estimator(trained_bundle), estimator(trained_bundle, double)]
    untrusted = [prepare([replace(recording, muscle_weight=np.zeros(2))]) for recording in subjects]
    config = replace(trained_bundle.config, width=8, layers=1, feedforward=8, dropout=0.0)
    before = weights_of(teachers[1].network)
    student, normalisation = distil(teachers, untrusted, trained_bundle.rig, config, SETTINGS, measured=0.1)

    recording = make_recording([("standing", 3.0), ("walking", 15.0)], seed=11)
    taught, learned = (
        np.nan_to_num(estimate_recording(network, normalisation, recording.imu)[0])
        for network in (teachers[0].network, student)
    )
    for muscle in range(2):
        assert np.corrcoef(taught[:, muscle], learned[:, muscle])[0, 1] > 0.95
        assert np.polyfit(taught[:, muscle], learned[:, muscle], 1)[0] == pytest.approx(1.5, abs=0.2)
    assert student.config == config
    for name, value in weights_of(teachers[1].network).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.slow
def test_distil_learns_deviation_from_measured_envelope(make_bundle: BundleFactory, subjects: list[Recording]) -> None:
    bundle = make_bundle()
    prepared = [prepare([recording]) for recording in subjects]

    def student_of(change: Callable[[torch.nn.Linear], object], measured: float) -> dict[str, np.ndarray]:
        return weights_of(
            distil([estimator(bundle, change)], prepared, bundle.rig, bundle.config, BRIEF, measured=measured)[0]
        )

    def quiet(head: torch.nn.Linear) -> None:
        head.weight.zero_(), head.bias.zero_()

    def loud(head: torch.nn.Linear) -> None:
        head.weight.zero_(), head.bias.fill_(5.0)

    alone, also = student_of(quiet, 1.0), student_of(loud, 1.0)
    assert all(np.array_equal(alone[name], also[name]) for name in alone)
    shared, other = student_of(quiet, 0.5), student_of(loud, 0.5)
    assert not np.array_equal(shared["head.bias"], other["head.bias"])


def test_teacher_activation_is_nonnegative(bundle: Bundle) -> None:
    inputs = torch.randn(2, 20, bundle.config.inputs)
    low = estimator(bundle, lambda head: head.bias.fill_(-100.0)).network
    high = estimator(bundle, lambda head: head.bias.fill_(100.0)).network
    np.testing.assert_allclose(
        mean_activation([low, high], inputs).numpy(), high(inputs)[0].detach().numpy() / 2, rtol=1e-6
    )


def test_distil_refuses_mismatched_teachers(make_bundle: BundleFactory, subjects: list[Recording]) -> None:
    bundle = make_bundle()
    prepared, good = [prepare(subjects[:1])], estimator(bundle)

    def refused(teachers: list[Estimator], measured: float = 0.5) -> None:
        distil(teachers, prepared, bundle.rig, bundle.config, BRIEF, measured=measured)

    with refusal("no teacher"):
        refused([])
    with refusal("teacher 2", "look_ahead 4", "the student 2"):
        refused([good, estimator(make_bundle(look_ahead=4))])
    with refusal("teacher 1", "dilation 3"):
        refused([estimator(make_bundle(dilation=3))])
    with refusal("teachers 1 and 2", "same subjects"):
        refused([good, replace(good, normalisation=Normalisation(np.zeros((6, 6)), np.ones((6, 6))))])
    for measured in (0.0, 1.5):
        with refusal("share", f"{measured:g}"):
            refused([good], measured)
