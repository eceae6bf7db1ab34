"""Training in episodes: the network learns to be adapted, as a calibration will adapt it.

An episode is one subject of the training: the head is fitted to some seconds of locomotion (the support) and judged
on other moments of the same subject (the query). The fit is a ridge regression in closed form, shrunk towards the
shared head; gradients pass through the solution, so that the tokens become such that a few seconds settle the head
(R2-D2, Bertinetto et al. 2019, arXiv:1805.08136; of the ANIL class, Raghu et al. 2020, arXiv:1909.09157).

The network would memorise the subjects of the training, so each episode is varied: mounts and sides, and if set the
EMG's gain and its shift in time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imu_emg_estimator.calibration.closed_form import CORRELATED_SAMPLES
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import estimate_loss, mean_loss
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, features
from imu_emg_estimator.training.augmentation import augment
from imu_emg_estimator.training.checkpoints import Checkpoint
from imu_emg_estimator.training.pretraining import (
    BatchParts,
    TrainingSettings,
    cut_sequence,
    input_normalisation,
    optimise,
)
from imu_emg_estimator.utils.progress import StepProgress

Float32 = NDArray[np.float32]
Lesson = Callable[[Tensor, Tensor, int], Tensor]  # of unadapted means, inputs and phase: a term of the loss


@dataclass(frozen=True)
class EpisodeSettings:
    """The recipe of training in episodes.

    Attributes:
        episodes: per step.
        support: sequences of locomotion, one after the other in time, to adapt on.
        query: sequences from anywhere to judge on.
        strength: of the ridge's shrinkage [independent samples].
        lag: standard deviation [samples] of an episode's shift of the EMG in time.
        gain: standard deviation of the logarithm of an episode's gain of the EMG.
        unadapted_weight: of the loss without adaptation, for subjects who do not calibrate.
        training: of the steps; its ``batch`` is not used.
    """

    episodes: int = 3
    support: int = 7
    query: int = 5
    strength: float = 50.0
    lag: float = 0.0
    gain: float = 0.0
    unadapted_weight: float = 0.5
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(steps=1000))

    def to_dict(self) -> dict[str, Any]:
        """Return all settings for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Episode:
    """Sequences of one subject or several, of each the support first: [sequences, samples, inputs or muscles].

    Attributes:
        target, weight: as measured.
        varied, varied_weight: with the episode's lag and gain.
    """

    inputs: Float32
    target: Float32
    weight: Float32
    varied: Float32
    varied_weight: Float32


def pretrain_in_episodes(
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: EpisodeSettings | None = None,
    progress: StepProgress | None = None,
    architecture: Callable[[ModelConfig], Network] = GegluTransformer,
    checkpoint: Checkpoint | None = None,
) -> tuple[Network, Normalisation]:
    """Train a new network on many subjects in episodes, in place of ``pretrain``."""
    settings = settings or EpisodeSettings()
    torch.manual_seed(settings.training.seed)
    fresh = Estimator(architecture(config), input_normalisation(subjects), np.ones(config.muscles))
    trained = train_in_episodes(fresh, subjects, rig, settings, progress, checkpoint)
    return trained.network, trained.normalisation


def train_in_episodes(
    estimator: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
    settings: EpisodeSettings | None = None,
    progress: StepProgress | None = None,
    checkpoint: Checkpoint | None = None,
    lesson: Lesson | None = None,
) -> Estimator:
    """Train a network further in episodes of these subjects.

    Args:
        lesson: is learned beside the measured envelope.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.

    Raises:
        InputError: no subject has labelled locomotion.
    """
    settings = settings or EpisodeSettings()
    torch.manual_seed(settings.training.seed)
    trained = replace(estimator, network=copy.deepcopy(estimator.network))
    network, sampler = trained.network, EpisodeSampler(subjects, rig, trained, settings)

    def batches() -> Iterator[list[Float32]]:
        while True:
            drawn = [sampler.draw() for _ in range(settings.episodes)]
            yield [np.concatenate([getattr(episode, part.name) for episode in drawn]) for part in fields(Episode)]

    def loss(*arguments: Any) -> Tensor:
        return _episode_loss(network, settings, lesson, *arguments)

    parts = BatchParts(settings.episodes, (sampler.generator,))
    optimise(network, network.config.dilation, batches(), loss, settings.training, progress, parts, checkpoint)
    return trained


class EpisodeSampler:
    """Draws episodes, each of a random subject.

    Attributes:
        generator: of all draws.
    """

    def __init__(
        self, subjects: Sequence[SubjectData], rig: Rig, estimator: Estimator, settings: EpisodeSettings
    ) -> None:
        self._subjects = [subject for subject in subjects if subject.locomotion.any()]
        if not self._subjects:
            raise InputError("none of the subjects has labelled locomotion to learn to adapt on; leave out this stage")
        self._rig = rig
        self._estimator = estimator
        self._settings = settings
        self.generator = np.random.default_rng(settings.training.seed)

    def phase(self) -> int:
        """Draw one of the network's interleaved sequences."""
        return int(self.generator.integers(self._estimator.network.config.dilation))

    def draw(self) -> Episode:
        """Draw an episode."""
        settings, recipe, generator = self._settings, self._settings.training, self.generator
        subject = self._subjects[int(generator.integers(len(self._subjects)))]
        starts = self._starts(subject)
        look_ahead = self._estimator.network.config.look_ahead
        parts = [cut_sequence(subject, start, recipe.sequence, look_ahead) for start in starts]
        # Varied as one long sequence: mounts, sides and missing sensors are the same throughout an episode.
        imu, target, weight = (np.concatenate(part)[None] for part in zip(*parts, strict=True))
        varied = augment(imu, target, weight, self._rig, replace(recipe.augmentation, tempo=0.0), generator)
        imu, target, weight = (part[0].reshape(len(starts), recipe.sequence, *part.shape[2:]) for part in varied)
        inputs = np.stack([features(sequence, self._estimator.normalisation) for sequence in imu])
        lag = round(settings.lag * generator.standard_normal())
        gain = float(np.exp(settings.gain * generator.standard_normal()))
        arrays = (inputs, target, weight, gain * _shifted(target, lag), _shifted(weight, lag))
        return Episode(*(np.asarray(array, dtype=np.float32) for array in arrays))

    def _starts(self, subject: SubjectData) -> list[int]:
        """Draw first samples of the support's sequences, in a row in the subject's locomotion, and of the query's."""
        settings, recipe, generator = self._settings, self._settings.training, self.generator
        locomotion = np.flatnonzero(subject.locomotion)
        first = int(generator.integers(max(1, len(locomotion) - settings.support * recipe.sequence)))
        support = locomotion[first :: recipe.sequence][: settings.support]
        query = np.where(
            generator.random(settings.query) < recipe.locomotion_share,
            generator.choice(locomotion, settings.query),
            generator.integers(len(subject.imu), size=settings.query),
        )
        missing = settings.support - len(support)
        return [int(start) for start in (*support, *generator.choice(locomotion, missing), *query)]


def _episode_loss(
    network: Network,
    settings: EpisodeSettings,
    lesson: Lesson | None,
    inputs: Tensor,
    target: Tensor,
    weight: Tensor,
    varied: Tensor,
    varied_weight: Tensor,
    phase: int,
) -> Tensor:
    """Return the loss on the query with the head that fits the support, and the unadapted one and the lesson on all."""
    recipe, stride = settings.training, network.config.dilation
    target, weight, varied, varied_weight = (part[:, phase::stride] for part in (target, weight, varied, varied_weight))
    tokens = network.tokens(inputs, phase)
    outputs = network.head(tokens), network.deviation_head(tokens.detach())
    unadapted = estimate_loss(*outputs, target, weight, recipe.huber, recipe.correlation_share)
    tokens = torch.cat([tokens, torch.ones_like(tokens[..., :1])], dim=2)
    shared = torch.cat([network.head.weight, network.head.bias[:, None]], dim=1)
    adapted = []
    for episode in torch.arange(len(inputs)).split(settings.support + settings.query):
        support, query = episode[: settings.support], episode[settings.support :]
        heads = ridge_heads(
            tokens[support].flatten(0, 1),
            varied[support].flatten(0, 1),
            varied_weight[support].flatten(0, 1),
            shared,
            settings.strength * CORRELATED_SAMPLES / stride,
        )
        judged = tokens[query] @ heads.T, varied[query], varied_weight[query]
        adapted.append(mean_loss(*judged, recipe.huber, recipe.correlation_share))
    loss = torch.stack(adapted).mean() + settings.unadapted_weight * unadapted
    return loss + lesson(outputs[0], inputs, phase) if lesson else loss


def ridge_heads(tokens: Tensor, target: Tensor, weight: Tensor, centre: Tensor, pull: float) -> Tensor:
    """Fit heads [muscles, inputs] by weighted ridge regression, shrunk towards a centre; gradients pass through.

    Args:
        tokens: [samples, inputs].
        target, weight: [samples, muscles].
        centre: [muscles, inputs].
        pull: weight of the centre [samples].
    """
    weighted = weight.T[:, :, None] * tokens  # [muscles, samples, inputs]
    identity = pull * torch.eye(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
    cross = (weighted * target.T[:, :, None]).sum(dim=1)
    solution: Tensor = torch.linalg.solve(weighted.mT @ tokens + identity, cross + pull * centre)
    return solution


def _shifted(values: FloatArray, samples: int) -> FloatArray:
    """Move [sequences, samples, ...] later in time by so many samples (earlier if negative), zeros where none come."""
    result = np.zeros_like(values)
    length = values.shape[1]
    kept = slice(max(0, -samples), min(length, length - samples))
    result[:, max(0, samples) : length + min(0, samples)] = values[:, kept]
    return result
