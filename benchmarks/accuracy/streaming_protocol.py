"""Protocol `streaming`: causal estimates of every sample, before and after calibrations of several lengths."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import Fitted, load
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.data_splits import CalibrationSplit, split_for_calibration
from imu_emg_estimator.training.subject_checks import MIN_SCORED_S, conditions_of

SECONDS = (0.0, 30.0, 60.0)
SHOWN_S = 8.0  # of each kind of locomotion, kept for pictures

Figures = dict[str, dict[str, dict[str, float]]]  # condition -> muscle -> figure


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Score the subjects who were not trained on by the source job's model.

    Settings of the job: ``seconds`` of calibration to compare, ``adaptation`` (AdaptationSettings).
    """
    assert job.source is not None
    return score_left_out(trained(job.source, folder), recordings, job)


def score_left_out(fitted: Fitted, recordings: Sequence[Recording], job: Job, shown: bool = True) -> dict[str, Any]:
    """Score all subjects that a job leaves out and that can be scored, by ``score_subject``."""
    seconds, adaptation = job.settings["seconds"], job.settings["adaptation"]
    left_out = by_subject([recording for recording in recordings if recording.subject in job.left_out])
    scored = {subject: score_subject(fitted, group, seconds, adaptation, shown) for subject, group in left_out.items()}
    return {"subjects": {subject: outcome for subject, outcome in scored.items() if outcome}}


def trained(job: Job, folder: RunFolder) -> Fitted:
    """Load the model that a job trained."""
    return load(folder.network(job))


def score_subject(
    fitted: Fitted,
    recordings: Sequence[Recording],
    seconds: Collection[float],
    settings: AdaptationSettings,
    shown: bool = True,
) -> dict[str, Any] | None:
    """Score one subject after each amount of calibration [s], all on the same samples.

    Those are all that was recorded after the longest calibration.

    Args:
        shown: keep some seconds of estimate beside measured envelope for a picture, too.

    Returns:
        ``scores.<seconds>.<condition>.<muscle>.<figure>``, ``adapting`` time [s] by seconds, and ``shown``;
        None where the subject has too little locomotion for the longest calibration, or no trusted EMG.
    """
    split = comparable_split(recordings, seconds)
    if split is None:
        return None
    scores: dict[str, Figures] = {}
    adapting: dict[str, float] = {}
    estimates: dict[str, FloatArray] = {}
    for amount in sorted(seconds):
        own, start = fitted, time.monotonic()
        if amount > 0:
            part = split_for_calibration(recordings, amount)
            assert part is not None  # the longest one exists
            own = fitted.adapted(part.calibration, settings)
        adapting[f"{amount:g}"] = time.monotonic() - start
        estimates[f"{amount:g}"] = own.estimate(split.scored)
        scores[f"{amount:g}"] = score_estimate(split.scored, estimates[f"{amount:g}"])
    outcome = {"scores": scores, "adapting": adapting}
    return outcome | ({"shown": _stretches(split.scored, estimates)} if shown else {})


def comparable_split(recordings: Sequence[Recording], seconds: Collection[float]) -> CalibrationSplit | None:
    """Return the samples scored after any of these amounts of calibration; None if there are none."""
    split = split_for_calibration(recordings, max(seconds))
    if split is None or not split.scored or not (recordings[0].muscle_weight > 0).any():
        return None
    return split


def score_estimate(recordings: Sequence[Recording], estimated: FloatArray) -> Figures:
    """Score one subject's estimate [samples, muscles] over all recordings, by condition and trusted muscle.

    Beside those of ``metrics.Scores`` there is ``r2_scaled``: R² if the subject's amplitude and offset
    were known. They are taken from the scored samples themselves, one pair a muscle for all conditions,
    so it is an oracle's figure: it shows how much of a poor R² is due to amplitude alone.
    """
    measured = np.concatenate([recording.envelope for recording in recordings])
    condition = np.concatenate([recording.condition for recording in recordings])
    rig = recordings[0].rig
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    scaled = {muscle: _best_affine(measured[:, muscle], estimated[:, muscle]) for muscle in trusted}
    result: Figures = {}
    for name, members in conditions_of(rig).items():
        chosen = np.full(len(condition), True) if members is None else np.isin(condition, members)
        if chosen.sum() < MIN_SCORED_S * rig.rate:
            continue
        result[name] = {
            rig.muscle_names[muscle]: asdict(score(measured[chosen, muscle], estimated[chosen, muscle]))
            | {"r2_scaled": score(measured[chosen, muscle], scaled[muscle][chosen]).r2}
            for muscle in trusted
        }
    return result


def _best_affine(measured: FloatArray, estimated: FloatArray) -> FloatArray:
    """Scale and shift the estimate [samples] to fit the measurement best."""
    known = np.isfinite(measured) & np.isfinite(estimated)
    design = np.stack([estimated, np.ones_like(estimated)], axis=1)
    if not known.any():
        return estimated
    coefficients = np.linalg.lstsq(design[known].astype(np.float64), measured[known].astype(np.float64))[0]
    return np.asarray(design @ coefficients)


def _stretches(recordings: Sequence[Recording], estimates: dict[str, FloatArray]) -> dict[str, Any]:
    """Cut the first seconds of the longest bout of each kind of locomotion, measured and estimated, trusted muscles."""
    rig = recordings[0].rig
    trusted = np.flatnonzero(recordings[0].muscle_weight > 0)
    measured = np.concatenate([recording.envelope for recording in recordings])
    starts = np.cumsum([0, *map(len, recordings)])
    result = {}
    for name in LOCOMOTION:
        found = [
            (stop - start, offset + start)
            for offset, recording in zip(starts, recordings, strict=False)
            for start, stop in true_runs(recording.condition == name, round(MIN_SCORED_S * rig.rate))
        ]
        if found:
            length, first = max(found)
            chosen = slice(first, first + min(length, round(SHOWN_S * rig.rate)))
            result[name] = {
                "rate": rig.rate,
                "unit": recordings[0].envelope_unit,
                "muscles": [rig.muscle_names[muscle] for muscle in trusted],
                "measured": np.round(measured[chosen][:, trusted].T, 2),
                "estimated": {
                    amount: np.round(estimate[chosen][:, trusted].T, 2) for amount, estimate in estimates.items()
                },
            }
    return result
