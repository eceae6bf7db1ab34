"""Leave-subjects-out folds: every subject is left out of the training once."""

from __future__ import annotations

from collections.abc import Sequence

from imu_emg_estimator.errors import InputError


def folds_of(subjects: Sequence[str], folds: int) -> list[list[str]]:
    """Deal subjects out to disjoint folds, in the given order; raises InputError for too many or fewer than 2."""
    if not 2 <= folds <= len(subjects):
        raise InputError(f"{folds} folds cannot be made of {len(subjects)} subjects; give 2 to {len(subjects)}")
    return [list(subjects[index::folds]) for index in range(folds)]
