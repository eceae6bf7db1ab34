"""Models of the accuracy benchmark: training on a fold, estimation, adaptation, and storage.

All networks share inputs, look-ahead, budget and recipe; they differ in what their tokens go through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from benchmarks.accuracy import simple_baselines as references
from benchmarks.accuracy.adaptation_methods import adapt_estimator
from benchmarks.accuracy.baseline_networks import CnnLstmNetwork, GeluTransformer, LstmNetwork, MlpNetwork, TcnNetwork
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network, weights_of
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import by_subject, population_reference, trusted_subjects
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.training.data_splits import folds_of
from imu_emg_estimator.training.pretraining import TrainingSettings, model_config
from imu_emg_estimator.training.recipe import train_network
from imu_emg_estimator.utils.atomic_files import write_atomically

FORMAT_VERSION = 1
Settings = Mapping[str, float]  # hyperparameters that differ between the candidates of a model

ARCHITECTURES: dict[str, Callable[[ModelConfig], Network]] = {
    "mlp": MlpNetwork,
    "lstm": LstmNetwork,
    "cnn_lstm": CnnLstmNetwork,
    "tcn": TcnNetwork,
    "gelu_transformer": GeluTransformer,
    "geglu_transformer": GegluTransformer,
}
# The same candidates for every network: equal tuning effort.
GRID: tuple[Settings, ...] = (
    {"learning_rate": 1e-3, "dropout": 0.1},
    {"learning_rate": 2e-3, "dropout": 0.1},
    {"learning_rate": 2e-3, "dropout": 0.3},
)


class Fitted(Protocol):
    """A model trained on the subjects of a fold, possibly adapted to one more."""

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        """Estimate the concatenated envelopes [samples, muscles] causally, in the EMG's unit; NaN = unknown."""
        ...

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> Fitted:
        """Return a model adapted to the subject of these recordings; this one is unchanged."""
        ...


@dataclass(frozen=True)
class Budget:
    """Training budget of every network on a fold, and their common shape.

    Attributes:
        steps: optimiser steps.
        batch: sequences a step.
        sequence: samples a sequence.
        shape: hyperparameters of ``ModelConfig`` that differ from a rig's default.
        episodic: every network learns in episodes to be adapted, or all learn plainly; see ``train_network``.
        gyroscopes: whether models look at them.
    """

    steps: int = 500
    batch: int = 32
    sequence: int = 256
    shape: Mapping[str, Any] = field(default_factory=dict)
    episodic: bool = True
    gyroscopes: bool = True

    def training_set(self, recordings: Sequence[Recording]) -> list[Recording]:
        """Return the recordings for training, without gyroscopes if so set; the model then ignores these."""
        return list(recordings) if self.gyroscopes else [recording.without_gyroscopes() for recording in recordings]

    def config(self, rig: Rig, **overrides: Any) -> ModelConfig:
        """Return the shape of a network for a rig."""
        return model_config(rig, **{**self.shape, **overrides})


class Fit(Protocol):
    """Train a model on all subjects of the recordings that have trusted EMG."""

    def __call__(
        self,
        recordings: Sequence[Recording],
        budget: Budget,
        seed: int,
        settings: Settings | None = None,
    ) -> Fitted: ...


@dataclass(frozen=True)
class BenchmarkModel:
    """A row of the table.

    Attributes:
        fit: trains it; without ``settings`` at its usual hyperparameters.
        grid: candidates to tune it over; one that chooses by itself has none.
    """

    name: str
    description: str
    fit: Fit
    grid: tuple[Settings, ...] = ()


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network of any architecture."""

    estimator: Estimator

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        network, normalisation = self.estimator.network, self.estimator.normalisation
        activation = [estimate_recording(network, normalisation, recording.imu)[0] for recording in recordings]
        envelopes: FloatArray = np.concatenate(activation) * self.estimator.amplitude
        return envelopes

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> FittedNetwork:
        return FittedNetwork(adapt_estimator(self.estimator, calibration, settings))


def recipe_of(
    budget: Budget, rig: Rig, seed: int, settings: Settings | None, **shape: Any
) -> tuple[TrainingSettings, ModelConfig]:
    """Combine a budget and hyperparameters into training settings; keywords override the resulting shape."""
    chosen = dict(settings or {})
    recipe = TrainingSettings(steps=budget.steps, batch=budget.batch, sequence=budget.sequence, seed=seed)
    recipe = replace(recipe, learning_rate=chosen.pop("learning_rate", recipe.learning_rate))
    return recipe, budget.config(rig, **{**chosen, **shape})


def fit_network(
    architecture: str,
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
) -> FittedNetwork:
    """Train a network of ``ARCHITECTURES``; settings: ``learning_rate`` and any of ``ModelConfig``."""
    subjects, rig = trusted_subjects(recordings), recordings[0].rig
    recipe, config = recipe_of(budget, rig, seed, settings)
    network, normalisation = train_network(
        list(subjects.values()), rig, config, recipe, None, ARCHITECTURES[architecture], budget.episodic
    )
    amplitude = population_reference(np.array([subject.reference for subject in subjects.values()]), rig)
    return FittedNetwork(Estimator(network, normalisation, amplitude))


def _network(name: str, description: str) -> BenchmarkModel:
    return BenchmarkModel(name, description, partial(fit_network, name), GRID)


def _fit_mean_profile(
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
) -> Fitted:
    return references.fit_mean_profile(recordings, trusted_subjects(recordings))


def _fit_ridge(
    recordings: Sequence[Recording],
    budget: Budget,
    seed: int,
    settings: Settings | None = None,
) -> Fitted:
    rig = recordings[0].rig
    return references.fit_ridge(trusted_subjects(recordings), rig, budget.config(rig))


MODELS: dict[str, BenchmarkModel] = {
    model.name: model
    for model in (
        BenchmarkModel("mean_profile", "mean of the true activity (an oracle)", _fit_mean_profile),
        BenchmarkModel("ridge", "ridge regression on lagged samples, strength from inner folds", _fit_ridge),
        _network("mlp", "multilayer perceptron over a window of convolved samples"),
        _network("lstm", "two LSTM layers on the samples"),
        _network("cnn_lstm", "convolution, two LSTM layers"),
        _network("tcn", "convolution, dilated residual convolutions"),
        _network("gelu_transformer", "convolution, attention, plain GELU feed-forward"),
        _network("geglu_transformer", "convolution, attention, GEGLU feed-forward (this package's)"),
    )
}  # fmt: skip


# tuning


def tuning_scores(
    model: BenchmarkModel,
    recordings: Sequence[Recording],
    budget: Budget,
    inner_folds: int = 3,
    seed: int = 0,
) -> list[float]:
    """Return each candidate's mean r in locomotion, uncalibrated, over the subjects left out of each inner fold."""
    groups = by_subject(recordings)
    folds = folds_of(list(groups), inner_folds)
    means: list[float] = []
    for candidate in model.grid:
        found: list[float] = []
        for left_out in folds:
            kept = [recording for recording in recordings if recording.subject not in left_out]
            fitted = model.fit(kept, budget, seed, candidate)
            found += [locomotion_r(fitted, groups[subject]) for subject in left_out]
        means.append(float(np.nanmean(found)))
    return means


def locomotion_r(fitted: Fitted, recordings: Sequence[Recording]) -> float:
    """Return r of one subject in locomotion, mean over trusted muscles; NaN if undefined."""
    moving = np.concatenate([recording.is_movement() for recording in recordings])
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    if not len(trusted) or not moving.any():
        return float("nan")
    estimated = fitted.estimate(recordings)
    measured = np.concatenate([recording.envelope for recording in recordings])
    return float(np.nanmean([score(measured[moving, muscle], estimated[moving, muscle]).r for muscle in trusted]))


# storage


def save(fitted: Fitted, path: Path) -> None:
    """Write a trained model atomically: tensors, and one JSON text in their metadata."""
    document, tensors = _parts(fitted)
    document["format_version"] = FORMAT_VERSION
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    write_atomically(Path(path), save_tensors(arrays, metadata={"fitted": json.dumps(document)}))


def load(path: Path) -> Fitted:
    """Read a file of ``save``; raise InputError that names the file."""
    try:
        payload = Path(path).read_bytes()
        tensors = load_tensors(payload)
        length = int.from_bytes(payload[:8], "little")
        document = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["fitted"])
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError("of another format version")
        return _from_parts(document, tensors)
    except OSError as error:
        raise InputError(f"trained model {path} cannot be read ({error.strerror}); run the benchmark again") from None
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
        raise InputError(f"trained model {path} is damaged or of another version; remove it and run again") from None


def _parts(fitted: Fitted) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if isinstance(fitted, FittedNetwork):
        network = fitted.estimator.network
        names = [name for name, kind in ARCHITECTURES.items() if type(network) is kind]
        if not names:
            raise ValueError(f"a {type(network).__name__} is no architecture of the benchmark")
        document: dict[str, Any] = {
            "kind": "network",
            "architecture": names[0],
            "config": network.config.to_dict(),
        }
        tensors: dict[str, NDArray[Any]] = {f"network.{name}": value for name, value in weights_of(network).items()}
        normalisation = fitted.estimator.normalisation
        tensors |= {"mean": normalisation.mean, "std": normalisation.std, "amplitude": fitted.estimator.amplitude}
        return document, tensors
    if isinstance(fitted, references.KINDS):
        return references.parts(fitted)
    raise ValueError(f"a {type(fitted).__name__} cannot be saved")


def _from_parts(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Fitted:
    if document["kind"] != "network":
        return references.from_parts(document, tensors)
    network = ARCHITECTURES[document["architecture"]](ModelConfig.from_dict(document["config"]))
    prefix = "network."
    network.load_state_dict(
        {name.removeprefix(prefix): torch.from_numpy(v) for name, v in tensors.items() if name.startswith(prefix)}
    )
    normalisation = Normalisation(tensors["mean"], tensors["std"])
    return FittedNetwork(Estimator(network.eval(), normalisation, tensors["amplitude"]))
