"""One subject's recordings in a row: as training data, and as a network sees them that is adapted to the subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import features

if TYPE_CHECKING:
    from imu_emg_estimator.model.causal_network import Estimator, Network

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
    """Shift [samples, ...] later by so many samples, filled with zeros: outputs lag their inputs by the look-ahead."""
    if samples <= 0:
        return np.concatenate([values[-samples:], np.zeros_like(values[:-samples])])
    return np.concatenate([np.zeros_like(values[:samples]), values[:-samples]])


@dataclass(frozen=True)
class CalibrationData:
    """All recordings of a subject in a row, aligned with the network's outputs.

    Each recording starts with cold context, as live; there the targets have weight 0.

    Attributes:
        inputs: [samples, inputs].
        tokens: [samples, width + 1] what the heads see before anything is adapted, with a 1 for the bias.
        target, weight: [samples, muscles].
        amplitude: [muscles] EMG that the target 1 stands for; NaN = not measured.
        seconds: with trusted EMG of a muscle.
    """

    inputs: FloatArray
    tokens: FloatArray
    target: FloatArray
    weight: FloatArray
    amplitude: FloatArray
    seconds: float

    @classmethod
    def of(cls, estimator: Estimator, recordings: Sequence[Recording], estimate: FloatArray) -> CalibrationData:
        """Join the recordings.

        Args:
            estimator: before adaptation.
            recordings: of one subject, with EMG envelopes.
            estimate: [samples, muscles] activations that the estimator gives for them.
        """
        subject = prepare(recordings, _fitted_amplitude(recordings, estimate))
        inputs, target, weight = _aligned(estimator, subject)
        seconds = float(subject.weight.max(axis=1).sum()) / recordings[0].rig.rate
        return cls(inputs, _tokens(estimator.network, inputs), target, weight, subject.reference, seconds)

    def known_muscles(self) -> list[int]:
        """Muscles with trusted EMG."""
        return [int(muscle) for muscle in np.flatnonzero(self.weight.sum(axis=0) > 0)]

    def of_muscle(self, muscle: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return tokens [samples, width + 1], targets and weights [samples] of a muscle."""
        return self.tokens, self.target[:, muscle], self.weight[:, muscle]


def _fitted_amplitude(recordings: Sequence[Recording], estimate: FloatArray) -> FloatArray:
    """Amplitude [muscles] that scales the estimate onto the measured envelope, by least squares; NaN = not measured.

    Unlike a percentile of the calibration it does not depend on which movements the bag happens
    to hold: walking alone must not make walking the subject's full activation.
    """
    envelope = np.concatenate([recording.envelope for recording in recordings])
    reference = reference_amplitude(recordings)
    for muscle in np.flatnonzero(np.isfinite(reference)):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate[:, muscle])
        truth, guess = envelope[known, muscle], estimate[known, muscle]
        if (power := float(guess @ guess)) > 0 and (scale := float(truth @ guess) / power) > 0:
            reference[muscle] = scale
    return reference


def _aligned(estimator: Estimator, subject: SubjectData) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inputs [samples, inputs], and targets and weights [samples, muscles] at the samples that estimate them."""
    config = estimator.network.config
    parts = []
    for start, stop in zip(subject.starts[:-1], subject.starts[1:], strict=True):
        inputs = features(subject.imu[start:stop], estimator.normalisation)
        target = delayed(subject.target[start:stop], config.look_ahead)
        weight = delayed(subject.weight[start:stop], config.look_ahead)
        weight[: min(config.context, len(weight) // 2)] = 0.0
        parts.append((inputs, target, weight))
    inputs, target, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    return inputs, target, weight


def _tokens(network: Network, inputs: FloatArray) -> FloatArray:
    import torch  # here: checks before a training need no network

    with torch.no_grad():
        tokens = network.tokens(torch.from_numpy(inputs)[None])[0].numpy()
    return np.concatenate([tokens, np.ones_like(tokens[:, :1])], axis=1)
