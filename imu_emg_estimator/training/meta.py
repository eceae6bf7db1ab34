"""Meta-learning: after pre-training, the network learns to be adapted.

A task is one wearer of the training: the network is adapted to some seconds of locomotion (the support) and judged
on other moments of the same wearer (the query), as a new wearer's calibration will be. Two ways to adapt in a task:

- ``ridge``: the head in closed form, shrunk towards the shared head; gradients pass through the solution, so that
  the tokens become such that a few seconds settle the head (R2-D2, Bertinetto et al. 2019, arXiv:1805.08136; of the
  ANIL class, Raghu et al. 2020, arXiv:1909.09157).
- ``reptile``: all weights, by a few steps of gradient descent; the shared weights then move towards the adapted ones
  (Nichol et al. 2018, arXiv:1803.02999), first order.

Wearers of the training are known to the network by heart, so tasks are made new: mounts, sides and gains vary from
task to task, and the EMG leads or lags the movement, as it does in wearers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.network import Estimator, Network
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.imu import features
from imu_emg_estimator.training.augmentation import AugmentationSettings, augment
from imu_emg_estimator.training.closed_form import CORRELATED
from imu_emg_estimator.training.pretrain import Wearer, _sequence, activation_loss

KINDS = ("ridge", "reptile")

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class MetaSettings:
    """The recipe of the meta-learning stage.

    Attributes:
        kind: how a task adapts, one of ``KINDS``.
        steps: outer steps.
        tasks: wearers a step.
        support: sequences of locomotion, one after the other in time, to adapt on.
        query: sequences from anywhere to judge on.
        sequence: samples a sequence.
        learning_rate: peak of the one-cycle schedule of the outer steps; of Reptile, the share of the way.
        strength: of the ridge's shrinkage [independent samples].
        inner_steps, inner_rate: of Reptile's descent in a task.
        lag: standard deviation [samples] of a task's shift of the EMG in time.
        gain: standard deviation of the logarithm of a task's gain of the EMG.
        plain: weight of the loss without adaptation, which keeps the network good for wearers who do not calibrate.
        locomotion_share: share of the query that is drawn from locomotion; the rest is drawn from everything.
        huber: error [references] where the loss turns from square to linear.
        seed: of every random choice.
    """

    kind: str = "ridge"
    steps: int = 250
    tasks: int = 2
    support: int = 7
    query: int = 9
    sequence: int = 256
    learning_rate: float = 1e-3
    strength: float = 50.0
    inner_steps: int = 10
    inner_rate: float = 1e-3
    lag: float = 2.0
    gain: float = 0.2
    plain: float = 1.0
    locomotion_share: float = 0.7
    huber: float = 0.5
    seed: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"meta-learning of kind '{self.kind}' is not known; use one of {', '.join(KINDS)}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Task:
    """Sequences of one wearer, the support first: [sequences, samples, inputs or muscles].

    Attributes:
        target, weight: as measured.
        varied, varied_weight: with the task's lag and gain.
    """

    inputs: Tensor
    target: Tensor
    weight: Tensor
    varied: Tensor
    varied_weight: Tensor


def meta_train(
    estimator: Estimator,
    wearers: Sequence[Wearer],
    rig: Rig,
    settings: MetaSettings | None = None,
    progress: Progress | None = None,
) -> Estimator:
    """Teach a pre-trained network to be adapted, on the wearers that it was trained on.

    Returns:
        A new estimator of the same architecture; the given one is unchanged.
    """
    settings = settings or MetaSettings()
    torch.manual_seed(settings.seed)
    network = copy.deepcopy(estimator.network)
    tasks = _Tasks(wearers, rig, replace(estimator, network=network), settings)
    (_ridge_stage if settings.kind == "ridge" else _reptile_stage)(network, tasks, settings, progress)
    return replace(estimator, network=network.eval())


class _Tasks:
    """Makes tasks, each of a random wearer."""

    def __init__(self, wearers: Sequence[Wearer], rig: Rig, estimator: Estimator, settings: MetaSettings) -> None:
        self._wearers = [wearer for wearer in wearers if wearer.locomotion.any()]
        if not self._wearers:
            raise InputError("none of the wearers has labelled locomotion to learn to adapt on; leave out this stage")
        self._rig = rig
        self._estimator = estimator
        self._settings = settings
        self._generator = np.random.default_rng(settings.seed)

    def phase(self) -> int:
        """One of the network's interleaved sequences."""
        return int(self._generator.integers(self._estimator.network.config.dilation))

    def draw(self) -> _Task:
        settings, generator = self._settings, self._generator
        wearer = self._wearers[int(generator.integers(len(self._wearers)))]
        starts = self._starts(wearer)
        look_ahead = self._estimator.network.config.look_ahead
        parts = [_sequence(wearer, start, settings.sequence, look_ahead) for start in starts]
        # Varied as one long sequence: mounts, sides and missing sensors are the same throughout a task.
        imu, target, weight = (np.concatenate(part)[None] for part in zip(*parts, strict=True))
        varied = augment(imu, target, weight, self._rig, replace(settings.augmentation, tempo=0.0), generator)
        imu, target, weight = (part[0].reshape(len(starts), settings.sequence, *part.shape[2:]) for part in varied)
        inputs = np.stack([features(sequence, self._estimator.normalisation) for sequence in imu])
        lag = round(settings.lag * generator.standard_normal())
        gain = float(np.exp(settings.gain * generator.standard_normal()))
        arrays = (inputs, target, weight, gain * _shifted(target, lag), _shifted(weight, lag))
        return _Task(*(torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in arrays))

    def _starts(self, wearer: Wearer) -> list[int]:
        """First samples of the support's sequences, in a row in the wearer's locomotion, and of the query's."""
        settings, generator = self._settings, self._generator
        locomotion = np.flatnonzero(wearer.locomotion)
        first = int(generator.integers(max(1, len(locomotion) - settings.support * settings.sequence)))
        support = locomotion[first :: settings.sequence][: settings.support]
        query = np.where(
            generator.random(settings.query) < settings.locomotion_share,
            generator.choice(locomotion, settings.query),
            generator.integers(len(wearer.imu), size=settings.query),
        )
        missing = settings.support - len(support)
        return [int(start) for start in (*support, *generator.choice(locomotion, missing), *query)]


def _ridge_stage(network: Network, tasks: _Tasks, settings: MetaSettings, progress: Progress | None) -> None:
    """Outer steps through the closed-form solution, on the weights and on the strength of the shrinkage."""
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.15)
    for step in range(settings.steps):
        losses = [_ridge_loss(network, tasks.draw(), tasks.phase(), settings) for _ in range(settings.tasks)]
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, settings.steps, float(loss.detach()))


def _ridge_loss(network: Network, task: _Task, phase: int, settings: MetaSettings) -> Tensor:
    """Loss on the query with the head that fits the support, and without adaptation on everything."""
    plain = activation_loss(network, task.inputs, task.target, task.weight, settings.huber, phase)
    stride = network.config.dilation
    tokens = network.tokens(task.inputs, phase)
    tokens = torch.cat([tokens, torch.ones_like(tokens[..., :1])], dim=2)
    target, weight = task.varied[:, phase::stride], task.varied_weight[:, phase::stride]
    cut = settings.support
    heads = ridge_heads(
        tokens[:cut].flatten(0, 1),
        target[:cut].flatten(0, 1),
        weight[:cut].flatten(0, 1),
        torch.cat([network.head.weight, network.head.bias[:, None]], dim=1),
        settings.strength * CORRELATED / stride,
    )
    error = smooth_l1_loss(tokens[cut:] @ heads.T, target[cut:], reduction="none", beta=settings.huber)
    adapted = (error * weight[cut:]).sum() / weight[cut:].sum().clamp_min(1.0) / settings.huber
    return adapted + settings.plain * plain


def ridge_heads(tokens: Tensor, target: Tensor, weight: Tensor, centre: Tensor, pull: float) -> Tensor:
    """Heads [muscles, inputs] by weighted ridge regression, shrunk towards a centre; gradients pass through.

    Args:
        tokens: [samples, inputs].
        target, weight: [samples, muscles].
        centre: [muscles, inputs].
        pull: samples that the centre is worth.
    """
    weighted = weight.T[:, :, None] * tokens  # [muscles, samples, inputs]
    identity = pull * torch.eye(tokens.shape[1])
    cross = (weighted * target.T[:, :, None]).sum(dim=1)
    solution: Tensor = torch.linalg.solve(weighted.mT @ tokens + identity, cross + pull * centre)
    return solution


def _reptile_stage(network: Network, tasks: _Tasks, settings: MetaSettings, progress: Progress | None) -> None:
    """Outer steps towards the mean of the weights that the tasks come to."""
    shared = list(network.parameters())
    for step in range(settings.steps):
        adapted = [_descended(network, tasks, settings) for _ in range(settings.tasks)]
        share = settings.learning_rate * (1 - step / settings.steps)
        with torch.no_grad():
            for parameter, *ends in zip(shared, *(task.parameters() for task in adapted), strict=True):
                parameter += share * (torch.stack(ends).mean(dim=0) - parameter)
        if progress:
            progress(step + 1, settings.steps, float("nan"))


def _descended(network: Network, tasks: _Tasks, settings: MetaSettings) -> Network:
    """A copy of the network after a few steps of descent in a task."""
    own, task = copy.deepcopy(network).train(), tasks.draw()
    optimiser = torch.optim.Adam(own.parameters(), settings.inner_rate)
    for _ in range(settings.inner_steps):
        loss = activation_loss(own, task.inputs, task.varied, task.varied_weight, settings.huber, tasks.phase())
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
