"""Figures as tables and pictures for people."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES
from imu_emg_estimator.training.evaluation import SubjectScores, bouts
from imu_emg_estimator.utils.atomic_files import write_atomically

SHOWN_SECONDS = 8.0
MEASURED_COLOUR, BEFORE_COLOUR, AFTER_COLOUR = "0.35", "tab:orange", "tab:blue"


def scores_table(summary: Mapping[str, Any]) -> str:
    """Markdown table of the mean figures by amount of calibration and condition."""
    lines = [
        f"{summary['protocol']}; mean over subjects, look-ahead {1000 * summary['look_ahead_s']:.0f} ms",
        "",
        "| calibration [s] | condition | subjects | r | R² | nRMSE |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for seconds, by_condition in summary["mean"].items():
        for condition, figures in by_condition.items():
            values = " | ".join(f"{figures[figure]:.3f}" for figure in FIGURES)
            lines.append(f"| {seconds} | {condition} | {figures.get('subjects', figures.get('wearers'))} | {values} |")
    return "\n".join(lines)


def model_card(bundle: Bundle) -> str:
    """Markdown card of a bundle: what it is, what it was trained on, how well it does on others, its limits."""
    training, config, rate = bundle.training, bundle.config, bundle.rig.rate
    amplitude = ", ".join(
        f"{name} {value:.1f} {bundle.reference.unit_of(muscle)}"
        for muscle, (name, value) in enumerate(zip(bundle.rig.muscle_names, bundle.reference.amplitude, strict=True))
    )
    sensors, muscles = ", ".join(bundle.rig.sensor_names), ", ".join(bundle.rig.muscle_names)
    envelope = bundle.envelope
    subjects = ", ".join(sorted(training.get("subjects", []), key=_number_first))
    scores = scores_table(bundle.scores) if bundle.scores else "None were made for this bundle."
    return f"""# Model card: {bundle.model_id}

Causal GEGLU-Transformer that estimates EMG envelopes from body-worn IMUs (after arXiv:2604.25670).

| | |
| --- | --- |
| input | {len(bundle.rig.sensors)} IMUs ({sensors}), {_channels(bundle)}, on a grid of {rate:g} Hz |
| output | {muscles}: mean and standard deviation of activation |
| activation of 1 | {bundle.reference.definition}: {amplitude} |
| envelope | high-pass {envelope.high_pass:g} Hz, rectified, low-pass {envelope.low_pass:g} Hz, zero phase |
| look-ahead | {1000 * config.look_ahead / rate:.0f} ms: an estimate is for so long before its newest input |
| context | attention over {config.context / rate:.1f} s in each of {config.layers} layers, width {config.width} |
| weights | {sum(value.size for value in bundle.weights.values())} |
| trained on | {training.get("dataset")}, subjects {subjects} |

## Scores on subjects that the recipe never saw

{scores}

r is Pearson's correlation, R² the coefficient of determination, nRMSE the root-mean-square error over the range of
the measured envelope; per muscle over all samples of a subject and condition, mean over muscles, then over subjects.
Every row is scored on the same samples: all that was recorded after the longest calibration. A calibration is the
subject's first seconds of locomotion. Channels marked weak in the data are neither trained on nor scored.

## Limits

- Trained on healthy young adults without load, fatigue or assistance: other subjects need a calibration and a check.
- The same motion can come with different activation (co-contraction, load, fatigue): IMUs cannot see that.
- Without calibration the amplitude is that of an average subject: use the shape, not the level.
- {_about_uncertainty(bundle)}
- The EMG that it learned from was sampled at {rate:g} Hz, below its bandwidth: amplitude survives, detail does not.
"""


def _channels(bundle: Bundle) -> str:
    accelerometers, gyroscopes = (bundle.normalisation.used[:, part].any() for part in (slice(0, 3), slice(3, 6)))
    if accelerometers and gyroscopes:
        return "m/s² and rad/s"
    return "accelerometers alone, m/s²" if accelerometers else "gyroscopes alone, rad/s"


def _about_uncertainty(bundle: Bundle) -> str:
    if bundle.uncertainty is None:
        return "The standard deviation is the network's own and not calibrated on unseen subjects."
    return f"The standard deviation is that of unseen subjects: {bundle.uncertainty.definition}."


def _number_first(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (sys.maxsize, name)


def calibration_table(report: Mapping[str, Any]) -> str:
    """Markdown table of the figures before and after a calibration, by muscle."""
    lines = ["| muscle | r | R² | nRMSE |", "| --- | --- | --- | --- |"]
    for index, muscle in enumerate(report["muscle_names"]):
        cells = (
            f"{_number(report[f'{figure}_before'][index])} → {_number(report[f'{figure}_after'][index])}"
            for figure in FIGURES
        )
        lines.append(f"| {muscle} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "n/a"


def picture_of_median_subject(
    path: Path, bundles: Sequence[Bundle], recordings: Sequence[Recording], scores: Mapping[str, SubjectScores]
) -> None:
    """Draw estimate beside measured envelope for the subject whose r in locomotion is the median.

    The estimate comes from the bundle that was not trained on that subject, where there are several.

    Raises:
        InputError: there is no locomotion to draw, or the picture cannot be written.
    """
    known = {subject: _locomotion_r(by_seconds) for subject, by_seconds in scores.items()}
    r = {subject: value for subject, value in known.items() if np.isfinite(value)}
    if not r:
        raise InputError("no subject was scored in locomotion: there is nothing to draw; leave the picture out")
    subject = sorted(r, key=lambda name: r[name])[len(r) // 2]
    unseen = [bundle for bundle in bundles if subject not in bundle.training.get("subjects", [])]
    bundle = (unseen or bundles)[0]
    own = [recording for recording in recordings if recording.subject == subject]
    draw_conditions(
        path,
        bundle,
        own,
        f"Unseen subject {subject}, no calibration (median of {len(r)} subjects, r {r[subject]:.2f})",
    )


def _locomotion_r(scores: SubjectScores) -> float:
    by_muscle = next(iter(scores.values())).get("locomotion", {})
    return float(np.mean([entry.r for entry in by_muscle.values()])) if by_muscle else float("nan")


def draw_conditions(path: Path, bundle: Bundle, recordings: Sequence[Recording], title: str) -> None:
    """A row for every muscle, a column for every kind of locomotion that the subject has."""
    stretches = {condition: _stretch(recordings, condition) for condition in LOCOMOTION}
    present = {condition: stretch for condition, stretch in stretches.items() if stretch}
    if not present:
        raise InputError(f"no bout of locomotion is {SHOWN_SECONDS:g} s long: there is nothing to draw: {title}")
    muscles = [index for index in range(len(bundle.rig.muscles)) if recordings[0].muscle_weight[index] > 0]
    figure, axes = _subplots(len(muscles), len(present))
    for column, (condition, stretch) in enumerate(present.items()):
        estimated = estimate_envelopes(bundle, [stretch])
        for row, muscle in enumerate(muscles):
            axis = axes[row][column]
            axis.plot(stretch.time, stretch.envelope[:, muscle], color=MEASURED_COLOUR, label="measured")
            axis.plot(stretch.time, estimated[:, muscle], color=AFTER_COLOUR, label="estimated from IMUs")
            axis.set_xlim(stretch.duration - SHOWN_SECONDS, stretch.duration)
            if row == 0:
                axis.set_title(condition.replace("_", " "))
            if column == 0:
                axis.set_ylabel(f"{bundle.rig.muscle_names[muscle].replace('_', ' ')}\n[{stretch.envelope_unit}]")
            if row == len(muscles) - 1:
                axis.set_xlabel("time [s]")
    axes[0][0].legend(loc="upper left", fontsize="small")
    save_figure(figure, path, title)


def _stretch(recordings: Sequence[Recording], condition: str) -> Recording | None:
    """The subject's longest bout of a condition, cut to what is shown and the context before it."""
    longest: tuple[int, Recording, int, int] | None = None
    for recording in recordings:
        for start, stop in bouts(recording.condition == condition, round(SHOWN_SECONDS * recording.rig.rate)):
            if longest is None or stop - start > longest[0]:
                longest = (stop - start, recording, start, stop)
    if longest is None:
        return None
    _, recording, start, stop = longest
    stop = min(stop, start + round(3 * SHOWN_SECONDS * recording.rig.rate))
    return recording.slice(start, stop)


def draw_before_and_after(
    path: Path, title: str, time: FloatArray, measured: FloatArray, before: FloatArray, after: FloatArray,
    muscles: Sequence[str], unit: str,
) -> None:  # fmt: skip
    """Measured envelope with the estimates before and after calibration, a row for every muscle.

    Args:
        time: [samples] s; measured, before, after: [samples, muscles] in ``unit``.
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
    """Write a PNG, its folder made where it is missing."""
    figure.suptitle(title, fontsize="medium")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, format="png")
    write_atomically(Path(path), picture.getvalue())
