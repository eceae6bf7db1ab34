"""Prior of the differences between subjects, learned from the training subjects, for some adaptation methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from benchmarks.accuracy.network_adapters import norm_parameters
from imu_emg_estimator.calibration.closed_form import Moments
from imu_emg_estimator.model.causal_network import Estimator, head_weights
from imu_emg_estimator.model.subject_data import SubjectData, delayed
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.training.pretraining import TrainingSettings, varied_sequences

OWN_STRENGTH = (
    10.0  # independent samples by which a subject's own head, of all the subject's data, is held to the shared
)
DIAGONAL_SHARE = 0.5  # of the covariance of heads: a few subjects do not determine how 65 weights vary together
FLOOR = 0.1  # of the mean variance, in every direction


@dataclass(frozen=True)
class SubjectPrior:
    """Differences between subjects, learned from those of the training.

    Attributes:
        head_precision: [width + 1, width + 1] how firmly adaptation holds each direction of a head (weights, then
            bias); None = not learned.
        film: by name of a normalisation layer's gain or offset [width]: how it changes with the subject's
            embedding, [width, size]; None = not learned.
    """

    head_precision: NDArray[np.float64] | None = None
    film: Mapping[str, FloatArray] | None = None


@dataclass(frozen=True)
class FilmSettings:
    """Training settings of the FiLM of the subject embedding.

    Attributes:
        size: of the embedding.
        training: of the descent; its steps each take sequences of one subject.
    """

    size: int = 4
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(steps=200, batch=16))


def learn_prior(
    estimator: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
    film: FilmSettings | None = None,
) -> SubjectPrior:
    """Learn the prior of a trained network from its training subjects; FiLM only with its settings."""
    directions = learn_film(estimator, subjects, rig, film) if film else None
    return SubjectPrior(head_precision=head_precision(estimator, subjects), film=directions)


def head_precision(estimator: Estimator, subjects: Sequence[SubjectData]) -> NDArray[np.float64]:
    """Return the precision of the prior of a head, [width + 1, width + 1].

    It is the inverse of the covariance, over subjects and muscles, of the heads that fit each subject's locomotion
    best on the frozen tokens, about the shared head; shrunk to its diagonal, and scaled to a mean variance of 1.
    """
    shared = head_weights(estimator.network.head)
    differences = [
        moments.ridge(shared[muscle], np.eye(shared.shape[1]), OWN_STRENGTH) - shared[muscle]
        for subject in subjects
        for muscle, moments in _locomotion_moments(estimator, subject).items()
    ]
    covariance = np.mean([np.outer(difference, difference) for difference in differences], axis=0)
    variances = np.diag(covariance)
    shrunk = (1 - DIAGONAL_SHARE) * covariance + np.diag(DIAGONAL_SHARE * variances + FLOOR * variances.mean())
    return np.asarray(np.linalg.inv(shrunk) * variances.mean())


def learn_film(
    estimator: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
    settings: FilmSettings | None = None,
) -> dict[str, FloatArray]:
    """Learn how gains and offsets of the normalisation layers change with an embedding of the subject.

    Embeddings and directions are learned together, with all weights of the network frozen.

    Returns:
        By name of the gain or offset [width]: directions [width, size], for embeddings of standard deviation 1.
    """
    settings = settings or FilmSettings()
    recipe = replace(settings.training, augmentation=replace(settings.training.augmentation, mirror=0.0))
    torch.manual_seed(recipe.seed)
    network = estimator.network
    base = {name: parameter.detach() for name, parameter in norm_parameters(network).items()}
    directions = {name: nn.Parameter(0.01 * torch.randn(len(value), settings.size)) for name, value in base.items()}
    embeddings = nn.Parameter(torch.randn(len(subjects), settings.size))
    optimiser = torch.optim.Adam([*directions.values(), embeddings], recipe.learning_rate)
    batches = [varied_sequences([subject], rig, recipe, network.config.look_ahead) for subject in subjects]
    generator = np.random.default_rng(recipe.seed)
    for _ in range(recipe.steps):
        index = int(generator.integers(len(subjects)))
        imu, target, weight = next(batches[index])
        inputs = torch.from_numpy(np.stack([features(sequence, estimator.normalisation) for sequence in imu]))
        phase = int(generator.integers(network.config.dilation))
        changed = {name: value + directions[name] @ embeddings[index] for name, value in base.items()}
        mean: Tensor = torch.func.functional_call(network, changed, (inputs, phase))[0]
        truth, trust = (torch.from_numpy(part)[:, phase :: network.config.dilation] for part in (target, weight))
        error = smooth_l1_loss(mean, truth, reduction="none", beta=recipe.huber)
        loss = (error * trust).sum() / trust.sum().clamp_min(1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    spread = embeddings.detach().pow(2).mean(dim=0).sqrt()
    return {name: (value.detach() * spread).numpy() for name, value in directions.items()}


@torch.no_grad()
def _locomotion_moments(estimator: Estimator, subject: SubjectData) -> dict[int, Moments]:
    """Return tokens and activation of a subject's locomotion by trusted muscle, or of everything without labels."""
    network = estimator.network
    chosen = subject.locomotion if subject.locomotion.any() else np.full(len(subject.imu), True)
    found: dict[int, Moments] = {}
    for start, stop in zip(subject.starts[:-1], subject.starts[1:], strict=True):
        inputs = torch.from_numpy(features(subject.imu[start:stop], estimator.normalisation))[None]
        tokens = network.tokens(inputs)[0].numpy()
        tokens = np.concatenate([tokens, np.ones_like(tokens[:, :1])], axis=1)
        weight = subject.weight[start:stop] * chosen[start:stop, None]
        target, weight = (delayed(part, network.config.look_ahead) for part in (subject.target[start:stop], weight))
        for muscle in np.flatnonzero(weight.any(axis=0)):
            moments = Moments.of(tokens, target[:, muscle], weight[:, muscle])
            found[int(muscle)] = found[int(muscle)] + moments if int(muscle) in found else moments
    return found
