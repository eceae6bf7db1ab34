"""Protocol `gait-cycle` of arXiv:2604.25670: whole time-normalised gait cycles in and out.

Besides the figures with amplitude there are those of cycles that were each scaled to their own extremes, for
comparison with papers that do so: they require the measurement in advance, and ignore its amplitude.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cycle_models import MODEL_NAMES, CycleModel, CycleSettings, fit, training_subject
from benchmarks.accuracy.gait_cycles import Cycles, Scale, cycles_of, population_scale, scale_of, subject_cycles
from benchmarks.accuracy.simple_baselines import affine_fit
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.signals.stride_detection import POINTS

__all__ = ["CycleSettings", "cycle_scores", "cycles_of", "run_fold", "summarise"]

MIN_CYCLES = 5  # per condition and muscle; fewer are not scored
GUARD_CYCLES = 1  # of each leg after the calibration, not scored because the envelope's filter reaches into them
LOCOMOTION_NAME = "locomotion"
WITH_AMPLITUDE = "with amplitude"
WITHOUT_AMPLITUDE = "amplitude removed per cycle, for comparison with papers that do so"
FIGURES = ("r", "r2", "nrmse", "peak_timing", "peak_amplitude")


def run_fold(
    recordings: Sequence[Recording],
    left_out: Collection[str],
    model_name: str,
    settings: CycleSettings | None = None,
) -> dict[str, Any]:
    """Train a model without some subjects and score it on their cycles, before and after few-shot adaptation.

    Args:
        recordings: of all subjects, each one's in order of time.
        model_name: one of ``MODEL_NAMES``.

    Returns:
        Plain values: ``figures``, a list with an entry for every subject, amount of calibration, method, variant,
        condition and muscle, see ``cycle_scores`` for its figures; ``cycles`` of every subject; ``not_scored``,
        a reason for every subject left out who has no figures.

    Raises:
        InputError: an unknown model, no shank sensor, or no subject to train on.
    """
    settings = settings or CycleSettings()
    if model_name not in MODEL_NAMES:
        raise InputError(f"model '{model_name}' has no gait-cycle form; use one of {', '.join(MODEL_NAMES)}")
    cycles = {subject: subject_cycles(group) for subject, group in by_subject(recordings).items()}
    rig = recordings[0].rig
    training = {subject: own for subject, own in cycles.items() if subject not in left_out and own.known().any()}
    if not training:
        raise InputError("no subject that is not left out has gait cycles with trusted EMG; add recordings of walking")
    scales = {subject: scale_of(own) for subject, own in training.items()}
    subjects = [training_subject(own, scales[subject]) for subject, own in training.items()]
    model = fit(model_name, subjects, rig, settings)
    population = population_scale(scales.values(), rig)
    figures: list[dict[str, Any]] = []
    not_scored: dict[str, str] = {}
    for subject in (subject for subject in cycles if subject in left_out):
        found = subject_figures(model, population, cycles[subject], rig, settings)
        figures += [{"subject": subject, **entry} for entry in found]
        if not found:
            not_scored[subject] = "no trusted EMG, or too few gait cycles after the longest calibration"
    return {
        "model": model_name,
        "left_out": [subject for subject in cycles if subject in left_out],
        "cycles": {subject: len(own) for subject, own in cycles.items()},
        "settings": asdict(settings),
        "figures": figures,
        "not_scored": not_scored,
    }


def subject_figures(
    model: CycleModel, population: Scale, cycles: Cycles, rig: Rig, settings: CycleSettings
) -> list[dict[str, Any]]:
    """Score one subject for every amount of calibration and method, all on the same cycles.

    Methods are ``none``, ``affine`` (minimum and range from the calibration) and ``all`` (those, and then all that
    the model can learn: all weights of a network). Measurements of the scored cycles are used for scoring only.
    """
    scored = cycles.take(cycles.number() >= max(settings.few_shot, default=0) + GUARD_CYCLES)
    activation = model.activation(scored.imu)
    result = _entries(scored, population.envelope(activation), rig, "0", "none")
    for amount, chosen in _calibrations(cycles, settings).items():
        if not result:
            break
        calibration = cycles.take(chosen)
        scale = calibrated_scale(model, population, calibration)
        known = training_subject(calibration, scale)
        tuned = model.tuned(known.imu, known.target, known.weight, settings)
        result += _entries(scored, scale.envelope(activation), rig, amount, "affine")
        result += _entries(scored, scale.envelope(tuned.activation(scored.imu)), rig, amount, "all")
    return result


def _calibrations(cycles: Cycles, settings: CycleSettings) -> dict[str, NDArray[np.bool_]]:
    """Return masks [cycles] by amount: a share of each leg's cycles, at least one, then numbers of them."""
    number = cycles.number()
    longest = max(settings.few_shot, default=0)
    share = np.zeros(len(cycles), dtype=bool)
    for side in np.unique(cycles.side):
        own = cycles.side == side
        share |= own & (number < min(max(1, round(settings.share * own.sum())), longest))
    masks = {f"{100 * settings.share:g} %": share} if longest else {}
    return masks | {str(count): number < count for count in settings.few_shot}


def calibrated_scale(model: CycleModel, population: Scale, calibration: Cycles) -> Scale:
    """Fit the minimum and range of the model's activation to the calibration; else return the population's.

    With the extremes of the calibration itself, a subject who only walked in it would reach full activation in walking.
    """
    trusted = [int(muscle) for muscle in np.flatnonzero(calibration.known().any(axis=0))]
    muscles = calibration.envelope.shape[2]
    measured, estimated = calibration.envelope, model.activation(calibration.imu)
    gain, offset = affine_fit(measured.reshape(-1, muscles), estimated.reshape(-1, muscles), trusted)
    fitted = np.isin(np.arange(len(gain)), trusted) & (gain > 0)
    return Scale(np.where(fitted, offset, population.low), np.where(fitted, gain, population.span))


def _entries(cycles: Cycles, estimated: FloatArray, rig: Rig, amount: str, method: str) -> list[dict[str, Any]]:
    known = cycles.known()
    result = []
    for condition in (LOCOMOTION_NAME, *LOCOMOTION):
        here = np.full(len(cycles), True) if condition == LOCOMOTION_NAME else cycles.condition == condition
        for muscle, name in enumerate(rig.muscle_names):
            own = here & known[:, muscle]
            if own.sum() < MIN_CYCLES:
                continue
            truth, guess = cycles.envelope[own, :, muscle], estimated[own, :, muscle]
            label = {"calibration": amount, "method": method, "condition": condition, "muscle": name}
            result.append(label | {"variant": WITH_AMPLITUDE} | cycle_scores(truth, guess))
            shapes = without_amplitude(truth), without_amplitude(guess)
            figures = cycle_scores(*shapes) | {"peak_amplitude": float("nan")}  # the peaks are all 1
            result.append(label | {"variant": WITHOUT_AMPLITUDE} | figures)
    return result


def cycle_scores(measured: FloatArray, estimated: FloatArray) -> dict[str, float]:
    """Score one muscle over cycles [cycles, 101].

    Returns:
        ``r``, ``r2``, ``nrmse`` over all points of all cycles, see ``metrics.Scores``; ``peak_timing``: mean distance
        of the peaks [% of cycle], the short way round; ``peak_amplitude``: mean distance of the peaks' heights as a
        share of the mean measured one; ``cycles``.
    """
    pooled = score(measured.ravel(), estimated.ravel())
    # The last point is the first one of the next cycle.
    apart = np.abs(measured[:, :-1].argmax(axis=1) - estimated[:, :-1].argmax(axis=1))
    heights = measured.max(axis=1), estimated.max(axis=1)
    return {
        "r": pooled.r,
        "r2": pooled.r2,
        "nrmse": pooled.nrmse,
        "peak_timing": float(np.minimum(apart, POINTS - 1 - apart).mean()),
        "peak_amplitude": float(np.abs(heights[0] - heights[1]).mean() / heights[0].mean()),
        "cycles": len(measured),
    }


def without_amplitude(cycles: FloatArray) -> FloatArray:
    """Scale each cycle [cycles, 101] to 0 to 1 by its own extremes; constant cycles become 0."""
    low, high = cycles.min(axis=1, keepdims=True), cycles.max(axis=1, keepdims=True)
    return np.asarray((cycles - low) / np.where(high > low, high - low, 1.0))


def summarise(folds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Average over muscles, and give mean and standard deviation over subjects, for a table.

    Args:
        folds: results of ``run_fold``.

    Returns:
        An entry for every model, amount of calibration, method, variant and condition, with ``subjects`` and for
        every figure of ``FIGURES`` its mean and ``<figure>_std``.
    """
    keys = ("model", "calibration", "method", "variant", "condition")
    groups: dict[tuple[str, ...], dict[str, list[Mapping[str, Any]]]] = {}
    for fold in folds:
        for entry in fold["figures"]:
            group = groups.setdefault(tuple({"model": fold["model"], **entry}[key] for key in keys), {})
            group.setdefault(entry["subject"], []).append(entry)
    result = []
    for group_key, subjects in groups.items():
        row: dict[str, Any] = dict(zip(keys, group_key, strict=True)) | {"subjects": len(subjects)}
        for figure in FIGURES:
            means = np.array([np.mean([_number(entry[figure]) for entry in own]) for own in subjects.values()])
            known = means[np.isfinite(means)]
            row[figure] = float(known.mean()) if len(known) else float("nan")
            row[f"{figure}_std"] = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
        result.append(row)
    return result


def _number(value: float | None) -> float:
    """Replace undefined figures by None, for JSON."""
    return float("nan") if value is None else value
