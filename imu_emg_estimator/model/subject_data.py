"""One subject's recordings as training data: IMU samples, activations and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig

REFERENCE_PERCENTILE = 95.0  # of a subject's envelope in locomotion: an activation of 1
MAX_TARGET = 3.0  # references; beyond, an envelope is an artefact and would dominate the loss


@dataclass(frozen=True)
class SubjectData:
    """All recordings of one subject, joined, with activation as the target.

    Attributes:
        imu: [samples, sensors, 6].
        target, weight: [samples, muscles], target in references.
        starts: index of the first sample of each recording, and the total at the end.
        locomotion: [samples].
        reference: [muscles] envelope [its own unit] that stands for an activation of 1; NaN where never trusted.
    """

    imu: FloatArray
    target: FloatArray
    weight: FloatArray
    starts: NDArray[Any]
    locomotion: NDArray[Any]
    reference: FloatArray


def reference_amplitude(recordings: Sequence[Recording]) -> FloatArray:
    """Return the envelope [muscles] that stands for an activation of 1 in these recordings of one subject.

    It is the 95th percentile of the envelope in locomotion, or over everything where no
    locomotion is labelled. NaN for muscles that are not trusted or never measured.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    locomotion = np.concatenate([recording.is_movement() for recording in recordings])
    trusted = np.max([recording.muscle_weight for recording in recordings], axis=0) > 0
    reference = np.full(envelope.shape[1], np.nan)
    for muscle in np.flatnonzero(trusted):
        known = envelope[np.isfinite(envelope[:, muscle]), muscle]
        moving = envelope[np.isfinite(envelope[:, muscle]) & locomotion, muscle]
        chosen = moving if len(moving) else known
        if len(chosen) and (amplitude := float(np.percentile(chosen, REFERENCE_PERCENTILE))) > 0:
            reference[muscle] = amplitude
    return reference


def population_reference(references: FloatArray, rig: Rig | None = None) -> FloatArray:
    """Return the one amplitude [muscles] for a subject of whom nothing is known.

    It minimises the mean over subjects of (amplitude - reference)² / reference²: errors count
    relative to each subject's own range, so that strong subjects do not dominate.

    Args:
        references: [subjects, muscles]; NaN where not known.
        rig: where its sides mirror each other, a muscle and its twin share all their amplitudes.
    """
    if rig is not None and rig.is_mirrorable:
        references = np.concatenate([references, references[:, rig.mirror_muscles()]])
    inverse = 1.0 / references
    result: FloatArray = np.nansum(inverse, axis=0) / np.nansum(inverse**2, axis=0)
    return result


def prepare(recordings: Sequence[Recording], reference: FloatArray | None = None) -> SubjectData:
    """Join one subject's recordings for training; reference as by ``reference_amplitude`` unless given."""
    reference = reference_amplitude(recordings) if reference is None else reference
    envelope = np.concatenate([recording.envelope for recording in recordings])
    weight = np.concatenate([np.tile(recording.muscle_weight, (len(recording), 1)) for recording in recordings])
    target = np.minimum(envelope / reference, MAX_TARGET)
    known = np.isfinite(target)
    return SubjectData(
        imu=np.concatenate([recording.imu for recording in recordings]).astype(np.float32),
        target=np.where(known, target, 0.0).astype(np.float32),
        weight=(weight * known).astype(np.float32),
        starts=np.cumsum([0, *map(len, recordings)]),
        locomotion=np.concatenate([recording.is_movement() for recording in recordings]),
        reference=reference,
    )


def by_subject(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
    """Group recordings by subject, in their given order."""
    grouped: dict[str, list[Recording]] = {}
    for recording in recordings:
        grouped.setdefault(recording.subject, []).append(recording)
    return grouped


def trusted_subjects(recordings: Sequence[Recording]) -> dict[str, SubjectData]:
    """Prepare the subjects with trusted EMG; raises InputError if no subject has trusted EMG of a muscle."""
    subjects = {name: prepare(group) for name, group in by_subject(recordings).items()}
    subjects = {name: data for name, data in subjects.items() if np.isfinite(data.reference).any()}
    if not subjects:
        raise InputError(f"none of the {len(recordings)} recordings has trusted EMG to train on; add such subjects")
    known = np.isfinite(np.array([subject.reference for subject in subjects.values()])).any(axis=0)
    for muscle, has_one in zip(recordings[0].rig.muscle_names, known, strict=True):
        if not has_one:
            raise InputError(f"no subject has trusted EMG of {muscle}; add one, or leave the muscle out of the rig")
    return subjects


def delayed(values: FloatArray, samples: int) -> FloatArray:
    """Shift [samples, ...] later by so many samples, zeros in front: outputs lag their inputs by the look-ahead."""
    if samples == 0:
        return values
    return np.concatenate([np.zeros_like(values[:samples]), values[:-samples]])
