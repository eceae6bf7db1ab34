"""Protocol `ablation`: the recipe with one change at a time, all on the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import butter, lfilter, lfilter_zi
from scipy.spatial.transform import Rotation
from torch import Tensor

from benchmarks.accuracy import streaming_protocol as streaming
from benchmarks.accuracy.gaussian_pretraining import pretrain_gaussian
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.masked_pretraining import pretrain_masked
from benchmarks.accuracy.models import Budget, FittedNetwork
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import SubjectData, population_reference, trusted_subjects
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, feature_blocks
from imu_emg_estimator.training.episodic_training import EpisodeSettings, train_in_episodes
from imu_emg_estimator.training.pretraining import TrainingSettings, input_normalisation
from imu_emg_estimator.training.recipe import train_network

Transform = Callable[[Recording], Recording]

MOUNT_MEMORY_S = 30.0  # over which a mounting or a subject's statistics are learned


@dataclass(frozen=True)
class Variant:
    """The recipe with one change.

    Attributes:
        group: variants of a group stand together in the table.
        description: for the table.
        training: fields of ``TrainingSettings`` that differ.
        augmentation: fields of ``AugmentationSettings`` that differ.
        shape: fields of ``ModelConfig`` that differ.
        hidden: blocks of the inputs that the network does not receive, see ``masked_imu_features.feature_blocks``.
        transform: applied to every recording in training and scoring; causal, and without labels.
        episodic: trained in episodes, for better adaptation.
        gyroscopes: whether the network uses them; None = as in the recipe.
        gaussian: trained by the Gaussian likelihood of mean and deviation together, without episodes.
        masked: start from weights that were pre-trained on masked IMU data, without EMG.
    """

    group: str
    description: str
    training: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    shape: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    transform: Transform | None = None
    episodic: bool = True
    gyroscopes: bool | None = None
    gaussian: bool = False
    masked: bool = False


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Train a variant on all subjects except those left out, and score the latter.

    Settings of the job: ``budget`` (Budget), ``recipe`` (TrainingSettings), ``seconds`` of calibration to
    compare, ``adaptation`` (AdaptationSettings); the job's model is a name in ``ABLATIONS``.
    """
    variant = ABLATIONS[job.model]
    if variant.transform:
        recordings = [variant.transform(recording) for recording in recordings]
    kept = [recording for recording in recordings if recording.subject not in job.left_out]
    budget: Budget = job.settings["budget"]
    if variant.gyroscopes is not None:
        budget = replace(budget, gyroscopes=variant.gyroscopes)
    fitted = fit(budget.training_set(kept), variant, budget, job.settings["recipe"], job.seed)
    return streaming.score_left_out(fitted, recordings, job, shown=False)


def fit(
    recordings: Sequence[Recording], variant: Variant, budget: Budget, recipe: TrainingSettings, seed: int
) -> FittedNetwork:
    """Train a variant of the recipe on all subjects of the recordings that have trusted EMG."""
    rig = recordings[0].rig
    subjects = list(trusted_subjects(recordings).values())
    settings = varied(recipe, variant, seed)
    config = budget.config(rig, look_ahead_s=settings.look_ahead_s, **variant.shape)
    if variant.masked:
        imu = [recording.imu for recording in recordings]
        network, normalisation = _pretrain_masked_then_in_episodes(imu, subjects, rig, config, settings)
    elif variant.gaussian:
        network, normalisation = pretrain_gaussian(subjects, rig, config, settings)
    else:
        architecture = partial(Blind, variant.hidden) if variant.hidden else GegluTransformer
        network, normalisation = train_network(subjects, rig, config, settings, None, architecture, variant.episodic)
    amplitude = population_reference(np.array([subject.reference for subject in subjects]), rig)
    return FittedNetwork(Estimator(network, normalisation, amplitude))


def _pretrain_masked_then_in_episodes(
    imu: Sequence[FloatArray],
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
) -> tuple[Network, Normalisation]:
    normalisation = input_normalisation(subjects)
    initial = Estimator(
        pretrain_masked(imu, rig, config, settings, normalisation), normalisation, np.ones(config.muscles)
    )
    trained = train_in_episodes(initial, subjects, rig, EpisodeSettings(training=settings))
    return trained.network, normalisation


def varied(recipe: TrainingSettings, variant: Variant, seed: int) -> TrainingSettings:
    """Apply the variant's changes to the recipe."""
    augmentation = replace(recipe.augmentation, **variant.augmentation)
    return replace(recipe, seed=seed, augmentation=augmentation, **variant.training)


class Blind(GegluTransformer):
    """This package's network with some blocks of its inputs hidden."""

    def __init__(self, hidden: Sequence[str], config: ModelConfig) -> None:
        super().__init__(config)
        self.hidden = hidden

    def tokens(self, features: Tensor, phase: int | None = None) -> Tensor:
        features = features.clone()
        for name in self.hidden:
            features[..., feature_blocks(self.config.inputs)[name]] = 0.0
        return super().tokens(features, phase)


# causal transformations of a recording, without labels


def rates_from_acceleration(recording: Recording) -> Recording:
    """Replace missing angular rates by those of the direction of gravity: g x dg/dt / |g|².

    Rotations about the vertical are lost, and slow accelerations count as gravity.
    """
    imu = recording.imu.copy()
    gravity = _slow(_filled(imu[..., :3]), 2.0, recording.rig.rate)
    change = np.gradient(gravity, axis=0) * recording.rig.rate
    # In the sensor's frame, a vector fixed in the world rotates opposite to the sensor.
    rates = -np.cross(gravity, change) / np.maximum((gravity**2).sum(axis=-1, keepdims=True), 1.0)
    missing = ~np.isfinite(imu[..., 3:]).all(axis=-1)
    imu[..., 3:][missing] = rates[missing]
    return replace(recording, imu=imu)


def gravity_aligned(recording: Recording) -> Recording:
    """Rotate each sensor so that its mean acceleration of the last half minute points along its main axis."""
    mean = _running_mean(_filled(recording.imu[..., :3]), recording.rig.rate)
    samples, sensors = mean.shape[:2]
    unit = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
    main = np.abs(unit.mean(axis=0)).argmax(axis=-1)
    target = np.zeros((sensors, 3))
    target[np.arange(sensors), main] = np.sign(unit.mean(axis=0)[np.arange(sensors), main])
    axis = np.cross(unit, target)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = (unit * target).sum(axis=-1, keepdims=True)
    turns = axis / np.maximum(sine, 1e-9) * np.arctan2(sine, cosine)
    matrices = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(samples, sensors, 3, 3)
    parts = recording.imu.reshape(samples, sensors, 2, 3)
    turned = np.einsum("tsij,tspj->tspi", matrices, parts).reshape(recording.imu.shape)
    return replace(recording, imu=turned.astype(np.float32))


def running_normalisation(recording: Recording) -> Recording:
    """Standardise every channel by its running mean and deviation, as for a subject who just put the sensors on."""
    filled = _filled(recording.imu)
    mean = _running_mean(filled, recording.rig.rate)
    variance = _running_mean((filled - mean) ** 2, recording.rig.rate)
    least = np.array([0.5] * 3 + [0.2] * 3) ** 2  # avoids amplifying the noise of a sensor at rest
    normalised = (recording.imu - mean) / np.sqrt(np.maximum(variance, least))
    return replace(recording, imu=normalised.astype(np.float32))


def _filled(values: FloatArray) -> FloatArray:
    """Replace missing values by the last known one, or by zero before the first."""
    known = np.isfinite(values)
    index = np.where(known, np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1)), 0)
    last = np.take_along_axis(values, np.maximum.accumulate(index, axis=0), axis=0)
    return np.where(np.isfinite(last), last, 0.0)


def _slow(values: FloatArray, corner: float, rate: float) -> FloatArray:
    """Filter by a causal first-order low-pass that starts at the first value."""
    b, a = butter(1, corner, fs=rate)
    start = lfilter_zi(b, a).reshape(-1, *[1] * (values.ndim - 1)) * values[:1]
    result: FloatArray = lfilter(b, a, values, axis=0, zi=start)[0]
    return result


def _running_mean(values: FloatArray, rate: float) -> FloatArray:
    """Average all samples so far, at most those of the last half minute; causal."""
    keep = 1.0 - 1.0 / (MOUNT_MEMORY_S * rate)
    total = lfilter([1.0], [1.0, -keep], values, axis=0)
    count = lfilter([1.0], [1.0, -keep], np.ones(len(values)))
    result: FloatArray = total / count.reshape(-1, *[1] * (values.ndim - 1))
    return result


REFERENCE = "recipe"  # the variant with which all others are compared
ABLATIONS: dict[str, Variant] = {
    REFERENCE: Variant("recipe", "the recipe as it is"),
    "no_augmentation": Variant(
        "augmentation",
        "none",
        augmentation={
            "mirror": 0.0,
            "mount_rotation": 0.0,
            "gain": 0.0,
            "sensor_dropout": 0.0,
            "gyroscope_dropout": 0.0,
        },
    ),
    "no_mirror": Variant("augmentation", "legs not exchanged", augmentation={"mirror": 0.0}),
    "no_rotation": Variant("augmentation", "mounts not turned", augmentation={"mount_rotation": 0.0}),
    "rotation_20": Variant("augmentation", "mounts turned by 20° instead of 8°", augmentation={"mount_rotation": 20.0}),
    "no_gain": Variant("augmentation", "no gain", augmentation={"gain": 0.0}),
    "noise": Variant("augmentation", "white noise of 0.3 m/s² and rad/s", augmentation={"noise": 0.3}),
    "tempo": Variant("augmentation", "replayed 10 % faster or slower", augmentation={"tempo": 0.1}),
    "no_dropout": Variant(
        "augmentation", "no sensor missing", augmentation={"sensor_dropout": 0.0, "gyroscope_dropout": 0.0}
    ),
    "no_gyroscopes": Variant("gyroscopes", "accelerometers alone", gyroscopes=False),
    "gyroscopes": Variant("gyroscopes", "with gyroscopes, corrupted ones masked", gyroscopes=True),
    "acceleration_rates": Variant(
        "gyroscopes",
        "with gyroscopes, corrupted ones replaced by rates from the accelerometers",
        transform=rates_from_acceleration,
        gyroscopes=True,
    ),
    "no_magnitudes": Variant("inputs", "axes alone, no magnitudes", hidden=("magnitudes", "changes")),
    "no_changes": Variant("inputs", "no magnitudes of changes", hidden=("changes",)),
    "gravity_aligned": Variant("inputs", "mounts turned to gravity, live", transform=gravity_aligned),
    "running_normalisation": Variant(
        "inputs", "normalised by the subject's running statistics", transform=running_normalisation
    ),
    "forecast_100": Variant("look-ahead", "forecast of 100 ms", {"look_ahead_s": -0.1}),
    "forecast_51": Variant("look-ahead", "forecast of 51 ms", {"look_ahead_s": -0.051}),
    "look_ahead_0": Variant("look-ahead", "0 ms", {"look_ahead_s": 0.0}),
    "look_ahead_100": Variant("look-ahead", "100 ms", {"look_ahead_s": 0.1}),
    "look_ahead_200": Variant("look-ahead", "200 ms", {"look_ahead_s": 0.2}),
    "band_8": Variant("window", "8 tokens", shape={"band": 8}),
    "band_32": Variant("window", "32 tokens", shape={"band": 32}, training={"sequence": 512, "batch": 16}),
    "band_64": Variant("window", "64 tokens", shape={"band": 64}, training={"sequence": 512, "batch": 16}),
    "width_32": Variant("size", "width 32", shape={"width": 32, "feedforward": 64}),
    "width_96": Variant("size", "width 96", shape={"width": 96, "feedforward": 192}),
    "dropout_10": Variant("size", "dropout of 0.1 instead of 0.3", shape={"dropout": 0.1}),
    "layers_2": Variant("size", "2 layers", shape={"layers": 2}),
    "layers_5": Variant("size", "5 layers", shape={"layers": 5}),
    "huber": Variant("loss", "Huber's alone", training={"correlation_share": 0.0}),
    "plain": Variant("episodes", "none: plain pre-training", episodic=False),
    "plain_huber": Variant("episodes", "none, Huber's loss alone", {"correlation_share": 0.0}, episodic=False),
    "plain_mse": Variant("episodes", "none, squared error", {"correlation_share": 0.0, "huber": 20.0}, episodic=False),
    "plain_gaussian": Variant("episodes", "none, Gaussian likelihood", gaussian=True, episodic=False),
    "masked_pretraining": Variant("pre-training", "self-supervised on masked IMU data first", masked=True),
}
