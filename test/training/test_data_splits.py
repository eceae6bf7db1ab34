"""What is calibrated on is never scored, and every subject is left out once."""

import numpy as np
import pytest
from fixtures.factories import refusal
from fixtures.numbered_day import sample_numbers

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.data_splits import GUARD_S, folds_of, split_for_calibration


@pytest.mark.parametrize("seconds", [5.0, 10.0, 20.0, 30.0])
def test_split_calibrates_on_first_locomotion_and_scores_rest(day: list[Recording], seconds: float) -> None:
    split = split_for_calibration(day, seconds)
    assert split is not None
    rate = day[0].rig.rate
    used, scored = sample_numbers(split.calibration), sample_numbers(split.scored)
    assert len(used) == round(seconds * rate)
    assert all(recording.is_movement().all() for recording in split.calibration)
    # Of the day's locomotion in bouts of at least 2 s it is the first.
    long = np.concatenate(
        [
            sample_numbers([recording])[start:stop]
            for recording in day
            for start, stop in true_runs(recording.is_movement(), 118)
        ]
    )
    assert used.tolist() == long[: len(used)].tolist()
    # All that is scored comes later, by a guard within the same recording; and all that does is scored.
    same = next(recording for recording in day if used[-1] in sample_numbers([recording]))
    expected = np.arange(used[-1] + 1, sample_numbers(day)[-1] + 1)
    guarded = np.isin(expected, sample_numbers([same])) & (expected <= used[-1] + round(GUARD_S * rate))
    assert scored.tolist() == expected[~guarded].tolist()


def test_split_scores_everything_without_calibration(day: list[Recording]) -> None:
    split = split_for_calibration(day, 0.0)
    assert split is not None
    assert split.calibration == []
    assert sample_numbers(split.scored).tolist() == sample_numbers(day).tolist()


def test_split_is_none_with_too_little_locomotion(day: list[Recording]) -> None:
    assert split_for_calibration(day, 1000.0) is None
    assert split_for_calibration([day[0].slice(0, 200)], 5.0) is None


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_of_holds_every_subject_once(folds: int) -> None:
    subjects = [str(number) for number in range(7)]
    parts = folds_of(subjects, folds)
    assert len(parts) == folds
    assert sorted(name for part in parts for name in part) == subjects
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("folds", [0, 1, 8, -1])
def test_folds_of_refuses_impossible_numbers(folds: int) -> None:
    with refusal(str(folds), "7"):
        folds_of([str(number) for number in range(7)], folds)
