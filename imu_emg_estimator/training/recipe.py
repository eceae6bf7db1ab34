"""The recipe: everything that turns many subjects' recordings into a bundle, each step chosen by the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.causal_network import Estimator, GegluTransformer, Network, weights_of
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import (
    REFERENCE_PERCENTILE,
    SubjectData,
    population_reference,
    trusted_subjects,
)
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.masked_imu_features import Normalisation, fit_ranges
from imu_emg_estimator.training.checkpoints import Checkpoint
from imu_emg_estimator.training.episodic_training import EpisodeSettings, pretrain_in_episodes
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution
from imu_emg_estimator.training.pretraining import (
    TrainingSettings,
    model_config,
    pretrain,
)
from imu_emg_estimator.utils.progress import StepProgress

RECIPE = EpisodeSettings().training  # the budget and settings of what is shipped


def train_network(
    subjects: Sequence[SubjectData],
    rig: Rig,
    config: ModelConfig,
    settings: TrainingSettings,
    progress: StepProgress | None = None,
    architecture: Callable[[ModelConfig], Network] = GegluTransformer,
    episodic: bool = True,
    checkpoint: Checkpoint | None = None,
) -> tuple[Network, Normalisation]:
    """Train a network on many subjects: in episodes that teach it to be adapted, or plainly.

    Plainly, too, where no locomotion is labelled: an episode is a calibration, and those are of locomotion.
    """
    if episodic and any(subject.locomotion.any() for subject in subjects):
        episodes = EpisodeSettings(training=settings)
        return pretrain_in_episodes(subjects, rig, config, episodes, progress, architecture, checkpoint)
    return pretrain(subjects, rig, config, settings, progress, architecture, checkpoint)


def train_estimator(
    recordings: Sequence[Recording],
    settings: TrainingSettings | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: StepProgress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Estimator:
    """Train on all subjects of these recordings that have trusted EMG, see ``train_network``.

    Args:
        overrides: hyperparameters of the network that differ from the default.
        checkpoint: to go on from, and to keep.

    Raises:
        InputError: no subject has trusted EMG.
    """
    settings = settings or RECIPE
    subjects, rig = list(trusted_subjects(recordings).values()), recordings[0].rig
    config = model_config(rig, settings.look_ahead_s, **(overrides or {}))
    network, normalisation = train_network(subjects, rig, config, settings, progress, checkpoint=checkpoint)
    amplitude = population_reference(np.array([subject.reference for subject in subjects]), rig)
    return Estimator(network, normalisation, amplitude)


def train_bundle(
    recordings: Sequence[Recording],
    name: str,
    dataset: str,
    settings: TrainingSettings | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: StepProgress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Bundle:
    """Train as ``train_estimator`` does, and bundle the result with the distribution of the subjects' motion."""
    settings = settings or RECIPE
    estimator = train_estimator(recordings, settings, overrides, progress, checkpoint)
    subjects = sorted({recording.subject for recording in recordings if (recording.muscle_weight > 0).any()})
    return Bundle(
        name=name,
        config=estimator.network.config,
        rig=recordings[0].rig,
        envelope=EnvelopeSettings(),
        normalisation=estimator.normalisation,
        reference=Reference(
            amplitude=tuple(float(value) for value in estimator.amplitude),
            unit=recordings[0].envelope_unit,
            definition="the amplitude closest, relatively, to the training subjects' own "
            f"{REFERENCE_PERCENTILE:g}th percentiles of the EMG envelope in the rig's movements",
        ),
        weights=weights_of(estimator.network),
        training={
            "dataset": dataset,
            "subjects": subjects,
            "episodes": any(recording.is_movement().any() for recording in recordings),
            "settings": settings.to_dict(),
        },
        distribution=_distribution(recordings),
        ranges=fit_ranges([recording.imu for recording in recordings if recording.subject in subjects]),
    )


def _distribution(recordings: Sequence[Recording]) -> Distribution | None:
    """Fit the distribution of the subjects' motion; None if there are too few subjects."""
    try:
        return fit_distribution(recordings)
    except InputError:
        return None
