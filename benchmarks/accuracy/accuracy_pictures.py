"""Pictures of the accuracy report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.ablations import REFERENCE
from benchmarks.accuracy.accuracy_summary import record
from benchmarks.accuracy.ill_posedness import draw_ill_posedness
from benchmarks.accuracy.protocol_run import manifest_path
from benchmarks.accuracy.protocols import OWN
from benchmarks.accuracy.subject_scores import kept_values, moving
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT, WITHIN_SUBJECT_NAME
from benchmarks.report_writer import subplots
from benchmarks.run_folder import read_json
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.training.envelope_pictures import AFTER_COLOUR, BEFORE_COLOUR, MEASURED_COLOUR, save_figure

LOOK_AHEAD = "look-ahead"  # group of ablations
EMPHASISED = "tab:blue"
OTHERS = ("tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:gray", "tab:olive",
          "tab:cyan", "gold", "navy", "lime", "black")  # fmt: skip
MARKERS = "osv^D<>Ph*"


def draw(results: Mapping[str, Any], run: Path, out: Path) -> None:
    """Draw every part that has a picture; signals of this package's recipe come from the run."""
    for part, summary in results.items():
        protocol = summary.get("protocol")
        prefix = "" if part == protocol else f"{part}_"
        if protocol == "streaming":
            r_per_subject(summary, out / f"{prefix}r_per_subject.png")
        if part == "streaming" and OWN in summary["rows"]:
            best_median_worst(summary, run, out / "best_median_worst.png")
        if protocol == "adaptation":
            r_over_calibration(summary, out / f"{prefix}r_over_calibration.png")
        if protocol == "ablation":
            r_over_look_ahead(summary, out / f"{prefix}r_over_look_ahead.png")
        if protocol == "ill-posedness":
            draw_ill_posedness(summary["conditions"], out / f"{prefix}ill_posedness.png")


def r_per_subject(summary: Mapping[str, Any], path: Path) -> None:
    """Mark r of every model and subject without calibration, subjects ordered by this package's model."""
    group = moving(summary["setup"])
    rows = {name: kept_values(row["subjects"], "r", "0", group) for name, row in summary["rows"].items()}
    rows = {name: values for name, values in rows.items() if values}
    if not rows:
        return
    leading = rows.get(OWN) or next(iter(rows.values()))
    order = sorted(leading, key=lambda subject: leading[subject])
    figure, (axis,) = subplots(1, 1, 9.0, 4.2)
    attainable = kept_values(summary[WITHIN_SUBJECT]["subjects"], "r", WITHIN_SUBJECT, group)
    if attainable:
        heights = [attainable.get(subject, np.nan) for subject in order]
        axis[0].plot(heights, "_", color="black", markersize=22, label=WITHIN_SUBJECT_NAME)
    for index, (name, values) in enumerate(rows.items()):
        axis[0].plot(
            [values.get(subject, np.nan) for subject in order],
            MARKERS[index % len(MARKERS)],
            color=EMPHASISED if name == OWN else OTHERS[index % len(OTHERS)],
            alpha=1.0 if name == OWN else 0.6,
            markersize=9 if name == OWN else 5,
            label=_words(name),
        )
    axis[0].set_xticks(range(len(order)), order)
    axis[0].set_xlabel("subject")
    axis[0].set_ylabel(f"r in {group}")
    axis[0].grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right", fontsize="small")
    save_figure(figure, path, f"Subjects that were left out, no calibration ({summary['setup']['dataset']})")


def r_over_calibration(summary: Mapping[str, Any], path: Path) -> None:
    """Draw a line per method over the seconds of calibration; bars are the standard deviation over subjects."""
    figure, (axis,) = subplots(1, 1, 9.0, 4.8)
    group = moving(summary["setup"])
    for index, (name, row) in enumerate(summary["rows"].items()):
        entries = {float(s): by[group]["r"] for s, by in row["mean"].items() if group in by}
        amounts = sorted(entries)
        if not amounts:
            continue
        shift = 1.0 + 0.015 * (index - len(summary["rows"]) / 2)  # so that bars do not hide each other
        own = name == summary["default"]
        axis[0].errorbar(
            [_place(amount) * shift for amount in amounts],
            [entries[amount]["mean"] for amount in amounts],
            [entries[amount]["spread"] for amount in amounts],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            color=EMPHASISED if own else OTHERS[index % len(OTHERS)],
            linewidth=2.5 if own else 1.0,
            elinewidth=1.5 if own else 0.4,
            label=f"{_words(name)}{' (default)' if own else ''}",
        )
    amounts = sorted({float(s) for row in summary["rows"].values() for s in row["mean"]})
    axis[0].set_xscale("log")
    axis[0].set_xticks([_place(amount) for amount in amounts], [f"{amount:g}" for amount in amounts])
    axis[0].minorticks_off()
    axis[0].set_xlabel(f"calibration [s of {group}]")
    axis[0].set_ylabel(f"r in {group}")
    axis[0].grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right", fontsize="small")
    save_figure(
        figure, path, "Few-shot adaptation to subjects that were left out, mean ± standard deviation over subjects"
    )


def r_over_look_ahead(summary: Mapping[str, Any], path: Path) -> None:
    """Draw r over the look-ahead, a line per amount of calibration."""
    rows = [row for name, row in summary["rows"].items() if name == REFERENCE or row["group"] == LOOK_AHEAD]
    rows.sort(key=lambda row: float(row["look_ahead_s"]))
    if len(rows) < 2:
        return
    figure, (axis,) = subplots(1, 1, 6.5, 4.2)
    group = moving(summary["setup"])
    for seconds in summary["setup"]["seconds"]:
        entries = [row["mean"].get(f"{seconds:g}", {}).get(group, {}).get("r") for row in rows]
        known = [(1000 * row["look_ahead_s"], e) for row, e in zip(rows, entries, strict=True) if e]
        times, figures = [time for time, _ in known], [entry for _, entry in known]
        spread = [entry["spread"] for entry in figures]
        label = f"{seconds:g} s of calibration" if seconds else "no calibration"
        axis[0].errorbar(times, [entry["mean"] for entry in figures], spread, marker="o", elinewidth=0.6, label=label)
    axis[0].set_xlabel("look-ahead [ms]")
    axis[0].set_ylabel(f"r in {group}")
    axis[0].grid(axis="y", alpha=0.3)
    axis[0].legend(fontsize="small")
    save_figure(figure, path, "Accuracy over look-ahead, mean ± standard deviation over subjects")


def best_median_worst(summary: Mapping[str, Any], run: Path, path: Path) -> None:
    """Draw estimated and measured envelopes of three subjects, before and after the longest calibration."""
    r = kept_values(summary["rows"][OWN]["subjects"], "r", "0", moving(summary["setup"]))
    if not r:
        return
    order = sorted(r, key=lambda subject: r[subject], reverse=True)
    chosen = dict.fromkeys((order[0], order[len(order) // 2], order[-1]))
    manifest = read_json(manifest_path(run, "streaming")) or {}
    shown = {
        subject: outcome["shown"]
        for key in manifest["rows"][OWN]
        for subject, outcome in ((record(run, key) or {}).get("outcome", {}).get("subjects", {})).items()
        if outcome["shown"]
    }
    columns = [(subject, _first(shown[subject])) for subject in chosen if subject in shown]
    if not columns:
        return
    muscles = max(len(stretch["muscles"]) for _, (_, stretch) in columns)
    figure, axes = subplots(muscles, len(columns), 4.2 * len(columns), 2.2 * muscles + 0.8)
    for column, (subject, (condition, stretch)) in enumerate(columns):
        for row, muscle in enumerate(stretch["muscles"]):
            _trace(axes[row][column], stretch, row)
            axes[row][column].set_ylabel(f"{_words(muscle)}\n[{stretch['unit']}]", fontsize="small")
        for row in range(len(stretch["muscles"]), muscles):  # channels that are not trusted
            axes[row][column].set_axis_off()
        axes[0][column].set_title(f"subject {subject}, {_words(condition)}, r {r[subject]:.2f}", fontsize="small")
        axes[len(stretch["muscles"]) - 1][column].set_xlabel("time [s]")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    save_figure(
        figure, path, "Best, median and worst of the subjects that were left out (by r in movement, uncalibrated)"
    )


def _trace(axis: Any, stretch: Mapping[str, Any], muscle: int) -> None:
    measured = _floats(stretch["measured"][muscle])
    time = np.arange(len(measured)) / stretch["rate"]
    amounts = sorted(stretch["estimated"], key=float)
    axis.plot(time, measured, color=MEASURED_COLOUR, label="measured")
    axis.plot(time, _floats(stretch["estimated"][amounts[0]][muscle]), color=BEFORE_COLOUR, label="no calibration")
    if len(amounts) > 1:
        after = _floats(stretch["estimated"][amounts[-1]][muscle])
        axis.plot(time, after, color=AFTER_COLOUR, label=f"{amounts[-1]} s of calibration")


def _first(stretches: Mapping[str, Any]) -> tuple[str, Any]:
    return next(iter(stretches.items()))


def _floats(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=float)


def _place(seconds: float) -> float:
    """Place an amount of calibration on a logarithmic axis with room for zero."""
    return max(seconds, 2.5)


def _words(name: str) -> str:
    return name.replace("_", " ")
