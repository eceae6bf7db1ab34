"""Meta-learning: the network learns to be adapted, from the start or after pre-training.

A task is one subject of the training: the network is adapted to some seconds of locomotion (the support) and judged
on other moments of the same subject (the query), as a new subject's calibration will be. Two ways to adapt in a task:

- ``ridge``: the head in closed form, shrunk towards the shared head; gradients pass through the solution, so that
  the tokens become such that a few seconds settle the head (R2-D2, Bertinetto et al. 2019, arXiv:1805.08136; of the
  ANIL class, Raghu et al. 2020, arXiv:1909.09157).
- ``reptile``: all weights, by a few steps of gradient descent; the shared weights then move towards the adapted ones
  (Nichol et al. 2018, arXiv:1803.02999), first order.

The network comes to know the subjects of the training by heart, so tasks are made new: mounts and sides vary from
task to task, and where wished the EMG's gain and its lead or lag, as they do in subjects.
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

from imu_emg_estimator.calibration.calibration_limits import CORRELATED_SAMPLES
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.activation_loss import activation_loss, estimate_loss, mean_loss
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.geglu_transformer import GegluTransformer
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, features
from imu_emg_estimator.training.augmentation import augment
from imu_emg_estimator.training.pretraining import TrainingSettings, cut_sequence, input_normalisation, optimise
from imu_emg_estimator.utils.progress import StepProgress

KINDS = ("ridge", "reptile")

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class MetaSettings:
    """The recipe of meta-learning.

    Attributes:
        kind: how a task adapts, one of ``KINDS``.
        tasks: subjects a step.
        support: sequences of locomotion, one after the other in time, to adapt on.
        query: sequences from anywhere to judge on.
        strength: of the ridge's shrinkage [independent samples].
        inner_steps, inner_rate: of Reptile's descent in a task.
        outer_rate: share of the way to the adapted weights that Reptile goes at first.
        lag: standard deviation [samples] of a task's shift of the EMG in time.
        gain: standard deviation of the logarithm of a task's gain of the EMG.
        plain: weight of the loss without adaptation, which keeps the network good for subjects who do not calibrate.
        training: of the outer steps; its ``batch`` is that of plain pre-training and not used.
    """

    kind: str = "ridge"
    tasks: int = 3
    support: int = 7
    query: int = 5
    strength: float = 50.0
    inner_steps: int = 10
    inner_rate: float = 1e-3
    outer_rate: float = 0.3
    lag: float = 0.0
    gain: float = 0.0
    plain: float = 0.5
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(steps=1000))

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"meta-learning of kind '{self.kind}' is not known; use one of {', '.join(KINDS)}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Task:
    """Sequences of one subject or several, of each the support first: [sequences, samples, inputs or muscles].

    Attributes:
        target, weight: as measured.
        varied, varied_weight: with the task's lag and gain.
    """

    inputs: Float32
    target: Float32
    weight: Float32
    varied: Float32
    varied_weight: Float32


def meta_pretrain(
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: MetaSettings | None = None,
    progress: StepProgress | None = None,
    architecture: Callable[[ModelConfig], Network] = GegluTransformer,
) -> tuple[Network, Normalisation]:
    """Train a network on many subjects by meta-learning from the start, in place of ``pretrain``."""
    settings = settings or MetaSettings()
    torch.manual_seed(settings.training.seed)
    fresh = Estimator(architecture(config), input_normalisation(subjects), np.ones(config.muscles))
    trained = meta_train(fresh, subjects, rig, settings, progress)
    return trained.network, trained.normalisation


def meta_train(
    estimator: Estimator,
    subjects: Sequence[SubjectData],
    rig: Rig,
    settings: MetaSettings | None = None,
    progress: StepProgress | None = None,
) -> Estimator:
    """Teach a network to be adapted, on subjects of its training.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.

    Raises:
        InputError: no subject has labelled locomotion.
    """
    settings = settings or MetaSettings()
    torch.manual_seed(settings.training.seed)
    taught = replace(estimator, network=copy.deepcopy(estimator.network))
    tasks = _Tasks(subjects, rig, taught, settings)
    (_ridge_stage if settings.kind == "ridge" else _reptile_stage)(taught.network, tasks, settings, progress)
    return taught


class _Tasks:
    """Makes tasks, each of a random subject."""

    def __init__(self, subjects: Sequence[SubjectData], rig: Rig, estimator: Estimator, settings: MetaSettings) -> None:
        self._subjects = [subject for subject in subjects if subject.locomotion.any()]
        if not self._subjects:
            raise InputError("none of the subjects has labelled locomotion to learn to adapt on; leave out this stage")
        self._rig = rig
        self._estimator = estimator
        self._settings = settings
        self._generator = np.random.default_rng(settings.training.seed)

    def phase(self) -> int:
        """One of the network's interleaved sequences."""
        return int(self._generator.integers(self._estimator.network.config.dilation))

    def draw(self) -> _Task:
        settings, recipe, generator = self._settings, self._settings.training, self._generator
        subject = self._subjects[int(generator.integers(len(self._subjects)))]
        starts = self._starts(subject)
        look_ahead = self._estimator.network.config.look_ahead
        parts = [cut_sequence(subject, start, recipe.sequence, look_ahead) for start in starts]
        # Varied as one long sequence: mounts, sides and missing sensors are the same throughout a task.
        imu, target, weight = (np.concatenate(part)[None] for part in zip(*parts, strict=True))
        varied = augment(imu, target, weight, self._rig, replace(recipe.augmentation, tempo=0.0), generator)
        imu, target, weight = (part[0].reshape(len(starts), recipe.sequence, *part.shape[2:]) for part in varied)
        inputs = np.stack([features(sequence, self._estimator.normalisation) for sequence in imu])
        lag = round(settings.lag * generator.standard_normal())
        gain = float(np.exp(settings.gain * generator.standard_normal()))
        arrays = (inputs, target, weight, gain * _shifted(target, lag), _shifted(weight, lag))
        return _Task(*(np.asarray(array, dtype=np.float32) for array in arrays))

    def _starts(self, subject: SubjectData) -> list[int]:
        """First samples of the support's sequences, in a row in the subject's locomotion, and of the query's."""
        settings, recipe, generator = self._settings, self._settings.training, self._generator
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


def _ridge_stage(network: Network, tasks: _Tasks, settings: MetaSettings, progress: StepProgress | None) -> None:
    """Outer steps through the closed-form solution."""

    def batches() -> Iterator[list[Float32]]:
        while True:
            drawn = [tasks.draw() for _ in range(settings.tasks)]
            yield [np.concatenate([getattr(task, part.name) for task in drawn]) for part in fields(_Task)]

    def loss(*arguments: Any) -> Tensor:
        return _ridge_loss(network, settings, *arguments)

    optimise(network, network.config.dilation, batches(), loss, settings.training, progress)


def _ridge_loss(
    network: Network,
    settings: MetaSettings,
    inputs: Tensor,
    target: Tensor,
    weight: Tensor,
    varied: Tensor,
    varied_weight: Tensor,
    phase: int,
) -> Tensor:
    """Loss on the query with the head that fits the support, and without adaptation on everything."""
    huber, kind, stride = settings.training.huber, settings.training.loss, network.config.dilation
    target, weight, varied, varied_weight = (part[:, phase::stride] for part in (target, weight, varied, varied_weight))
    tokens = network.tokens(inputs, phase)
    outputs = network.head(tokens), network.deviation_head(tokens.detach())
    plain = estimate_loss(*outputs, target, weight, huber, kind)
    tokens = torch.cat([tokens, torch.ones_like(tokens[..., :1])], dim=2)
    shared = torch.cat([network.head.weight, network.head.bias[:, None]], dim=1)
    adapted = []
    for task in torch.arange(len(inputs)).split(settings.support + settings.query):
        support, query = task[: settings.support], task[settings.support :]
        heads = ridge_heads(
            tokens[support].flatten(0, 1),
            varied[support].flatten(0, 1),
            varied_weight[support].flatten(0, 1),
            shared,
            settings.strength * CORRELATED_SAMPLES / stride,
        )
        adapted.append(mean_loss(tokens[query] @ heads.T, varied[query], varied_weight[query], huber, kind))
    return torch.stack(adapted).mean() + settings.plain * plain


def ridge_heads(tokens: Tensor, target: Tensor, weight: Tensor, centre: Tensor, pull: float) -> Tensor:
    """Heads [muscles, inputs] by weighted ridge regression, shrunk towards a centre; gradients pass through.

    Args:
        tokens: [samples, inputs].
        target, weight: [samples, muscles].
        centre: [muscles, inputs].
        pull: samples that the centre is worth.
    """
    weighted = weight.T[:, :, None] * tokens  # [muscles, samples, inputs]
    identity = pull * torch.eye(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
    cross = (weighted * target.T[:, :, None]).sum(dim=1)
    solution: Tensor = torch.linalg.solve(weighted.mT @ tokens + identity, cross + pull * centre)
    return solution


def _reptile_stage(network: Network, tasks: _Tasks, settings: MetaSettings, progress: StepProgress | None) -> None:
    """Outer steps towards the mean of the weights that the tasks come to."""
    shared, steps = list(network.parameters()), settings.training.steps
    for step in range(steps):
        adapted = [_descended(network, tasks, settings) for _ in range(settings.tasks)]
        share = settings.outer_rate * (1 - step / steps)
        with torch.no_grad():
            for parameter, *ends in zip(shared, *(task.parameters() for task in adapted), strict=True):
                parameter += share * (torch.stack(ends).mean(dim=0) - parameter)
        if progress:
            progress(step + 1, steps, float("nan"))
    network.eval()


def _descended(network: Network, tasks: _Tasks, settings: MetaSettings) -> Network:
    """A copy of the network after a few steps of descent in a task."""
    own, task, recipe = copy.deepcopy(network).train(), tasks.draw(), settings.training
    inputs, target, weight = (torch.from_numpy(part) for part in (task.inputs, task.varied, task.varied_weight))
    optimiser = torch.optim.Adam(own.parameters(), settings.inner_rate)
    for _ in range(settings.inner_steps):
        loss = activation_loss(own, inputs, target, weight, recipe.huber, tasks.phase(), recipe.loss)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
        optimiser.step()
    return own


def _shifted(values: FloatArray, samples: int) -> FloatArray:
    """Move [sequences, samples, ...] later in time by so many samples (earlier if negative), zeros where none come."""
    result = np.zeros_like(values)
    length = values.shape[1]
    kept = slice(max(0, -samples), min(length, length - samples))
    result[:, max(0, samples) : length + min(0, samples)] = values[:, kept]
    return result
