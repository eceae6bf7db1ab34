"""Models of whole gait cycles, not causal: all points of the IMU signals in, all points of the activation out.

Networks are the causal ones of the streaming protocol, given each cycle twice in a row and read at the second
pass: each point's input then spans a whole cycle, whose end leads into its start, as in steady gait.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch

from benchmarks.accuracy.gait_cycles import Cycles, Scale
from benchmarks.accuracy.models import ARCHITECTURES, GRID, Settings
from benchmarks.accuracy.regression import Sums, ridge, ridge_of_few
from imu_emg_estimator.model.activation_loss import activation_loss
from imu_emg_estimator.model.causal_network import Network
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, features, fit_normalisation
from imu_emg_estimator.signals.stride_detection import POINTS
from imu_emg_estimator.training.augmentation import AugmentationSettings, augment
from imu_emg_estimator.training.pretraining import model_config

MODEL_NAMES = ("mean_profile", "ridge", *ARCHITECTURES)
AVERAGED_POINTS = 5  # by the ridge, at a time
# Dilation 7 and band 15 span 105 points, and the front end those in between: the whole cycle.
SHAPE: Mapping[str, Any] = {"dilation": 7, "band": 15, "kernel": 9, "look_ahead": 0}


@dataclass(frozen=True)
class CycleSettings:
    """Settings of the gait-cycle comparison; all networks share one recipe.

    Attributes:
        steps: optimiser steps of the pre-training.
        batch: cycles per step.
        candidates: hyperparameters; the best of several is chosen on an inner fold.
        few_shot: numbers of gait cycles of each leg to adapt on, the first in time.
        share: share of the subject's cycles to adapt on, as another amount.
        tuning_steps, tuning_rate, anchor: steps, peak learning rate and pull to the pre-trained weights of adaptation.
        seed: of all random draws.
    """

    steps: int = 400
    batch: int = 64
    candidates: tuple[Settings, ...] = (GRID[1],)
    few_shot: tuple[int, ...] = (10, 20)
    share: float = 0.005
    tuning_steps: int = 60
    tuning_rate: float = 1e-3
    anchor: float = 0.03
    shape: Mapping[str, Any] = field(default_factory=lambda: dict(SHAPE))
    seed: int = 0


class CycleModel(Protocol):
    """Estimate activation [cycles, 101, muscles] from IMU cycles [cycles, 101, sensors, 6]."""

    def activation(self, imu: FloatArray) -> FloatArray: ...

    def tuned(self, imu: FloatArray, target: FloatArray, weight: FloatArray, settings: CycleSettings) -> CycleModel:
        """Adapt to a subject by all of its cycles; the target is activation, weight [cycles, muscles]."""
        ...


@dataclass(frozen=True)
class PhaseProfile:
    """The mean cycle [101, muscles], independent of the IMUs."""

    profile: FloatArray

    def activation(self, imu: FloatArray) -> FloatArray:
        return np.tile(self.profile, (len(imu), 1, 1))

    def tuned(self, imu: FloatArray, target: FloatArray, weight: FloatArray, settings: CycleSettings) -> PhaseProfile:
        return self  # it can learn nothing beyond the affine fit


@dataclass(frozen=True)
class CycleRidge:
    """Linear regression of every point of the cycle on the whole cycle of the IMUs.

    Attributes:
        coefficients: [muscles, inputs + 1, 101].
    """

    coefficients: FloatArray
    normalisation: Normalisation

    def activation(self, imu: FloatArray) -> FloatArray:
        return np.stack([_cycle_rows(imu, self.normalisation) @ each for each in self.coefficients], axis=2)

    def tuned(self, imu: FloatArray, target: FloatArray, weight: FloatArray, settings: CycleSettings) -> CycleRidge:
        rows = _cycle_rows(imu, self.normalisation)
        coefficients = self.coefficients.copy()
        for muscle in np.flatnonzero(weight.any(axis=0)):
            own = weight[:, muscle] > 0
            coefficients[muscle] = ridge_of_few(rows[own], target[own, :, muscle], coefficients[muscle])
        return replace(self, coefficients=coefficients)


@dataclass(frozen=True)
class CycleNetwork:
    """A network that reads the cycle twice."""

    network: Network
    normalisation: Normalisation

    @torch.no_grad()
    def activation(self, imu: FloatArray) -> FloatArray:
        parts = [self.network(_twice(imu[i : i + 256], self.normalisation))[0] for i in range(0, len(imu), 256)]
        return np.asarray(torch.cat(parts)[:, POINTS:].numpy())

    def tuned(self, imu: FloatArray, target: FloatArray, weight: FloatArray, settings: CycleSettings) -> CycleNetwork:
        """Adapt all weights, as the paper does."""
        network = copy.deepcopy(self.network)
        generator = np.random.default_rng(settings.seed)

        def draw() -> tuple[FloatArray, FloatArray, FloatArray]:
            chosen = generator.integers(len(imu), size=min(settings.batch, len(imu)))
            return imu[chosen], target[chosen], weight[chosen]

        torch.manual_seed(settings.seed)
        optimiser = torch.optim.Adam(network.parameters(), settings.tuning_rate)
        _train(network, self.normalisation, draw, optimiser, settings.tuning_steps, settings.anchor)
        return replace(self, network=network)


@dataclass(frozen=True)
class TrainingSubject:
    """Training cycles of a subject: activation as the target [cycles, 101, muscles], weight [cycles, muscles]."""

    imu: FloatArray
    target: FloatArray
    weight: FloatArray


def training_subject(cycles: Cycles, scale: Scale) -> TrainingSubject:
    """Select the cycles with a known muscle, with activation as the target; unknown muscles get weight 0."""
    cycles = cycles.take(np.flatnonzero(cycles.known().any(axis=1)))
    known = cycles.known() & np.isfinite(scale.span)
    target = np.where(known[:, None], scale.activation(cycles.envelope), 0.0)
    return TrainingSubject(cycles.imu, target.astype(np.float32), known.astype(np.float32))


def fit(
    name: str,
    subjects: Sequence[TrainingSubject],
    rig: Rig,
    settings: CycleSettings,
) -> CycleModel:
    """Train a model of ``MODEL_NAMES`` on the cycles of all subjects, weighted equally."""
    if name == "mean_profile":
        return PhaseProfile(_mean_profile(subjects))
    normalisation = fit_normalisation(
        [subject.imu[:, ::AVERAGED_POINTS].reshape(-1, *subject.imu.shape[2:]) for subject in subjects]
    )
    if name == "ridge":
        return _fit_ridge(subjects, rig, normalisation)
    chosen = _chosen_candidate(name, subjects, rig, normalisation, settings)
    return _fit_network(name, subjects, rig, normalisation, settings, chosen)


def _mean_profile(subjects: Sequence[TrainingSubject]) -> FloatArray:
    means = np.full((len(subjects), *subjects[0].target.shape[1:]), np.nan)
    for mean, subject in zip(means, subjects, strict=True):
        for muscle in np.flatnonzero(subject.weight.any(axis=0)):
            mean[:, muscle] = subject.target[subject.weight[:, muscle] > 0, :, muscle].mean(axis=0)
    return np.asarray(np.nanmean(means, axis=0))


def _fit_ridge(subjects: Sequence[TrainingSubject], rig: Rig, normalisation: Normalisation) -> CycleRidge:
    sums: list[list[Sums]] = [[] for _ in rig.muscles]
    for subject in subjects:
        versions = [subject, _mirrored(subject, rig)] if rig.is_mirrorable else [subject]
        rows = np.concatenate([_cycle_rows(version.imu, normalisation) for version in versions])
        target = np.concatenate([version.target for version in versions])
        weight = np.concatenate([version.weight for version in versions])
        for muscle, parts in enumerate(sums):
            own = weight[:, muscle] / max(float(weight[:, muscle].sum()), 1.0)
            parts.append(Sums.of(rows, target[:, :, muscle], own))
    return CycleRidge(np.stack([ridge(parts) for parts in sums]), normalisation)


def _mirrored(subject: TrainingSubject, rig: Rig) -> TrainingSubject:
    """Mirror the other leg's cycles."""
    imu = subject.imu[:, :, rig.mirror_sensors()] * rig.mirror_signs().astype(subject.imu.dtype)
    muscles = rig.mirror_muscles()
    return TrainingSubject(imu, subject.target[:, :, muscles], subject.weight[:, muscles])


def _cycle_rows(imu: FloatArray, normalisation: Normalisation) -> FloatArray:
    """Return the inputs of the ridge [cycles, inputs + 1]: averages over every 5 points, and 1."""
    inputs = _features(imu, normalisation)[:, : POINTS - 1]
    means = inputs.reshape(len(imu), -1, AVERAGED_POINTS, inputs.shape[2]).mean(axis=2)
    return np.concatenate([means.reshape(len(imu), -1), np.ones((len(imu), 1), means.dtype)], axis=1)


def _features(imu: FloatArray, normalisation: Normalisation) -> FloatArray:
    return np.stack([features(cycle, normalisation) for cycle in imu])


def _twice(imu: FloatArray, normalisation: Normalisation) -> torch.Tensor:
    """Return the features of cycles repeated twice [cycles, 202, inputs]."""
    return torch.from_numpy(np.tile(_features(imu, normalisation), (1, 2, 1)))


def _chosen_candidate(
    name: str, subjects: Sequence[TrainingSubject], rig: Rig, normalisation: Normalisation, settings: CycleSettings
) -> Settings:
    """Choose the candidate with the least error on every fourth training subject, left out for this."""
    if len(settings.candidates) == 1:
        return settings.candidates[0]
    kept = [subject for index, subject in enumerate(subjects) if index % 4]
    errors = []
    for candidate in settings.candidates:
        model = _fit_network(name, kept, rig, normalisation, settings, candidate)
        errors.append(float(np.mean([_error(model, subject) for subject in subjects[::4]])))
    return settings.candidates[int(np.argmin(errors))]


def _error(model: CycleModel, subject: TrainingSubject) -> float:
    """Return the mean squared error of a subject's activation."""
    squared = (model.activation(subject.imu) - subject.target) ** 2
    return float((squared.mean(axis=1) * subject.weight).sum() / subject.weight.sum())


def _fit_network(
    name: str,
    subjects: Sequence[TrainingSubject],
    rig: Rig,
    normalisation: Normalisation,
    settings: CycleSettings,
    candidate: Settings,
) -> CycleNetwork:
    hyperparameters: dict[str, Any] = {**settings.shape, **candidate}
    learning_rate = float(hyperparameters.pop("learning_rate"))
    generator = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    network = ARCHITECTURES[name](model_config(rig, **hyperparameters))

    def draw() -> tuple[FloatArray, FloatArray, FloatArray]:
        chosen = [subjects[index] for index in generator.integers(len(subjects), size=settings.batch)]
        places = [int(generator.integers(len(subject.imu))) for subject in chosen]
        imu = np.stack([subject.imu[place] for subject, place in zip(chosen, places, strict=True)])
        target = np.stack([subject.target[place] for subject, place in zip(chosen, places, strict=True)])
        weight = np.stack([subject.weight[place] for subject, place in zip(chosen, places, strict=True)])
        dense = np.broadcast_to(weight[:, None], target.shape)
        imu, target, dense = augment(imu, target, dense, rig, AugmentationSettings(), generator)
        return imu, target, dense[:, 0]

    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.05)
    _train(network, normalisation, draw, optimiser, settings.steps)
    return CycleNetwork(network, normalisation)


def _train(
    network: Network,
    normalisation: Normalisation,
    draw: Callable[[], tuple[FloatArray, FloatArray, FloatArray]],
    optimiser: torch.optim.Optimizer,
    steps: int,
    anchor: float = 0.0,
) -> None:
    """Optimise on drawn cycles (imu, target, weight [cycles, muscles]); only the second pass counts."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).train()
    start = [parameter.detach().clone() for parameter in network.parameters()]
    peak = float(optimiser.param_groups[0]["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, steps, pct_start=0.15)
    phases = np.random.default_rng(steps)
    for _ in range(steps):
        imu, target, weight = draw()
        dense = np.broadcast_to(weight[:, None], target.shape)
        x = _twice(imu, normalisation)
        y, w = (torch.from_numpy(np.concatenate([np.zeros_like(part), part], axis=1)) for part in (target, dense))
        phase = int(phases.integers(network.config.dilation))
        loss = activation_loss(network, x.to(device), y.to(device), w.to(device), huber=0.5, phase=phase)
        if anchor:
            pairs = zip(network.parameters(), start, strict=True)
            loss = loss + anchor * torch.stack([((now - then) ** 2).sum() for now, then in pairs]).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    network.cpu().eval()
