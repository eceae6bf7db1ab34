"""Distillation of several networks into a single one of any size.

The student learns from the teachers' mean activation beside the measured envelope: the teachers are smooth where
EMG is not, and give a target where none was measured. Source: Hinton et al. 2015, arXiv:1503.02531.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import estimate_loss
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.training.pretraining import (
    TrainingSettings,
    optimise,
    training_batches,
    training_device,
)
from imu_emg_estimator.utils.progress import StepProgress


def distil(
    teachers: Sequence[Estimator],
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    progress: StepProgress | None = None,
    measured: float = 0.5,
) -> tuple[Network, Normalisation]:
    """Train a student on the mean activation of its teachers, who see the same varied sequences.

    A step costs one of ``pretrain`` and a forward pass of each teacher.

    Args:
        teachers: trained on these subjects, and so of one normalisation, which the student takes over.
        subjects: those without trusted EMG are learned from as well, through the teachers alone.
        config: of the student: any size, the teachers' inputs, muscles, look-ahead and dilation.
        measured: share of the loss that is about the measured envelope; it alone teaches the standard deviation.

    Raises:
        InputError: no teacher, teachers that do not fit together or to the student, or a share that is none.
    """
    _check(teachers, config, measured)
    torch.manual_seed(settings.seed)
    normalisation = teachers[0].normalisation
    student = GegluTransformer(config)
    networks = [copy.deepcopy(teacher.network).to(training_device()).eval() for teacher in teachers]

    def loss(inputs: Tensor, target: Tensor, weight: Tensor, phase: int) -> Tensor:
        target, weight = (part[:, phase :: config.dilation] for part in (target, weight))
        mean, log_deviation = student(inputs, phase)
        error = estimate_loss(mean, log_deviation, target, weight, settings.huber, settings.correlation_share)
        taught = smooth_l1_loss(mean, mean_activation(networks, inputs, phase), beta=settings.huber) / settings.huber
        return measured * error + (1.0 - measured) * taught

    batches = training_batches(subjects, rig, settings, config.look_ahead, normalisation)
    optimise(student, config.dilation, batches, loss, settings, progress)
    return student, normalisation


@torch.no_grad()
def mean_activation(networks: Sequence[Network], inputs: Tensor, phase: int | None = None) -> Tensor:
    """Return the networks' mean estimate, in references: [batch, samples, inputs] -> [batch, samples, muscles]."""
    return torch.stack([network(inputs, phase)[0].clamp_min(0.0) for network in networks]).mean(dim=0)


def _check(teachers: Sequence[Estimator], config: ModelConfig, measured: float) -> None:
    if not teachers:
        raise InputError("there is no teacher to distil; give at least one trained network")
    if not 0.0 < measured <= 1.0:
        raise InputError(f"the measured envelope's share of the loss is {measured:g}; choose one above 0, up to 1")
    first = teachers[0].normalisation
    for number, teacher in enumerate(teachers, start=1):
        own = teacher.network.config
        for name in ("inputs", "muscles", "look_ahead", "dilation"):
            if getattr(own, name) != getattr(config, name):
                raise InputError(
                    f"teacher {number} has {name} {getattr(own, name)}, the student {getattr(config, name)}; "
                    "give both the same"
                )
        normalisation = teacher.normalisation
        if not all(
            np.array_equal(getattr(normalisation, part), getattr(first, part), equal_nan=True)
            for part in ("mean", "std")
        ):
            raise InputError(
                f"teachers 1 and {number} normalise their inputs differently; train them on the same subjects"
            )
