"""Pictures of estimated beside measured envelopes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.envelope_curves import Envelopes, curves_of, in_unit, interval_half_width
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, published_estimate
from imu_emg_estimator.recording import FloatArray, Recording, trusted_envelope
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.evaluation import SubjectScores
from imu_emg_estimator.training.subject_checks import movement_group
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import json_compatible

SHOWN_S = 8.0  # of each condition, or all of it where no bout is as long
MAX_COLUMNS = 8
CONTEXT_S = 2 * SHOWN_S  # at most, before what is shown
MEASURED_COLOUR, BEFORE_COLOUR, AFTER_COLOUR = "0.35", "tab:orange", "tab:blue"


def draw_median_subject(
    path: Path, bundles: Sequence[Bundle], recordings: Sequence[Recording], scores: Mapping[str, SubjectScores]
) -> None:
    """Draw estimated and measured envelopes of the subject whose r in the rig's movements is the median.

    Of several bundles, the estimate comes from one that was not trained on that subject.

    Raises:
        InputError: the picture cannot be written.
    """
    subject, bundle, r = _median_subject(bundles, recordings, scores)
    own = [recording for recording in recordings if recording.subject == subject]
    title = f"Unseen subject {subject}, no calibration (median of {len(r)} subjects, r {r[subject]:.2f})"
    draw_conditions(path, bundle, own, title)


def example_of_median_subject(
    bundles: Sequence[Bundle], recordings: Sequence[Recording], scores: Mapping[str, SubjectScores]
) -> dict[str, Any]:
    """Return some seconds of the same subject's longest bout of movement, for JSON; see ``EnvelopeCurves``."""
    subject, bundle, _ = _median_subject(bundles, recordings, scores)
    own = [recording for recording in recordings if recording.subject == subject]
    stretches = {condition: _stretch(own, condition) for condition in _moving(own)}
    condition, stretch = max(stretches.items(), key=lambda item: len(item[1]))
    activation, deviation = published_estimate(bundle, stretch.imu)
    known = in_unit(bundle, stretch.envelope_unit)
    envelopes = Envelopes(
        trusted_envelope([stretch]),
        np.where(known, activation * np.array(bundle.reference.amplitude), np.nan),
        interval_half_width(bundle, deviation),
    )
    curves = curves_of(envelopes, bundle.rig.muscle_names, bundle.rig.rate, stretch.envelope_unit)
    return {"subject": subject, "condition": condition, "curves": json_compatible(curves)}


def _median_subject(
    bundles: Sequence[Bundle], recordings: Sequence[Recording], scores: Mapping[str, SubjectScores]
) -> tuple[str, Bundle, dict[str, float]]:
    """Find the subject whose r in the rig's movements is the median, a bundle that never saw it, and r by subject."""
    group = movement_group(recordings[0].rig)
    known = {subject: _r_of(by_seconds, group) for subject, by_seconds in scores.items()}
    r = {subject: value for subject, value in known.items() if np.isfinite(value)} or known
    subject = sorted(r, key=lambda name: r[name])[len(r) // 2]
    unseen = [bundle for bundle in bundles if subject not in bundle.training.get("subjects", [])]
    return subject, (unseen or bundles)[0], r


def _r_of(scores: SubjectScores, condition: str) -> float:
    by_muscle = next(iter(scores.values())).get(condition, {})
    return float(np.mean([entry.r for entry in by_muscle.values()])) if by_muscle else float("nan")


def draw_conditions(path: Path, bundle: Bundle, recordings: Sequence[Recording], title: str) -> None:
    """Draw a row for every muscle and a column for every movement of the rig, or label, that the subject has."""
    stretches = {condition: _stretch(recordings, condition) for condition in _moving(recordings)}
    long = {name: stretch for name, stretch in stretches.items() if stretch.duration >= SHOWN_S}
    present = dict(list((long or stretches).items())[:MAX_COLUMNS])
    muscles = [index for index in range(len(bundle.rig.muscles)) if recordings[0].muscle_weight[index] > 0]
    figure, axes = _subplots(len(muscles), len(present))
    for column, (condition, stretch) in enumerate(present.items()):
        estimated = estimate_envelopes(bundle, [stretch])
        for row, muscle in enumerate(muscles):
            axis = axes[row][column]
            axis.plot(stretch.time, stretch.envelope[:, muscle], color=MEASURED_COLOUR, label="measured")
            axis.plot(stretch.time, estimated[:, muscle], color=AFTER_COLOUR, label="estimated from IMUs")
            axis.set_xlim(max(0.0, stretch.duration - SHOWN_S), stretch.duration)
            if row == 0:
                axis.set_title(condition.replace("_", " "))
            if column == 0:
                axis.set_ylabel(f"{bundle.rig.muscle_names[muscle].replace('_', ' ')}\n[{stretch.envelope_unit}]")
            if row == len(muscles) - 1:
                axis.set_xlabel("time [s]")
    axes[0][0].legend(loc="upper left", fontsize="small")
    save_figure(figure, path, title)


def _moving(recordings: Sequence[Recording]) -> list[str]:
    """List the movements of the rig that a subject has; all labels where it has none."""
    labels = list(dict.fromkeys(str(label) for own in recordings for label in np.unique(own.condition)))
    return [name for name in recordings[0].rig.movement_names if name in labels] or labels


def _stretch(recordings: Sequence[Recording], condition: str) -> Recording:
    """Cut out the subject's longest bout of a condition that it has: what is shown, and the context before it."""
    bouts = [(own, *run) for own in recordings for run in true_runs(own.condition == condition)]
    recording, start, stop = max(bouts, key=lambda bout: bout[2] - bout[1])
    stop = min(stop, start + round((CONTEXT_S + SHOWN_S) * recording.rig.rate))
    return recording.slice(start, stop)


def draw_before_and_after(
    path: Path, title: str, time: FloatArray, measured: FloatArray, before: FloatArray, after: FloatArray,
    muscles: Sequence[str], unit: str,
) -> None:  # fmt: skip
    """Draw the measured envelope with the estimates before and after calibration, a row for every muscle.

    Args:
        time: [samples], in s.
        measured, before, after: [samples, muscles], in ``unit``.
    """
    figure, axes = _subplots(len(muscles), 1, width=11.0)
    for index, muscle in enumerate(muscles):
        axis = axes[index][0]
        axis.plot(time, measured[:, index], color=MEASURED_COLOUR, label="measured")
        axis.plot(time, before[:, index], color=BEFORE_COLOUR, linewidth=1.0, label="estimated, before calibration")
        axis.plot(time, after[:, index], color=AFTER_COLOUR, label="estimated, after calibration")
        axis.set_ylabel(f"{muscle.replace('_', ' ')}\n[{unit}]")
    axes[-1][0].set_xlabel("time [s]")
    axes[0][0].legend(loc="upper left", fontsize="small", ncols=3)
    save_figure(figure, path, title)


def _subplots(rows: int, columns: int, width: float = 3.6) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width * columns, 6.0), 2.2 * rows + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Any, path: Path, title: str) -> None:
    """Write a PNG, and its folder where it is missing; raises InputError where it cannot be written."""
    figure.suptitle(title, fontsize="medium")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, format="png")
    write_atomically(Path(path), picture.getvalue())
