"""Distillation of a network into a smaller one.

The student is trained as its teacher was, in episodes where locomotion is labelled, and learns the teacher's estimate
beside the measured envelope: the teacher is smooth where EMG is not. Source: Hinton et al. 2015, arXiv:1503.02531.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import estimate_loss
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.checkpoints import Checkpoint
from imu_emg_estimator.training.episodic_training import EpisodeSettings, train_in_episodes
from imu_emg_estimator.training.pretraining import (
    BatchParts,
    TrainingSettings,
    optimise,
    training_batches,
    training_device,
)
from imu_emg_estimator.utils.progress import StepProgress

SHARE = 0.25  # of the weights that a student has by default
DROPOUT = 0.1  # of a student: it has too few weights to learn its subjects by heart


def student_config(config: ModelConfig, width: int | None = None, layers: int | None = None) -> ModelConfig:
    """Return the shape of a student.

    Args:
        config: of the teacher.
        width, layers: as asked; None = one layer, as wide as ``SHARE`` of the teacher's weights allow.

    Raises:
        InputError: no network can have this shape, or it would not be smaller.
    """
    # A layer costs more of a step than its width. The front end need only reach from one token to the next.
    slim = replace(config, layers=layers or 1, kernel=min(config.kernel, config.dilation), dropout=DROPOUT)
    smallest = 2 * config.heads  # even heads
    widths = [width] if width else range(config.width // smallest * smallest, 0, -smallest)
    for own in widths:
        found = replace(slim, width=own, feedforward=max(1, own * config.feedforward // config.width))
        if width or _weights(found) <= SHARE * _weights(config):
            break
    if _weights(ModelConfig.from_dict(found.to_dict())) >= _weights(config):
        raise InputError(f"width {found.width} and {found.layers} layers give no smaller network; ask for less")
    return found


def distil(
    teacher: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    progress: StepProgress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Estimator:
    """Train a student of this shape, with the references and the normalisation of its teacher.

    Args:
        subjects: whom the teacher was trained on.
    """
    torch.manual_seed(settings.seed)
    student = replace(teacher, network=GegluTransformer(config))
    network = copy.deepcopy(teacher.network).to(training_device()).eval()

    def lesson(mean: Tensor, inputs: Tensor, phase: int) -> Tensor:
        with torch.no_grad():
            taught = network(inputs, phase)[0].clamp_min(0.0)
        return smooth_l1_loss(mean, taught, beta=settings.huber) / settings.huber

    if any(subject.locomotion.any() for subject in subjects):
        episodes = EpisodeSettings(training=settings)
        return train_in_episodes(student, subjects, rig, episodes, progress, checkpoint, lesson)

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        target, weight = (part[:, phase :: config.dilation] for part in (target, weight))
        mean, log_deviation = student.network(inputs, phase)
        error = estimate_loss(mean, log_deviation, target, weight, settings.huber, settings.correlation_share)
        return error + lesson(mean, inputs, phase)

    generator = np.random.default_rng(settings.seed)
    batches = training_batches(subjects, rig, settings, config.look_ahead, teacher.normalisation, generator)
    parts = BatchParts(settings.batch, (generator,))
    optimise(student.network, config.dilation, batches, loss, settings, progress, parts, checkpoint)
    return student


def _weights(config: ModelConfig) -> int:
    return sum(map(prod, weight_shapes(config).values()))
