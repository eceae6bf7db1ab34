"""Self-supervised pre-training: hidden stretches of IMU data are estimated from the rest.

It needs no EMG, so recordings without trusted EMG, or without any, are also used. The idea is that of masked
autoencoders (He et al. 2021, arXiv:2111.06377), on sensors and time instead of image patches, and causal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.causal_network import GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import delayed
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import (
    CHANNELS,
    Normalisation,
    feature_blocks,
    feature_count,
    features,
)
from imu_emg_estimator.training.augmentation import augment
from imu_emg_estimator.training.pretraining import TrainingSettings, optimise
from imu_emg_estimator.utils.progress import StepProgress

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

STEPS_SHARE = 0.5  # of the steps of the following pre-training


@dataclass(frozen=True)
class MaskingSettings:
    """Settings of the hidden stretches.

    Attributes:
        shortest, longest: duration of a hidden stretch of one sensor [s].
        share: hidden share of all samples of all sensors, approximately; stretches may overlap.
    """

    shortest: float = 0.25
    longest: float = 1.0
    share: float = 0.3


class _Autoencoder(nn.Module):
    """A network's tokens with a linear decoder of the normalised channels of all sensors."""

    def __init__(self, network: Network, sensors: int) -> None:
        super().__init__()
        self.network = network
        self.decoder = nn.Linear(network.config.width, sensors * CHANNELS)

    def forward(self, inputs: Tensor, phase: int) -> Tensor:
        result: Tensor = self.decoder(self.network.tokens(inputs, phase))
        return result


def pretrain_masked(
    imu: Sequence[FloatArray],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    normalisation: Normalisation,
    progress: StepProgress | None = None,
    masking: MaskingSettings | None = None,
) -> Network:
    """Train a network, except its heads, to estimate hidden IMU data, before the actual training.

    Args:
        imu: of each recording [samples, sensors, 6]; never those of subjects that are left out.
        settings: recipe of the pre-training that follows; half of its steps are taken here.
        normalisation: of the pre-training that follows, see ``pretrain.input_normalisation``.

    Raises:
        InputError: there is no recording.
    """
    if not any(map(len, imu)):
        raise InputError(f"none of the {len(imu)} recordings holds IMU data to train on; add such recordings")
    settings = replace(settings, steps=max(1, round(STEPS_SHARE * settings.steps)))
    torch.manual_seed(settings.seed)
    model = _Autoencoder(GegluTransformer(config), len(rig.sensors))

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        target, weight = (part[:, phase :: config.dilation] for part in (target, weight))
        error = smooth_l1_loss(model(inputs, phase), target, reduction="none")
        return (error * weight).sum() / weight.sum().clamp_min(1.0)

    batches = masked_batches(imu, rig, settings, masking or MaskingSettings(), config.look_ahead, normalisation)
    optimise(model, config.dilation, batches, loss, settings, progress)
    return model.network


def masked_batches(
    imu: Sequence[FloatArray],
    rig: Rig,
    settings: TrainingSettings,
    masking: MaskingSettings,
    look_ahead: int,
    normalisation: Normalisation,
) -> Iterator[Batch]:
    """Yield varied sequences with hidden stretches without end; all instants of all recordings are equally likely.

    Yields:
        Inputs [batch, samples, inputs]; target, the normalised channels before they were hidden, and weight, 1 for
        hidden known samples, both [batch, samples, sensors * 6] and aligned with the outputs.
    """
    generator = np.random.default_rng(settings.seed)
    starts = np.array([max(1, len(recording) - settings.sequence + 1) if len(recording) else 0 for recording in imu])
    no_emg = np.zeros((settings.batch, settings.sequence, len(rig.muscles)), np.float32)
    blocks = feature_blocks(feature_count(len(rig.sensors)))
    channels, masks = blocks["channels"], blocks["masks"]
    while True:
        chosen = generator.choice(len(imu), size=settings.batch, p=starts / starts.sum())
        cut = [_cut(imu[index], int(generator.integers(starts[index])), settings.sequence) for index in chosen]
        varied, _, _ = augment(np.stack(cut), no_emg, no_emg, rig, settings.augmentation, generator)
        hidden = hidden_stretches(varied.shape[:3], masking, rig.rate, generator)
        masked = np.where(hidden[..., None], np.float32(np.nan), varied)
        whole = np.stack([features(sequence, normalisation) for sequence in varied])
        inputs = np.stack([features(sequence, normalisation) for sequence in masked])
        lost = np.repeat(whole[..., masks] - inputs[..., masks], 3, axis=2)
        yield inputs, _each_delayed(whole[..., channels], look_ahead), _each_delayed(lost, look_ahead)


def hidden_stretches(
    shape: Sequence[int], masking: MaskingSettings, rate: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw which samples of which sensors are hidden, [sequences, samples, sensors] as in ``shape``."""
    sequences, samples, sensors = shape
    shortest, longest = (max(1, round(duration * rate)) for duration in (masking.shortest, masking.longest))
    hidden = np.zeros((sequences, samples, sensors), dtype=np.bool_)
    stretches = round(masking.share * samples * sensors / ((shortest + longest) / 2))
    for sequence in hidden:
        for _ in range(stretches):
            length = int(generator.integers(shortest, longest + 1))
            start = int(generator.integers(max(1, samples - length + 1)))
            sequence[start : start + length, generator.integers(sensors)] = True
    return hidden


def _cut(recording: FloatArray, start: int, length: int) -> NDArray[np.float32]:
    """Cut a sequence of so many samples; those after the end of the recording are missing."""
    part = np.asarray(recording[start : start + length], dtype=np.float32)
    return np.pad(part, [(0, length - len(part)), (0, 0), (0, 0)], constant_values=np.nan)


def _each_delayed(values: NDArray[Any], samples: int) -> NDArray[Any]:
    return np.stack([delayed(sequence, samples) for sequence in values])
