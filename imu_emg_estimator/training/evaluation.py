"""The accuracy of bundles on subjects that they were not trained on, with and without calibration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibrate_recordings import calibrate
from imu_emg_estimator.errors import BagTooShort, InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, weights_of
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.model.told_by_motion import MUSCLE_R
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig import DEFAULT_MOVEMENTS
from imu_emg_estimator.signals.accuracy_metrics import FIGURES, Scores, score
from imu_emg_estimator.training.data_splits import folds_of, split_for_calibration
from imu_emg_estimator.training.fit_conformal_uncertainty import Networks
from imu_emg_estimator.training.parallel_trainings import StepNote, joined_progress
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import RECIPE, train_bundle
from imu_emg_estimator.training.subject_checks import (
    MIN_SCORED_S,
    check_muscles,
    conditions_of,
    left_out,
    movement_group,
)
from imu_emg_estimator.training.worn_alike import worn_alike
from imu_emg_estimator.utils.progress import CountProgress

SCORED_S = 30.0  # of calibration, after which a new bundle is scored

# subject -> seconds -> condition -> muscle -> Scores
SubjectScores = dict[str, dict[str, dict[str, Scores]]]


def score_recordings(bundle: Bundle, recordings: Sequence[Recording]) -> dict[str, dict[str, Scores]]:
    """Score the bundle's estimates of one subject's recordings, see ``score_envelopes``."""
    return score_envelopes(estimate_envelopes(bundle, recordings), recordings)


def score_envelopes(estimated: FloatArray, recordings: Sequence[Recording]) -> dict[str, dict[str, Scores]]:
    """Score envelopes [samples, muscles] of one subject's recordings, concatenated, by condition and muscle.

    Muscles of weight 0 and conditions with less than ``MIN_SCORED_S`` are left out.
    """
    rig = recordings[0].rig
    measured = np.concatenate([recording.envelope for recording in recordings])
    condition = np.concatenate([recording.condition for recording in recordings])
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    result: dict[str, dict[str, Scores]] = {}
    for name, members in conditions_of(rig).items():
        chosen = np.full(len(condition), True) if members is None else np.isin(condition, members)
        if chosen.sum() >= MIN_SCORED_S * rig.rate and len(trusted):
            result[name] = {
                rig.muscle_names[muscle]: score(measured[chosen, muscle], estimated[chosen, muscle])
                for muscle in trusted
            }
    return result


def evaluate_subject(
    bundle: Bundle, recordings: Sequence[Recording], seconds: Collection[float], settings: AdaptationSettings
) -> SubjectScores:
    """Score one subject after each amount of calibration, all on the same samples so that they can be compared.

    What is scored is what ``/calibrate`` would put to use, or the bundle as it is where that adapts nothing.

    Args:
        seconds: amounts of calibration [s of the rig's movements]; what follows the longest is scored.

    Returns:
        Scores by amount, condition and muscle; empty where the subject moves too little or no trusted EMG.
    """
    whole = split_for_calibration(recordings, max(seconds))
    if whole is None or not whole.scored or not (recordings[0].muscle_weight > 0).any():
        return {}
    result: SubjectScores = {}
    for amount in sorted(seconds):
        own = bundle
        if amount > 0:
            part = split_for_calibration(recordings, amount)
            assert part is not None  # the longest one exists
            own = _calibrated(bundle, part.calibration, settings)
        result[f"{amount:g}"] = score_recordings(own, whole.scored)
    return result


def _calibrated(bundle: Bundle, recordings: Sequence[Recording], settings: AdaptationSettings) -> Bundle:
    try:
        return calibrate(bundle, recordings, recordings[0].subject, settings=settings).bundle or bundle
    except BagTooShort:
        return bundle


def trained_subjects(bundle: Bundle, dataset: str) -> list[str]:
    """List the subjects of this data set that the bundle was trained on."""
    return list(bundle.training.get("subjects", [])) if bundle.training.get("dataset") == dataset else []


def check_unseen(bundle: Bundle, dataset: str, subjects: Collection[str]) -> None:
    """Check that the bundle was trained on none of these subjects of the data set; raises InputError."""
    if seen := sorted(set(subjects) & set(trained_subjects(bundle, dataset))):
        raise InputError(
            f"bundle {bundle.model_id} was trained on {dataset} subject {seen[0]}, so its score would mean nothing; "
            "name other subjects, or use --folds to retrain without them"
        )


def evaluate_bundle(
    bundle: Bundle,
    recordings: Sequence[Recording],
    seconds: Collection[float],
    settings: AdaptationSettings | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, SubjectScores]:
    """Score subjects that the caller has checked to be unseen, each by itself; the result is by subject."""
    groups = by_subject(recordings)
    jobs = [(bundle, group, seconds, settings or AdaptationSettings()) for group in groups.values()]
    scores = zip(groups, _in_parallel(evaluate_subject, jobs, workers, progress), strict=True)
    return {subject: own for subject, own in scores if own}


def evaluate_networks(
    bundle: Bundle, recordings: Sequence[Recording], networks: Networks, progress: CountProgress
) -> tuple[dict[str, SubjectScores], list[Bundle]]:
    """Score every subject by the network of the bundle's recipe that has not seen them.

    Before and after ``SCORED_S`` of calibration; only before it, where all move too little to calibrate.

    Returns:
        Scores by subject, and the bundle of every network.
    """
    groups = {name: own for name, own in by_subject(recordings).items() if not left_out(own, 0.0)}
    long = {name: own for name, own in groups.items() if not left_out(own, SCORED_S)}
    seconds, groups = ((0.0, SCORED_S), long) if long else ((0.0,), groups)
    bundles = [_with_network(bundle, estimator, unseen) for estimator, unseen in networks]
    jobs = [
        (own, name) for own, (_, unseen) in zip(bundles, networks, strict=True) for name in unseen if name in groups
    ]
    scores: dict[str, SubjectScores] = {}
    for done, (own, name) in enumerate(jobs):
        progress(done, len(jobs))
        scores[name] = evaluate_subject(own, groups[name], seconds, AdaptationSettings())
    progress(len(jobs), len(jobs))
    return scores, bundles


def _with_network(bundle: Bundle, estimator: Estimator, unseen: Collection[str]) -> Bundle:
    """Return the bundle with another network of its recipe, and with the references that this one learned."""
    return replace(
        bundle,
        weights=weights_of(estimator.network),
        normalisation=estimator.normalisation,
        reference=replace(bundle.reference, amplitude=tuple(map(float, estimator.amplitude))),
        training={**bundle.training, "subjects": sorted({*bundle.training["subjects"]} - {*unseen})},
    )


def evaluate_folds(
    recordings: Sequence[Recording],
    folds: int,
    dataset: str,
    seconds: Collection[float],
    training: TrainingSettings | None = None,
    adaptation: AdaptationSettings | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, SubjectScores], list[Bundle]]:
    """Retrain the recipe without the subjects of each fold, and score those.

    Args:
        progress: called with the optimiser steps done and those of all folds.

    Returns:
        Scores by subject, and the bundle of every fold.
    """
    groups = by_subject(recordings)
    parts = folds_of(list(groups), folds)
    check_muscles(recordings, parts)
    settings = (training or RECIPE, adaptation or AdaptationSettings())
    scores: dict[str, SubjectScores] = {}
    bundles = []
    with joined_progress(len(parts), settings[0].steps, progress) as notes:
        jobs = [(recordings, part, dataset, seconds, *settings, note) for part, note in zip(parts, notes, strict=True)]
        for note, (fold_scores, bundle) in zip(notes, _in_parallel(_evaluate_fold, jobs, workers, None), strict=True):
            scores.update(fold_scores)
            bundles.append(bundle)
            if note:  # its machine may not reach this one's files
                note(settings[0].steps, settings[0].steps, np.nan)
    return {subject: scores[subject] for subject in groups if subject in scores}, bundles


def _evaluate_fold(
    recordings: Sequence[Recording],
    left_out: list[str],
    dataset: str,
    seconds: Collection[float],
    training: TrainingSettings,
    adaptation: AdaptationSettings,
    note: StepNote | None,
) -> tuple[dict[str, SubjectScores], Bundle]:
    """Train the recipe without the subjects left out, and score those."""
    kept = worn_alike([recording for recording in recordings if recording.subject not in left_out])
    bundle = train_bundle(kept, f"{dataset}_without_{'_'.join(left_out)}", dataset, training, progress=note)
    held_out = [recording for recording in recordings if recording.subject in left_out]
    return evaluate_bundle(bundle, held_out, seconds, adaptation), bundle


def _in_parallel(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Any]:
    """Call the function with the arguments of each job; yield the results in order."""
    results = Parallel(n_jobs=workers, return_as="generator")(delayed(_single_threaded)(function, *job) for job in jobs)
    if progress:
        progress(0, len(jobs))
    for done, result in enumerate(results, start=1):
        if progress:
            progress(done, len(jobs))
        yield result


def _single_threaded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run in a worker process with one thread, since workers share the cores."""
    import torch

    torch.set_num_threads(1)
    return function(*arguments)


def figures_of(
    protocol: str, bundle: Bundle, recordings: Sequence[Recording], scores: Mapping[str, SubjectScores], seconds: float
) -> dict[str, Any]:
    """Return what an evaluation found, for JSON and reports.

    Args:
        protocol: how it was done.
        bundle: that was scored, or one of several.
        seconds: the longest calibration.
    """
    rig, reasons = recordings[0].rig, left_out(recordings, seconds)
    figures = {"protocol": protocol, "look_ahead_s": bundle.look_ahead_s, **summarise(scores)}
    figures |= {"movement_group": movement_group(rig), MUSCLE_R: muscle_r(scores, movement_group(rig))}
    if rig.movements != DEFAULT_MOVEMENTS:
        figures["movements"] = list(rig.movement_names)
    return figures | {"left_out": reasons, "not_scored": sorted(reasons)}


def muscle_r(scores: Mapping[str, SubjectScores], group: str) -> dict[str, float]:
    """Average each muscle's r in a group of conditions over the subjects, after the longest calibration of each."""
    found: dict[str, list[float]] = {}
    for by_seconds in scores.values():
        for muscle, entry in by_seconds[max(by_seconds, key=float)].get(group, {}).items():
            found.setdefault(muscle, []).append(entry.r)
    return {muscle: float(np.nanmean(r)) for muscle, r in found.items() if np.isfinite(r).any()}


def summarise(scores: Mapping[str, SubjectScores]) -> dict[str, Any]:
    """Average scores over muscles and subjects.

    Returns:
        ``mean.<seconds>.<condition>.<r|r2|nrmse>``: mean over subjects of each one's mean over muscles, with
        the number of ``subjects``; and ``subjects.<subject>.<seconds>.<condition>``: ``mean`` and ``muscles``.
    """
    subjects: dict[str, Any] = {}
    gathered: dict[str, dict[str, list[dict[str, float]]]] = {}
    for subject, by_seconds in scores.items():
        for seconds, by_condition in by_seconds.items():
            for condition, by_muscle in by_condition.items():
                mean = _mean([asdict(entry) for entry in by_muscle.values()])
                entry = {
                    "mean": mean,
                    "muscles": {muscle: asdict(value) for muscle, value in by_muscle.items()},
                }
                subjects.setdefault(subject, {}).setdefault(seconds, {})[condition] = entry
                gathered.setdefault(seconds, {}).setdefault(condition, []).append(mean)
    mean_over_subjects = {
        seconds: {condition: _mean(entries) | {"subjects": len(entries)} for condition, entries in by_condition.items()}
        for seconds, by_condition in gathered.items()
    }
    return {"mean": mean_over_subjects, "subjects": subjects}


def _mean(entries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average every figure over the entries in which it is defined; NaN where there is none."""
    known = {figure: [entry[figure] for entry in entries if np.isfinite(entry[figure])] for figure in FIGURES}
    return {figure: float(np.mean(values)) if values else float("nan") for figure, values in known.items()}
