"""Pre-training by the Gaussian likelihood learns from the truth, and its seed decides."""

import torch
from fixtures.factories import RecordingFactory

from benchmarks.accuracy.gaussian_pretraining import gaussian_loss, pretrain_gaussian
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.subject_data import prepare
from imu_emg_estimator.training.pretraining import TrainingSettings


def test_gaussian_loss_prefers_the_truth(bundle: Bundle) -> None:
    with torch.no_grad():
        mean, log_deviation = network_of(bundle)(torch.randn(2, 40, bundle.config.inputs))
        weight = torch.ones_like(mean)
        right, wrong = (gaussian_loss(mean, log_deviation, y, weight) for y in (mean, mean.flip(1)))
    assert float(right) < float(wrong)


def test_pretrain_gaussian_follows_seed(bundle: Bundle, make_recording: RecordingFactory) -> None:
    subject = prepare([make_recording([("walking", 5.0)])])
    settings = [TrainingSettings(steps=2, batch=2, sequence=32, seed=seed) for seed in (0, 0, 1)]
    one, same, other = (pretrain_gaussian([subject], bundle.rig, bundle.config, each)[0] for each in settings)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert not one.training
