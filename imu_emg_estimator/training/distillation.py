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
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network
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
    """Return the shape of a student: its feed-forward is what ``SHARE`` of the weights leaves, within the teacher's.

    Args:
        config: of the teacher.
        width, layers: as asked; None = one layer, as wide as the teacher's where the weights suffice.

    Raises:
        InputError: no network can have this shape, or it would not be smaller.
    """
    count = layers or 1  # a layer costs more of a step than its width
    # The front end need only reach from one token to the next; a single layer looks back further.
    slim = replace(config, layers=count, kernel=min(config.kernel, config.dilation + 1), dropout=DROPOUT)
    slim = replace(slim, band=config.band * max(1, (config.layers // count + 1) // 2))
    smallest = 2 * config.heads  # for heads of even width
    for own in [width] if width else range(config.width // smallest * smallest, 0, -smallest):
        bare = _weights(replace(slim, width=own, feedforward=0))
        units = int(SHARE * _weights(config) - bare) // (count * (3 * own + 2))
        if units >= own // 2:
            break
    found = replace(slim, width=own, feedforward=max(own // 2, min(units, own * config.feedforward // config.width)))
    if _weights(ModelConfig.from_dict(found.to_dict())) >= _weights(config):
        raise InputError(f"width {own} and {count} layers give no smaller network; ask for less")
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

    It starts as ``cut_down`` says.

    Args:
        subjects: whom the teacher was trained on.
    """
    torch.manual_seed(settings.seed)
    student = replace(teacher, network=cut_down(teacher.network, config))
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


def cut_down(teacher: Network, config: ModelConfig) -> GegluTransformer:
    """Return a network with the first layers of its teacher, random where it is wider, narrower or larger.

    Of the front end it has the newest samples, of each feed-forward the units with the largest weights.
    """
    student, own = GegluTransformer(config), teacher.config
    if config.width != own.width or config.layers > own.layers or config.feedforward > own.feedforward:
        return student
    given = teacher.state_dict()
    given["front_end.convolution.weight"] = given["front_end.convolution.weight"][:, :, -config.kernel :]
    for layer in range(config.layers):
        part = f"layers.{layer}.feedforward."
        inner, outer = given[f"{part}gate_and_value.weight"], given[f"{part}output.weight"]
        size = inner.norm(dim=1).unflatten(0, (2, -1)).prod(dim=0) * outer.norm(dim=0)
        units = size.topk(config.feedforward).indices.sort().values
        given[f"{part}output.weight"] = outer[:, units]
        for name in ("weight", "bias"):
            both = given[f"{part}gate_and_value.{name}"].unflatten(0, (2, -1))
            given[f"{part}gate_and_value.{name}"] = both[:, units].flatten(0, 1)
    student.load_state_dict({name: given[name] for name in student.state_dict()})
    return student


def _weights(config: ModelConfig) -> int:
    return sum(map(prod, weight_shapes(config).values()))
