"""What is trained on, what is calibrated on and what is scored: folds of subjects, and a subject's time divided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.signal_quality import true_runs

MIN_BOUT_S = 2.0  # a shorter bout of locomotion is not calibrated on
GUARD_S = 1.0  # not scored after the calibration: the envelope's filter reaches that far


@dataclass(frozen=True)
class CalibrationSplit:
    """One subject's recordings, divided in time.

    Attributes:
        calibration: the first seconds of locomotion, in order of time.
        scored: everything recorded after them.
    """

    calibration: list[Recording]
    scored: list[Recording]


def split_for_calibration(recordings: Sequence[Recording], seconds: float) -> CalibrationSplit | None:
    """Set apart a subject's first seconds of locomotion, in bouts of at least ``MIN_BOUT_S``.

    Args:
        recordings: of one subject, in order of time.
        seconds: duration of the calibration [s of locomotion]; 0 = none.

    Returns:
        The split; None where the subject has less locomotion.
    """
    rate = recordings[0].rig.rate
    missing = round(seconds * rate)
    calibration: list[Recording] = []
    scored: list[Recording] = []
    for recording in recordings:
        end = 0
        for start, stop in true_runs(recording.is_movement(), round(MIN_BOUT_S * rate)):
            if missing <= 0:
                break
            stop = min(stop, start + missing)
            calibration.append(recording.slice(start, stop))
            missing -= stop - start
            end = stop + round(GUARD_S * rate)
        if missing <= 0 and end < len(recording):
            scored.append(recording.slice(end, len(recording)))
    return CalibrationSplit(calibration, scored) if missing <= 0 else None


def folds_of(subjects: Sequence[str], folds: int) -> list[list[str]]:
    """Deal subjects out to disjoint folds, in the given order; raises InputError for too many or fewer than 2."""
    if not 2 <= folds <= len(subjects):
        raise InputError(f"{folds} folds cannot be made of {len(subjects)} subjects; give 2 to {len(subjects)}")
    return [list(subjects[index::folds]) for index in range(folds)]
