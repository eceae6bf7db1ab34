"""What a bundle gets after its network is trained: deviations that hold on subjects that no one has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from imu_emg_estimator.calibration.adaptation import adapt_estimator
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.fit_conformal_uncertainty import MIN_SUBJECTS, fit_uncertainty, inner_errors
from imu_emg_estimator.training.pretraining import Progress, TrainingSettings
from imu_emg_estimator.training.recipe import train_estimator


def check_folds(recordings: Sequence[Recording], folds: int) -> None:
    """Raise InputError, before anything is trained, where ``with_uncertainty`` could not be given so many folds."""
    subjects = {recording.subject for recording in recordings if (recording.muscle_weight > 0).any()}
    if not 2 <= folds <= len(subjects) or len(subjects) < MIN_SUBJECTS:
        raise InputError(
            f"intervals from {folds} folds need 2 folds or more, and as many subjects with trusted EMG (at least "
            f"{MIN_SUBJECTS}); there are {len(subjects)}: give fewer folds, or 0 to do without intervals"
        )


def with_uncertainty(
    bundle: Bundle,
    recordings: Sequence[Recording],
    folds: int,
    settings: TrainingSettings | None = None,
    progress: Callable[[int], Progress | None] = lambda fold: None,
) -> Bundle:
    """The bundle with conformal scales, from networks that the same recipe gives without each fold's subjects.

    Args:
        recordings: those that the bundle was trained on.
        folds: networks to train, each at the cost of the bundle's own.
        settings: of the bundle's training.
        progress: of the training of a fold, by its number.

    Raises:
        InputError: too few subjects for so many folds, or to find an uncertainty on.
    """
    trained = 0

    def train(kept: Sequence[Recording]) -> Estimator:
        nonlocal trained
        trained += 1
        return train_estimator(kept, settings, progress=progress(trained))

    def adapt(estimator: Estimator, calibration: Sequence[Recording]) -> Estimator:
        return adapt_estimator(estimator, calibration)

    before, after = inner_errors(recordings, folds, train, adapt)
    return replace(bundle, uncertainty=fit_uncertainty(bundle.rig, before, after))
