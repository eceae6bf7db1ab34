"""Fits the conformal scaling of the standard deviation on subjects that inner networks have not seen.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173) with a normalised score:
|measured - estimated| / deviation, every subject and muscle counting alike. Its exact guarantee is for
new samples of the same subjects; for a new subject it holds on average over subjects, and is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from imu_emg_estimator.calibration.adaptation import adapt_estimator
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.conformal_uncertainty import FLOOR, LEVELS, MAX_POWER, DeviationScale, Uncertainty
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.checkpoints import Checkpoint
from imu_emg_estimator.training.data_splits import folds_of, split_for_calibration
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import train_estimator
from imu_emg_estimator.utils.progress import StepProgress

ONE_DEVIATION = 0.6827  # what a standard deviation covers
SAMPLE_PERIOD_S = 0.1  # between the errors that are used: neighbours are correlated
DEGREES_OF_FREEDOM = 3.0  # of the Student's t that is fitted: errors of unseen subjects have heavy tails
MIN_SUBJECTS = 3
SECONDS = 30.0  # of calibration, for the scale of a subject's own bundle

Train = Callable[[Sequence[Recording]], Estimator]
Adapt = Callable[[Estimator, Sequence[Recording]], Estimator]
Networks = Sequence[tuple[Estimator, Sequence[str]]]  # each with subjects that it was not trained on


@dataclass(frozen=True)
class Errors:
    """Estimates and measurements of one subject that an estimator was not trained on, in its references.

    Attributes:
        measured: [samples, muscles] NaN where not trusted.
        activation, deviation: [samples, muscles] of the network.
        condition: [samples].
    """

    measured: FloatArray
    activation: FloatArray
    deviation: FloatArray
    condition: NDArray[np.str_]

    def of(self, conditions: Iterable[str]) -> Errors:
        """Return the samples of these activities."""
        rows = np.isin(self.condition, list(conditions))
        return Errors(self.measured[rows], self.activation[rows], self.deviation[rows], self.condition[rows])


def errors_of(estimator: Estimator, recordings: Sequence[Recording]) -> Errors:
    """Return the errors on one subject's recordings, ten a second, the error of the amplitude included."""
    every = max(1, round(SAMPLE_PERIOD_S * recordings[0].rig.rate))
    trusted = recordings[0].muscle_weight > 0
    parts = []
    for recording in recordings:
        activation, deviation = estimate_recording(estimator.network, estimator.normalisation, recording.imu)
        measured = np.where(trusted, recording.envelope / estimator.amplitude, np.nan)
        known = np.flatnonzero(np.isfinite(activation).all(axis=1))[::every]
        parts.append([array[known] for array in (measured, activation, deviation, recording.condition)])
    measured, activation, deviation, condition = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Errors(measured, activation, deviation, condition)


def trusted_groups(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
    """Group the recordings of the subjects with trusted EMG."""
    return {subject: group for subject, group in by_subject(recordings).items() if (group[0].muscle_weight > 0).any()}


def train_folds(recordings: Sequence[Recording], folds: int, train: Train) -> Networks:
    """Train a network without the subjects of each fold."""
    return [
        (train([recording for recording in recordings if recording.subject not in left_out]), left_out)
        for left_out in folds_of(list(trusted_groups(recordings)), folds)
    ]


def retrain_folds(
    recordings: Sequence[Recording],
    folds: int,
    settings: TrainingSettings | None = None,
    progress: Callable[[int], StepProgress | None] = lambda fold: None,
    checkpoint: Callable[[int], Checkpoint | None] = lambda fold: None,
    shape: Mapping[str, Any] | None = None,
) -> Networks:
    """Train the recipe without the subjects of each fold.

    Args:
        progress, checkpoint: of the training of a fold, by its number from 1.
        shape: of the network, where it is not the recipe's.
    """
    numbers = count(1)

    def train(kept: Sequence[Recording]) -> Estimator:
        fold = next(numbers)
        return train_estimator(kept, settings, shape, progress(fold), checkpoint(fold))

    return train_folds(recordings, folds, train)


def inner_errors(
    recordings: Sequence[Recording], networks: Networks, adapt: Adapt | None = None, seconds: float = SECONDS
) -> tuple[list[Errors], list[Errors]]:
    """Return the errors on every subject by a network that was trained without that subject.

    Args:
        adapt: adapts a network to a subject's first seconds of locomotion.

    Returns:
        For every subject with trusted EMG the errors as it is, and after calibration, on what follows it.
    """
    groups = trusted_groups(recordings)
    before, after = [], []
    for estimator, unseen in networks:
        for subject in unseen:
            before.append(errors_of(estimator, groups[subject]))
            if adapt is not None and (errors := calibrated_errors(estimator, groups[subject], adapt, seconds)):
                after.append(errors)
    return before, after


def calibrated_errors(
    estimator: Estimator, recordings: Sequence[Recording], adapt: Adapt, seconds: float = SECONDS
) -> Errors | None:
    """Return the errors after a calibration on the first seconds of locomotion; None if there is too little data."""
    split = split_for_calibration(recordings, seconds)
    if split is None or not split.scored:
        return None
    return errors_of(adapt(estimator, split.calibration), split.scored)


def check_folds(recordings: Sequence[Recording], folds: int) -> None:
    """Raise InputError, before anything is trained, where an uncertainty could not be found with so many folds."""
    subjects = {recording.subject for recording in recordings if (recording.muscle_weight > 0).any()}
    if not 2 <= folds <= len(subjects) or len(subjects) < MIN_SUBJECTS:
        raise InputError(
            f"intervals from {folds} folds need 2 folds or more, and as many subjects with trusted EMG (at least "
            f"{MIN_SUBJECTS}); there are {len(subjects)}: give fewer folds, or 0 to do without intervals"
        )


def with_uncertainty(bundle: Bundle, recordings: Sequence[Recording], networks: Networks) -> Bundle:
    """Add conformal scales to a bundle, from networks that the same recipe gives without some subjects.

    Args:
        recordings: those that the bundle was trained on.

    Raises:
        InputError: too few subjects to find an uncertainty on.
    """
    before, after = inner_errors(recordings, networks, adapt_estimator)
    return replace(bundle, uncertainty=fit_uncertainty(bundle.rig, before, after))


def fit_uncertainty(
    rig: Rig, uncalibrated: Sequence[Errors], calibrated: Sequence[Errors] = (), seconds: float = SECONDS
) -> Uncertainty:
    """Fit scales to errors on subjects that the network had not seen.

    Raises:
        InputError: fewer than three such subjects.
    """
    if len(uncalibrated) < MIN_SUBJECTS:
        raise InputError(f"only {len(uncalibrated)} subjects to find the uncertainty on; give at least {MIN_SUBJECTS}")
    text = f"conformal, on {len(uncalibrated)} subjects that the networks had not seen, each counting alike"
    own = None
    if len(calibrated) >= MIN_SUBJECTS:
        own = fit_scale(rig, calibrated)
        text += f"; calibrated: on {len(calibrated)} of them after {seconds:g} s of calibration"
    return Uncertainty(
        definition=f"{text}; ± 1 of the published deviation covers {ONE_DEVIATION:.1%}, "
        "activation ± multiple x deviation its level, no interval reaches below 0",
        levels=LEVELS,
        uncalibrated=fit_scale(rig, uncalibrated),
        calibrated=own,
    )


def fit_scale(rig: Rig, errors: Sequence[Errors], powers: tuple[float, float] | None = None) -> DeviationScale:
    """Fit factors and multiples of every muscle; a muscle and its twin of the other side share theirs.

    Args:
        powers: of deviation and activation, instead of fitted ones.
    """
    kinds = [muscle.muscle for muscle in rig.muscles]
    found = {
        kind: _fit_muscles(errors, [index for index, other in enumerate(kinds) if other == kind], powers)
        for kind in set(kinds)
    }
    factor, deviation_power, activation_power, *multiples = zip(*(found[kind] for kind in kinds), strict=True)
    return DeviationScale(factor, deviation_power, activation_power, tuple(multiples))


def _fit_muscles(errors: Sequence[Errors], muscles: Sequence[int], powers: Sequence[float] | None) -> tuple[float, ...]:
    """Fit the factor, the two powers and the multiple of every level."""
    parts = []
    for subject in errors:
        for muscle in muscles:
            known = np.isfinite(subject.measured[:, muscle])
            if known.any():
                chosen = [array[known, muscle] for array in (subject.measured, subject.activation, subject.deviation)]
                parts.append([*chosen, np.full(known.sum(), 1.0 / known.sum())])
    if not parts:
        raise InputError("a muscle has no trusted EMG to find its uncertainty on; leave it out of the rig")
    measured, activation, deviation, weight = (
        np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True)
    )
    error = np.abs(measured - activation)
    if powers is None:
        powers = _fit_powers(error, np.log(deviation), np.log(activation + FLOOR), weight / weight.sum())
    scaled = error / (deviation ** powers[0] * (activation + FLOOR) ** powers[1])
    (factor,) = weighted_quantiles(scaled, weight, (ONE_DEVIATION,))
    bounds = weighted_quantiles(scaled, weight, LEVELS)
    return (factor, *powers, *(bound / factor for bound in bounds))


def _fit_powers(error: FloatArray, deviation: FloatArray, activation: FloatArray, weight: FloatArray) -> list[float]:
    """Fit the powers of deviation and activation by maximum likelihood of Student's t."""
    inputs = np.stack([np.ones_like(error), deviation, activation], axis=1)

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        log_scale = inputs @ parameters
        square = (error * np.exp(-log_scale)) ** 2 / DEGREES_OF_FREEDOM
        value = log_scale + 0.5 * (DEGREES_OF_FREEDOM + 1.0) * np.log1p(square)
        slope = 1.0 - (DEGREES_OF_FREEDOM + 1.0) * square / (1.0 + square)
        return float(weight @ value), inputs.T @ (weight * slope)

    bounds = [(-20.0, 20.0), (0.0, MAX_POWER), (0.0, MAX_POWER)]
    result = minimize(loss, np.array([0.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return [float(np.clip(value, 0.0, MAX_POWER)) for value in result.x[1:]]


def weighted_quantiles(values: FloatArray, weight: FloatArray, levels: Sequence[float]) -> list[float]:
    """Return weighted quantiles of ascending levels, each above the one before."""
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order]) / weight.sum()
    places = np.minimum(np.searchsorted(cumulative, levels), len(values) - 1)
    result = [1e-6]
    for value in values[order][places]:
        result.append(max(float(value), result[-1] * (1 + 1e-6)))
    return result[1:]
