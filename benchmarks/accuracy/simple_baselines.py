"""Baselines in closed form, without a network: mean envelope of the activity, and ridge regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from benchmarks.accuracy.adaptation_methods import MethodSettings
from benchmarks.accuracy.regression import Sums, ridge
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.subject_data import MAX_TARGET, SubjectData, by_subject, delayed, population_reference
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, features, fit_normalisation
from imu_emg_estimator.training.pretraining import TrainingSettings

LAGS = 16  # inputs of the ridge, each an average over a token's period: the window of the MLP
ROW_STEP = 2  # token periods between rows of the regression; an envelope of 4 Hz has little new in between
BLOCKS = 4  # of a calibration, each left out once to choose the strength


# mean profile


@dataclass(frozen=True)
class MeanProfile:
    """The mean envelope of the activity. An oracle: it knows the true activity, as no IMU model does.

    Attributes:
        conditions: activities that it knows.
        level: [conditions + 1, muscles] in the EMG's unit, the last row for any other activity.
    """

    conditions: tuple[str, ...]
    level: FloatArray

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        return np.asarray(self.level[self._rows(recordings)])

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> MeanProfile:
        """Fit gain and offset of every muscle, whatever the method."""
        if isinstance(settings, MethodSettings) and settings.method == "none":
            return self
        measured, trusted = _measured(calibration)
        gain, offset = affine_fit(measured, self.estimate(calibration), trusted)
        return replace(self, level=gain * self.level + offset)

    def _rows(self, recordings: Sequence[Recording]) -> NDArray[np.intp]:
        condition = np.concatenate([recording.condition for recording in recordings])
        rows = np.full(len(condition), len(self.conditions))
        for row, known in enumerate(self.conditions):
            rows[condition == known] = row
        return rows


def fit_mean_profile(recordings: Sequence[Recording], subjects: Mapping[str, SubjectData]) -> MeanProfile:
    """Average activation by activity over equally weighted subjects, at the population's amplitude."""
    groups = by_subject(recordings)
    condition = {name: np.concatenate([r.condition for r in groups[name]]) for name in subjects}
    known = tuple(sorted({str(name) for names in condition.values() for name in np.unique(names)}))
    levels = [
        [_mean_activation(data, condition[name] == label) for label in known]
        + [_mean_activation(data, np.full(len(data.target), True))]
        for name, data in subjects.items()
    ]
    mean = _nanmean(np.array(levels))  # [conditions + 1, muscles]
    amplitude = population_reference(np.array([subject.reference for subject in subjects.values()]), recordings[0].rig)
    return MeanProfile(known, np.where(np.isfinite(mean), mean, mean[-1]) * amplitude)


def _mean_activation(subject: SubjectData, chosen: NDArray[np.bool_]) -> FloatArray:
    total = subject.weight[chosen].sum(axis=0, dtype=np.float64)
    weighed = (subject.target[chosen] * subject.weight[chosen]).sum(axis=0, dtype=np.float64)
    return np.where(total > 0, weighed / np.maximum(total, 1.0), np.nan)


def affine_fit(measured: FloatArray, estimated: FloatArray, muscles: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Fit gain and offset, each [muscles], of estimates [samples, muscles] to the measurement.

    Neither is negative: a muscle is not turned round, and a resting level is not below zero; without that,
    two activities that were estimated nearly alike would be driven apart without limit.
    1 and 0 for muscles that are not named.
    """
    gain, offset = np.ones(measured.shape[1]), np.zeros(measured.shape[1])
    for muscle in muscles:
        known = np.isfinite(measured[:, muscle]) & np.isfinite(estimated[:, muscle])
        if known.any() and (estimated[known, muscle] > 0).any():
            guess = estimated[known, muscle].astype(np.float64)
            inputs = np.stack([guess, np.ones(len(guess))], axis=1)
            gain[muscle], offset[muscle] = nnls(inputs, measured[known, muscle].astype(np.float64))[0]
    return gain, offset


# ridge


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on the samples of the last second.

    Attributes:
        coefficients: [muscles, lagged inputs + 1], the intercept last; activation in references.
        amplitude: [muscles] envelope that an activation of 1 stands for.
        look_ahead: samples by which an estimate lags its newest input.
        spacing: samples of each average that it sees.
    """

    coefficients: FloatArray
    normalisation: Normalisation
    amplitude: FloatArray
    look_ahead: int
    spacing: int

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        return np.concatenate([self._activation(recording.imu) for recording in recordings]) * self.amplitude

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> Ridge:
        """Fit again, shrunk towards these coefficients by the strength best on left-out blocks of the calibration."""
        if isinstance(settings, MethodSettings) and settings.method == "none":
            return self
        measured, trusted = _measured(calibration)
        estimated = self.estimate(calibration)
        rows = np.concatenate([self._rows(recording.imu) for recording in calibration])
        coefficients, amplitude = self.coefficients.copy(), np.array(self.amplitude, dtype=np.float64)
        for muscle in trusted:
            known = np.isfinite(measured[:, muscle]) & np.isfinite(estimated[:, muscle])
            truth, guess = measured[known, muscle].astype(np.float64), estimated[known, muscle]
            if (scale := float(truth @ guess)) <= 0:
                continue
            amplitude[muscle] *= scale / float(guess @ guess)
            target = np.minimum(truth / amplitude[muscle], MAX_TARGET)
            blocks = np.array_split(np.arange(len(target)), BLOCKS)
            sums = [Sums.of(rows[known][block], target[block, None], np.ones(len(block))) for block in blocks]
            coefficients[muscle] = ridge(sums, self.coefficients[muscle][:, None])[:, 0]
        return replace(self, coefficients=coefficients, amplitude=amplitude)

    def _activation(self, imu: FloatArray) -> FloatArray:
        """Estimate [samples, muscles] in references, row i for sample i; the last ``look_ahead`` rows are NaN."""
        return np.maximum(self._rows(imu) @ self.coefficients.T, 0.0)

    def _rows(self, imu: FloatArray) -> FloatArray:
        return advanced(lagged(features(imu, self.normalisation), self.spacing), self.look_ahead)


def lagged(values: FloatArray, spacing: int) -> FloatArray:
    """Average causally over ``spacing`` samples, newest and 15 before: [samples, channels] -> [.., 16 * channels + 1].

    The last column is 1; before the first sample there are zeros.
    """
    samples, reach = len(values), LAGS * spacing
    padded = np.pad(values, ((reach, 0), (0, 0)))
    mean = np.asarray(sum(padded[spacing - i : len(padded) - i] for i in range(spacing)) / spacing)
    newest = reach - spacing  # row of ``mean`` that ends at the first sample
    parts = [mean[newest - lag : newest - lag + samples] for lag in range(0, reach, spacing)]
    return np.concatenate([*parts, np.ones((samples, 1), values.dtype)], axis=1)


def advanced(rows: FloatArray, look_ahead: int) -> FloatArray:
    """Shift rows [samples, ...] to the earlier sample that they estimate; NaN at the end."""
    missing = np.full((min(look_ahead, len(rows)), *rows.shape[1:]), np.nan, rows.dtype)
    return np.concatenate([rows[look_ahead:], missing])


def fit_ridge(subjects: Mapping[str, SubjectData], rig: Rig, config: ModelConfig) -> Ridge:
    """Regress activation on lagged inputs, with equal weight per subject and the strength best on left-out subjects.

    Locomotion has the same share as in the networks' training, and where the rig allows it every subject
    counts mirrored, too.
    """
    normalisation = fit_normalisation(
        [subject.imu[subject.locomotion] if subject.locomotion.any() else subject.imu for subject in subjects.values()]
    )
    sums = []
    for subject in subjects.values():
        sums.append(_subject_sums(subject, rig, normalisation, config))
    muscles = range(len(rig.muscles))
    coefficients = np.stack([ridge([each[muscle] for each in sums])[:, 0] for muscle in muscles])
    amplitude = population_reference(np.array([subject.reference for subject in subjects.values()]), rig)
    return Ridge(coefficients, normalisation, amplitude, config.look_ahead, config.dilation)


def _subject_sums(subject: SubjectData, rig: Rig, normalisation: Normalisation, config: ModelConfig) -> list[Sums]:
    """Return the sums of each muscle; rows of all subjects are weighted alike."""
    importance, step = _importance(subject.locomotion), ROW_STEP * config.dilation
    versions = [(subject.imu, subject.target, subject.weight * importance[:, None])]
    if rig.is_mirrorable:
        imu, target, weight = versions[0]
        muscles = rig.mirror_muscles()
        mirrored = imu[:, rig.mirror_sensors()] * rig.mirror_signs().astype(imu.dtype)
        versions.append((mirrored, target[:, muscles], weight[:, muscles]))
    found: list[list[Sums]] = [[] for _ in rig.muscles]
    for imu, target, weight in versions:
        for start, stop in zip(subject.starts[:-1], subject.starts[1:], strict=True):
            rows = lagged(features(imu[start:stop], normalisation), config.dilation)[::step]
            y, w = (delayed(values[start:stop], config.look_ahead)[::step] for values in (target, weight))
            for muscle, parts in enumerate(found):
                parts.append(Sums.of(rows, y[:, [muscle]], w[:, muscle]))
    return [reduce(Sums.__add__, parts) for parts in found]


def _importance(locomotion: NDArray[np.bool_]) -> FloatArray:
    """Return weights [samples] with sum 1; locomotion counts as often as networks draw it."""
    share = TrainingSettings().locomotion_share if locomotion.any() else 0.0
    return share * locomotion / max(int(locomotion.sum()), 1) + (1.0 - share) / len(locomotion)


def _measured(recordings: Sequence[Recording]) -> tuple[FloatArray, list[int]]:
    """Concatenate the envelopes of all recordings, and return the trusted muscles."""
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    return np.concatenate([recording.envelope for recording in recordings]), [int(muscle) for muscle in trusted]


def _nanmean(values: FloatArray) -> FloatArray:
    """Average the known values over the first axis; NaN where there are none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


# storage

KINDS = (MeanProfile, Ridge)


def parts(fitted: MeanProfile | Ridge) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON values of a model, and its tensors."""
    if isinstance(fitted, MeanProfile):
        return {"kind": "mean_profile", "conditions": list(fitted.conditions)}, {"level": fitted.level}
    tensors = {
        "coefficients": fitted.coefficients,
        "amplitude": fitted.amplitude,
        "mean": fitted.normalisation.mean,
        "std": fitted.normalisation.std,
    }
    return {"kind": "ridge", "look_ahead": fitted.look_ahead, "spacing": fitted.spacing}, tensors


def from_parts(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> MeanProfile | Ridge:
    """Restore the model of ``parts``; raise KeyError or ValueError if they are malformed."""
    if document["kind"] == "mean_profile":
        return MeanProfile(tuple(document["conditions"]), tensors["level"])
    if document["kind"] == "ridge":
        normalisation = Normalisation(tensors["mean"], tensors["std"])
        look_ahead, spacing = int(document["look_ahead"]), int(document["spacing"])
        return Ridge(tensors["coefficients"], normalisation, tensors["amplitude"], look_ahead, spacing)
    raise ValueError(f"a model of kind {document['kind']!r} is not known")
