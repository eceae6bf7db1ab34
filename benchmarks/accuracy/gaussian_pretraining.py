"""Pre-training by the Gaussian likelihood of mean and deviation together, for comparison."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from imu_emg_estimator.model.activation_loss import negative_log_likelihood
from imu_emg_estimator.model.causal_network import GegluTransformer, Network
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE, ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.training.pretraining import (
    TrainingSettings,
    input_normalisation,
    optimise,
    training_batches,
)


def pretrain_gaussian(
    subjects: Sequence[SubjectData], rig: Rig, config: ModelConfig, settings: TrainingSettings
) -> tuple[Network, Normalisation]:
    """Train as ``pretrain`` does, with another loss."""
    torch.manual_seed(settings.seed)
    normalisation = input_normalisation(subjects)
    model = GegluTransformer(config)

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        target, weight = (part[:, phase :: config.dilation] for part in (target, weight))
        mean, log_deviation = model(inputs, phase)
        return gaussian_loss(mean, log_deviation, target, weight)

    batches = training_batches(subjects, rig, settings, config.look_ahead, normalisation)
    optimise(model, config.dilation, batches, loss, settings)
    return model, normalisation


def gaussian_loss(mean: Tensor, log_deviation: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean negative log likelihood, weighted; all tensors are [batch, samples, muscles]."""
    likelihood = negative_log_likelihood(mean, log_deviation.clamp(*LOG_DEVIATION_RANGE), target)
    return (likelihood * weight).sum() / weight.sum().clamp_min(1.0)
