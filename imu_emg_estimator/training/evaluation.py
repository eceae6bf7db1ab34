"""Scores on subjects that a bundle was not trained on, with and without calibration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.adapted_bundle import adapt_bundle
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES, Scores, score
from imu_emg_estimator.training.pretraining import TrainingSettings
from imu_emg_estimator.training.recipe import RECIPE, train_bundle

CONDITIONS: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "locomotion": LOCOMOTION,
    **{condition: (condition,) for condition in LOCOMOTION},
}
SHORTEST_BOUT = 2.0  # s; a shorter bout of locomotion is not calibrated on
GUARD = 1.0  # s after the calibration that is not scored: the envelope's filter reaches that far
SHORTEST_SCORED = 5.0  # s; a condition with less is not scored

# subject -> seconds -> condition -> muscle -> Scores
SubjectScores = dict[str, dict[str, dict[str, Scores]]]


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
    """Set apart a subject's first seconds of locomotion; None if there are not so many."""
    rate = recordings[0].rig.rate
    missing = round(seconds * rate)
    calibration: list[Recording] = []
    scored: list[Recording] = []
    for recording in recordings:
        end = 0
        for start, stop in bouts(recording.is_locomotion(), round(SHORTEST_BOUT * rate)):
            if missing <= 0:
                break
            stop = min(stop, start + missing)
            calibration.append(recording.slice(start, stop))
            missing -= stop - start
            end = stop + round(GUARD * rate)
        if missing <= 0 and end < len(recording):
            scored.append(recording.slice(end, len(recording)))
    return CalibrationSplit(calibration, scored) if missing <= 0 else None


def bouts(chosen: NDArray[np.bool_], shortest: int) -> list[tuple[int, int]]:
    """Start and end of every run of True that is at least so many samples long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]


def score_recordings(bundle: Bundle, recordings: Sequence[Recording]) -> dict[str, dict[str, Scores]]:
    """Scores by condition and muscle over all samples of one subject's recordings, pooled.

    Muscles of weight 0 and conditions of less than 5 s are left out.
    """
    estimated = estimate_envelopes(bundle, recordings)
    measured = np.concatenate([recording.envelope for recording in recordings])
    condition = np.concatenate([recording.condition for recording in recordings])
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    result: dict[str, dict[str, Scores]] = {}
    for name, members in CONDITIONS.items():
        chosen = np.full(len(condition), True) if members is None else np.isin(condition, members)
        if chosen.sum() >= SHORTEST_SCORED * bundle.rig.rate and len(trusted):
            result[name] = {
                bundle.rig.muscle_names[muscle]: score(measured[chosen, muscle], estimated[chosen, muscle])
                for muscle in trusted
            }
    return result


def evaluate_subject(
    bundle: Bundle, recordings: Sequence[Recording], seconds: Collection[float], settings: AdaptationSettings
) -> SubjectScores:
    """Scores of one subject after each amount of calibration [s], all on the same samples.

    Those are everything after the longest calibration, so that columns can be compared.
    Empty where the subject has not that much locomotion, or no trusted EMG.
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
            own = adapt_bundle(bundle, part.calibration, settings)
        result[f"{amount:g}"] = score_recordings(own, whole.scored)
    return result


def trained_subjects(bundle: Bundle, dataset: str) -> list[str]:
    """Subjects of this data set that the bundle was trained on."""
    return list(bundle.training.get("subjects", [])) if bundle.training.get("dataset") == dataset else []


def check_unseen(bundle: Bundle, dataset: str, subjects: Collection[str]) -> None:
    """Raise InputError if the bundle was trained on one of these subjects of the data set."""
    if seen := sorted(set(subjects) & set(trained_subjects(bundle, dataset))):
        raise InputError(
            f"bundle {bundle.model_id} was trained on {dataset} subject {seen[0]}, a score on it would mean nothing; "
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
    """Scores by subject; the caller has made sure that they are unseen."""
    groups = by_subject(recordings)
    jobs = Parallel(n_jobs=workers, return_as="generator")(
        delayed(_single_threaded)(evaluate_subject, bundle, group, seconds, settings or AdaptationSettings())
        for group in groups.values()
    )
    result = {}
    if progress:
        progress(0, len(groups))
    for count, (subject, scores) in enumerate(zip(groups, jobs, strict=True), start=1):
        if scores:
            result[subject] = scores
        if progress:
            progress(count, len(groups))
    return result


def folds_of(subjects: Sequence[str], folds: int) -> list[list[str]]:
    """Subject-disjoint folds: every folds-th subject in the given order."""
    if not 2 <= folds <= len(subjects):
        raise InputError(f"{folds} folds cannot be made of {len(subjects)} subjects; give 2 to {len(subjects)}")
    return [list(subjects[index::folds]) for index in range(folds)]


def train_fold(
    recordings: Sequence[Recording],
    left_out: Collection[str],
    dataset: str,
    settings: TrainingSettings,
    progress: Callable[[int, int, float], None] | None = None,
) -> Bundle:
    """The recipe, trained on everyone but the subjects left out."""
    kept = [recording for recording in recordings if recording.subject not in left_out]
    return train_bundle(kept, f"{dataset}_without_{'_'.join(left_out)}", dataset, settings, progress=progress)


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
    """Leave-subjects-out: retrain the recipe for every fold and score the subjects left out of it.

    Returns:
        Scores by subject, and the bundle of every fold.
    """
    groups = by_subject(recordings)
    parts = folds_of(list(groups), folds)
    jobs = Parallel(n_jobs=workers, return_as="generator")(
        delayed(_single_threaded)(
            _one_fold,
            recordings,
            part,
            dataset,
            seconds,
            training or RECIPE,
            adaptation or AdaptationSettings(),
        )
        for part in parts
    )
    scores: dict[str, SubjectScores] = {}
    bundles = []
    if progress:
        progress(0, folds)
    for count, (fold_scores, bundle) in enumerate(jobs, start=1):
        scores.update(fold_scores)
        bundles.append(bundle)
        if progress:
            progress(count, folds)
    return {subject: scores[subject] for subject in groups if subject in scores}, bundles


def _one_fold(
    recordings: Sequence[Recording],
    left_out: list[str],
    dataset: str,
    seconds: Collection[float],
    training: TrainingSettings,
    adaptation: AdaptationSettings,
) -> tuple[dict[str, SubjectScores], Bundle]:
    bundle = train_fold(recordings, left_out, dataset, training)
    held_out = [recording for recording in recordings if recording.subject in left_out]
    return evaluate_bundle(bundle, held_out, seconds, adaptation), bundle


def _single_threaded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run in a worker process with one thread: workers share the cores among themselves."""
    import torch

    torch.set_num_threads(1)
    return function(*arguments)


def summarise(scores: Mapping[str, SubjectScores]) -> dict[str, Any]:
    """Figures for people and programs.

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
    """Mean of every figure over the entries in which it is defined; NaN where there is none."""
    known = {figure: [entry[figure] for entry in entries if np.isfinite(entry[figure])] for figure in FIGURES}
    return {figure: float(np.mean(values)) if values else float("nan") for figure, values in known.items()}
