"""Subjects are left out in disjoint folds, each once."""

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.training.subject_folds import folds_of


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
