"""Protocol `uncertainty`: coverage of the intervals, and detection rate of the out-of-distribution alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks.accuracy.ood_alarm import AT_REST, alarm
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.conformal_uncertainty import LEVELS, DeviationScale
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.fit_conformal_uncertainty import (
    SECONDS,
    Adapt,
    Errors,
    Train,
    calibrated_errors,
    errors_of,
    fit_scale,
    fit_uncertainty,
    inner_errors,
    train_folds,
)

MIN_ROWS = 10
CONDITIONS: dict[str, tuple[str, ...] | None] = {
    "all": None, "locomotion": LOCOMOTION, **{name: (name,) for name in (*LOCOMOTION, *AT_REST)},
}  # fmt: skip


def run_fold(
    recordings: Sequence[Recording],
    left_out: Sequence[str],
    estimator: Estimator,
    train: Train,
    adapt: Adapt | None = None,
    seconds: float = SECONDS,
    inner_folds: int = 3,
) -> dict[str, Any]:
    """Answer both questions for the subjects left out, with everything fitted on the others.

    Args:
        estimator: trained without the subjects left out.
        train: trains the same on other recordings, for the inner folds.
        adapt: adapts an estimator to a calibration of ``seconds``; None = coverage without calibration only.

    Returns:
        Plain figures: ``intervals`` and ``alarm``.
    """
    kept = [recording for recording in recordings if recording.subject not in left_out]
    unseen = by_subject([recording for recording in recordings if recording.subject in left_out])
    before, after = inner_errors(kept, train_folds(kept, inner_folds, train), adapt, seconds)
    return {
        "intervals": intervals(recordings[0].rig, before, after, estimator, unseen, adapt, seconds),
        "alarm": alarm(kept, unseen, estimator),
    }


def intervals(
    rig: Rig,
    before: Sequence[Errors],
    after: Sequence[Errors],
    estimator: Estimator,
    unseen: Mapping[str, Sequence[Recording]],
    adapt: Adapt | None = None,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Measure coverage and sharpness on unseen subjects, by calibration and condition.

    Returns:
        ``levels``, the ``uncertainty`` that a bundle would get, and ``subjects.<subject>.<when>.<condition>``
        with ``coverage`` of each level, ``width`` of the 80 % interval and ``crps`` [references], of the
        published deviation and, for comparison, of the network's own (``network``) and of none (``constant``),
        each scaled in the same way but without powers.
    """
    uncertainty = fit_uncertainty(rig, before, after, seconds)
    subjects: dict[str, Any] = {}
    for subject, group in unseen.items():
        if not (group[0].muscle_weight > 0).any():
            continue
        subjects[subject] = {
            "uncalibrated": _sharpness(rig, before, uncertainty.uncalibrated, errors_of(estimator, group))
        }
        own = calibrated_errors(estimator, group, adapt, seconds) if adapt else None
        if own is not None and uncertainty.calibrated is not None:
            subjects[subject]["calibrated"] = _sharpness(rig, after, uncertainty.calibrated, own)
    return {"levels": list(LEVELS), "uncertainty": uncertainty.to_dict(), "subjects": subjects}


def _sharpness(rig: Rig, inner: Sequence[Errors], scale: DeviationScale, errors: Errors) -> dict[str, Any]:
    rivals = {
        "published": (scale, errors),
        "network": (fit_scale(rig, inner, powers=(1.0, 0.0)), errors),
        "constant": (fit_scale(rig, list(map(constant, inner)), powers=(0.0, 0.0)), constant(errors)),
    }
    result: dict[str, Any] = {}
    for name, members in CONDITIONS.items():
        chosen = {rival: (s, e if members is None else e.of(members)) for rival, (s, e) in rivals.items()}
        if len(chosen["published"][1].condition) >= MIN_ROWS:
            result[name] = {rival: _figures(s, e) for rival, (s, e) in chosen.items()}
    return result


def _figures(scale: DeviationScale, errors: Errors) -> dict[str, Any]:
    deviation = scale.apply(errors.activation, errors.deviation)
    known = np.isfinite(errors.measured)
    upper = errors.activation + np.array(scale.multiples[1]) * deviation
    lower = np.maximum(errors.activation - np.array(scale.multiples[1]) * deviation, 0.0)
    return {
        "coverage": covered(scale, errors),
        "width": float((upper - lower)[known].mean()),
        "crps": float(_crps(errors.measured[known], errors.activation[known], deviation[known]).mean()),
    }


def covered(scale: DeviationScale, errors: Errors) -> list[float]:
    """Return the share of a subject's samples in the interval of each level, over trusted muscles; NaN without any."""
    published = scale.apply(errors.activation, errors.deviation)
    known = np.isfinite(errors.measured)
    if not known.any():
        return [float("nan")] * len(scale.multiples)
    return [
        float((np.abs(errors.measured - errors.activation) <= np.array(row) * published)[known].mean())
        for row in scale.multiples
    ]


def constant(errors: Errors) -> Errors:
    """Replace the network's deviation by 1, for comparison."""
    return replace(errors, deviation=np.ones_like(errors.deviation))


def _crps(measured: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Compute the continuous ranked probability score of normal distributions; Gneiting and Raftery 2007, eq. 21."""
    z = (measured - mean) / deviation
    score: FloatArray = deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - np.pi**-0.5)
    return score
