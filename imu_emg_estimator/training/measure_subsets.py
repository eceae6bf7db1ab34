"""Measures what is left of an estimate where sensors are missing, on subjects that the network had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.adaptation import adapt_estimator
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.conformal_uncertainty import LEVELS, DeviationScale
from imu_emg_estimator.model.offline_estimate import estimate_features, in_place
from imu_emg_estimator.model.sensor_subsets import LEVEL, SensorSubsets, Subset, SubsetFigures
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.signals.masked_imu_features import feature_blocks, feature_count, features
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.data_splits import split_for_calibration
from imu_emg_estimator.training.fit_conformal_uncertainty import (
    SAMPLE_PERIOD_S,
    SECONDS,
    Errors,
    Networks,
    trusted_groups,
    weighted_quantiles,
)
from imu_emg_estimator.utils.progress import CountProgress

MAX_SENSORS = 8  # of a rig of which every combination is measured
STRETCH_S = 20.0  # of locomotion at a time, many times the network's context
MAX_STRETCHES = 4  # of a subject: subjects differ more than the moments of one
MIN_SUBJECTS = 2  # for factors that are judged on a subject whom they were not fitted to

Missing = tuple[int, ...]  # indices of sensors, ascending
SubsetErrors = Mapping[Missing, Errors]  # of one subject


def with_subsets(
    bundle: Bundle,
    recordings: Sequence[Recording],
    networks: Networks,
    measured_on: str,
    progress: CountProgress = lambda done, total: None,
) -> Bundle:
    """Add what is left without some sensors to a bundle, from networks of its recipe on subjects they had not seen.

    Args:
        recordings: of those subjects, and of others.
        measured_on: describes the networks, in words.

    Raises:
        InputError: the bundle has no intervals, or there are too few subjects.
    """
    if bundle.uncertainty is None:
        raise InputError(f"bundle {bundle.model_id} has no intervals to widen; train it with --interval-folds")
    groups, cases = trusted_groups(recordings), combinations_of(bundle.rig)
    jobs = [(estimator, name, groups[name]) for estimator, unseen in networks for name in unseen if name in groups]
    before, after = {}, {}
    for done, (estimator, name, group) in enumerate(jobs):
        progress(done, len(jobs))
        before[name] = subset_errors(estimator, group, cases)
        after[name] = calibrated_subset_errors(estimator, group, cases)
    progress(len(jobs), len(jobs))
    return replace(bundle, subset_figures=subset_figures(bundle, before, after, measured_on))


def subset_figures(
    bundle: Bundle, before: Mapping[str, SubsetErrors], after: Mapping[str, SubsetErrors], measured_on: str
) -> SubsetFigures:
    """Summarise errors by subject and combination, before and after a calibration; empty ones are left out."""
    assert bundle.uncertainty is not None
    uncalibrated, calibrated = ([errors for errors in own.values() if errors] for own in (before, after))
    names = ", ".join(name for name, errors in before.items() if errors)
    text = f"in the locomotion of {len(uncalibrated)} subjects ({names}) by {measured_on}"
    own = None
    if len(calibrated) >= MIN_SUBJECTS:
        own = summarise_subsets(bundle.rig, calibrated, bundle.uncertainty.scale(calibrated=True))
        text += f"; calibrated: of {len(calibrated)} of them after {SECONDS:g} s of calibration with all sensors"
    whole = summarise_subsets(bundle.rig, uncalibrated, bundle.uncertainty.uncalibrated)
    return SubsetFigures(text, whole, own)


def combinations_of(rig: Rig) -> list[Missing]:
    """List the combinations of missing sensors to measure, none missing first; of mirror images the first one.

    All of small rigs; of others each sensor, each pair, each side, and all but one kind of segment.
    """
    sensors = range(len(rig.sensors))
    if len(sensors) <= MAX_SENSORS:
        chosen = [some for count in sensors for some in combinations(sensors, count)]
    else:
        parts = [[sensor.side for sensor in rig.sensors], [sensor.segment for sensor in rig.sensors]]
        names = [[part == name for part in own] for own in parts for name in sorted(set(own))]
        groups = [tuple(i for i in sensors if not kept[i]) for kept in names]
        chosen = [some for count in range(3) for some in combinations(sensors, count)]
        chosen += [some for some in groups if len(some) < len(sensors)]
    return list(dict.fromkeys(min(some, mirrored(rig, some)) for some in chosen))


def mirrored(rig: Rig, missing: Missing) -> Missing:
    """Return the combination with left and right exchanged; the same on rigs that cannot be mirrored."""
    return tuple(sorted(int(rig.mirror_sensors()[i]) for i in missing)) if rig.is_mirrorable else missing


def subset_errors(
    estimator: Estimator, recordings: Sequence[Recording], cases: Sequence[Missing]
) -> dict[Missing, Errors]:
    """Return the errors in one subject's locomotion, ten a second, with each combination missing throughout."""
    rig, behind = recordings[0].rig, estimator.network.config.look_ahead
    every = max(1, round(SAMPLE_PERIOD_S * rig.rate))
    trusted = recordings[0].muscle_weight > 0
    masks = feature_masks(len(rig.sensors), cases)
    parts: dict[Missing, list[list[NDArray[Any]]]] = {case: [] for case in cases}
    for stretch in locomotion_stretches(recordings):
        inputs = features(stretch.imu, estimator.normalisation)
        rows = slice(max(0, -behind), len(stretch) - max(0, behind), every)
        measured = np.where(trusted, stretch.envelope / estimator.amplitude, np.nan)[rows]
        for case, mask in zip(cases, masks, strict=True):
            estimates = estimate_features(estimator.network, (inputs * mask)[None])
            placed = (in_place(part[0], estimator.network)[rows] for part in estimates)
            parts[case].append([measured, *placed, stretch.condition[rows]])
    return {case: Errors(*map(np.concatenate, zip(*own, strict=True))) for case, own in parts.items()}


def locomotion_stretches(recordings: Sequence[Recording]) -> list[Recording]:
    """Cut out at most ``MAX_STRETCHES`` stretches of one subject's locomotion, spread evenly over the recordings.

    They are of anything where no locomotion is labelled, and shorter than ``STRETCH_S`` where none is as long.
    """
    masks = [recording.is_movement() for recording in recordings]
    if not any(mask.any() for mask in masks):
        masks = [np.ones(len(recording), dtype=np.bool_) for recording in recordings]
    longest = max(stop - start for mask in masks for start, stop in true_runs(mask, 1))
    samples = min(round(STRETCH_S * recordings[0].rig.rate), longest)
    stretches = [
        recording.slice(at, at + samples)
        for recording, mask in zip(recordings, masks, strict=True)
        for start, stop in true_runs(mask, samples)
        for at in range(start, stop - samples + 1, samples)
    ]
    chosen = np.linspace(0, len(stretches) - 1, min(len(stretches), MAX_STRETCHES))
    return [stretches[index] for index in chosen.round().astype(int)]


def feature_masks(sensors: int, cases: Sequence[Missing]) -> NDArray[np.float32]:
    """Return factors [cases, inputs], 0 for the features of missing sensors: what ``features`` makes of NaN."""
    masks = np.ones((len(cases), feature_count(sensors)), np.float32)
    for mask, case in zip(masks, cases, strict=True):
        for block in feature_blocks(len(mask)).values():
            mask[block].reshape(sensors, -1)[list(case)] = 0.0
    return masks


def calibrated_subset_errors(
    estimator: Estimator, recordings: Sequence[Recording], cases: Sequence[Missing]
) -> dict[Missing, Errors]:
    """Return ``subset_errors`` after a calibration on the first ``SECONDS``; empty where there is too little data."""
    split = split_for_calibration(recordings, SECONDS)
    if split is None or not split.scored:
        return {}
    return subset_errors(adapt_estimator(estimator, split.calibration), split.scored, cases)


def summarise_subsets(rig: Rig, subjects: Sequence[SubsetErrors], scale: DeviationScale) -> SensorSubsets:
    """Summarise the errors of subjects: accuracy, and the factors with which intervals cover what they promise.

    Args:
        subjects: errors of each subject by combination, in references.
        scale: of the bundle's standard deviation.

    Raises:
        InputError: fewer than ``MIN_SUBJECTS``.
    """
    if len(subjects) < MIN_SUBJECTS:
        raise InputError(f"only {len(subjects)} subjects to measure missing sensors on; give at least {MIN_SUBJECTS}")
    rows = [_summarised(case, [own[case] for own in subjects], scale) for case in subjects[0]]
    if rig.is_mirrorable:
        order = rig.mirror_muscles()
        rows += [
            Subset(image, row.r, row.spread, row.coverage, tuple(row.factor[muscle] for muscle in order))
            for row in rows
            if (image := mirrored(rig, row.missing)) != row.missing
        ]
    return SensorSubsets(len(rig.sensors), tuple(sorted(rows, key=lambda row: (len(row.missing), row.missing))))


def _summarised(case: Missing, errors: Sequence[Errors], scale: DeviationScale) -> Subset:
    """Summarise one combination; every subject counts alike."""
    ratios = [_ratios(own, scale) for own in errors]
    correlations = [np.nanmean(_correlations(own)) for own in errors]
    of_others = [_factors([*ratios[:index], *ratios[index + 1 :]], case) for index in range(len(ratios))]
    return Subset(
        missing=case,
        r=_rounded(np.nanmean(correlations)),
        spread=_rounded(np.nanstd(correlations, ddof=1)),
        coverage=(_coverage(ratios), _coverage([own / by for own, by in zip(ratios, of_others, strict=True)])),
        factor=tuple(map(_rounded, _factors(ratios, case))),
    )


def _ratios(errors: Errors, scale: DeviationScale) -> FloatArray:
    """Return the absolute errors [samples, muscles] as multiples of half the interval of ``LEVEL``."""
    half = np.array(scale.multiples[LEVELS.index(LEVEL)]) * scale.apply(errors.activation, errors.deviation)
    return np.asarray(np.abs(errors.measured - errors.activation) / half)


def _correlations(errors: Errors) -> list[float]:
    return [score(measured, own).r for measured, own in zip(errors.measured.T, errors.activation.T, strict=True)]


def _factors(ratios: Sequence[FloatArray], case: Missing) -> FloatArray:
    """Return the factors [muscles], at least 1, with which the intervals of these subjects cover ``LEVEL``.

    With all sensors they are 1: the bundle's scale was fitted to that.
    """
    if not case:
        return np.ones(ratios[0].shape[1])
    values = np.concatenate(ratios)
    weights = np.concatenate([np.full(len(own), 1.0 / len(own)) for own in ratios])
    known = [np.isfinite(own) for own in values.T]
    found = [
        weighted_quantiles(own[rows], weights[rows], (LEVEL,))[0] if rows.any() else 1.0
        for own, rows in zip(values.T, known, strict=True)
    ]
    return np.maximum(found, 1.0)


def _coverage(ratios: Sequence[FloatArray]) -> float:
    """Return the share of samples within the interval, as a mean over subjects."""
    return _rounded(np.mean([(own[np.isfinite(own)] <= 1.0).mean() for own in ratios]))


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 4)
