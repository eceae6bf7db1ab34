"""What is told of subjects before a training: who cannot be scored or trained on, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.rig import DEFAULT_MOVEMENTS, Rig
from imu_emg_estimator.training.data_splits import MIN_BOUT_S, split_for_calibration

MIN_SCORED_S = 5.0  # a condition with less data is not scored
MAX_NAMED = 8  # labels in a sentence


def movement_group(rig: Rig) -> str:
    """Return the name under which all movements together are scored."""
    return "locomotion" if rig.movements == DEFAULT_MOVEMENTS else "movements"


def conditions_of(rig: Rig) -> dict[str, tuple[str, ...] | None]:
    """Return what is scored: everything, all movements of the rig together, and each; None = every sample."""
    conditions: dict[str, tuple[str, ...] | None] = {"all": None, movement_group(rig): rig.movement_names}
    return conditions | {name: (name,) for name in rig.movement_names if name not in conditions}


def left_out(recordings: Sequence[Recording], seconds: float) -> dict[str, str]:
    """Say by subject why it cannot be scored after a calibration of so many seconds; those who can be are left out."""
    reasons = {subject: _reason(own, seconds) for subject, own in by_subject(recordings).items()}
    return {subject: reason for subject, reason in reasons.items() if reason}


def check_scorable(recordings: Sequence[Recording], seconds: float) -> dict[str, str]:
    """Return ``left_out``; raises InputError with the remedy if that is everyone."""
    reasons = left_out(recordings, seconds)
    if len(reasons) < len(by_subject(recordings)):
        return reasons
    if unknown := unknown_labels(recordings):
        raise InputError(unknown)
    told = "; ".join(f"{subject}: {reason}" for subject, reason in reasons.items())
    raise InputError(f"no subject can be scored ({told}); name others or calibrate on less")


def unknown_labels(recordings: Sequence[Recording]) -> str:
    """Say that no recording holds a movement of the rig, and the remedy; empty = one does."""
    rig = recordings[0].rig
    if any(recording.is_movement().any() for recording in recordings):
        return ""
    return (
        f"no recording holds a movement of rig '{rig.name}' ({_listed(rig.movement_names)}): they are labelled "
        f"{_labels(recordings)}; name your labels under 'movements' in the rig file, or label the recordings"
    )


def check_muscles(recordings: Sequence[Recording], folds: Sequence[Sequence[str]]) -> None:
    """Raise InputError if without the subjects of a fold nobody is left with trusted EMG of some muscle."""
    for fold in folds:
        weights = [recording.muscle_weight for recording in recordings if recording.subject not in fold]
        for name, weight in zip(recordings[0].rig.muscle_names, np.max(weights, axis=0, initial=0.0), strict=True):
            if not weight > 0:
                raise InputError(
                    f"only subject {' and '.join(fold)} has trusted EMG of {name}, so nothing can be trained without; "
                    "add such a subject, or leave the muscle out of the rig"
                )


def _reason(recordings: Sequence[Recording], seconds: float) -> str:
    rig = recordings[0].rig
    if not max(recording.muscle_weight.max() for recording in recordings) > 0:
        return "no trusted EMG: every channel is constant or marked weak"
    moving = sum(int(recording.is_movement().sum()) for recording in recordings) / rig.rate
    split = split_for_calibration(recordings, seconds)
    if split is None:
        return (
            f"{moving:.0f} s of {_listed(rig.movement_names)}, of which bouts of {MIN_BOUT_S:g} s and more must give "
            f"{seconds:g} s to calibrate on"
        )
    left = sum(recording.duration for recording in split.scored)
    if left < MIN_SCORED_S:
        return (
            f"{left:.1f} s are left to score after {seconds:g} s of calibration, at least {MIN_SCORED_S:g} s are needed"
        )
    return ""


def _labels(recordings: Sequence[Recording]) -> str:
    labels = sorted({str(label) for recording in recordings for label in np.unique(recording.condition)})
    return "not at all ('unlabelled')" if labels == [UNLABELLED] else _listed(labels)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (" and others" if len(names) > MAX_NAMED else "")
