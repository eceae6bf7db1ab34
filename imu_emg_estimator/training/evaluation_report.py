"""The summary of an evaluation as Markdown tables, and as the scores that a bundle carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.sensor_subsets import LEVEL, SensorSubsets, Subset, SubsetFigures
from imu_emg_estimator.model.told_by_motion import MUSCLE_R
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.accuracy_metrics import FIGURES

OWN_MODEL = "geglu_transformer"  # the row of the accuracy benchmark that shows this package's recipe
DEFAULT_GROUP = "locomotion"
SCORES = ("protocol", "look_ahead_s", "mean")  # that a bundle carries
MAX_FILE_BYTES = 100_000_000


def scores_table(summary: Mapping[str, Any]) -> str:
    """Format the mean figures by amount of calibration and condition as Markdown."""
    lines = [
        f"{summary['protocol']}; mean over subjects, look-ahead {1000 * summary['look_ahead_s']:.0f} ms",
        "",
        "| calibration [s] | condition | subjects | r | R² | nRMSE |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for seconds, by_condition in summary["mean"].items():
        for condition, figures in by_condition.items():
            values = " | ".join(f"{figures[figure]:.3f}" for figure in FIGURES)
            subjects = figures.get("subjects", figures.get("wearers"))  # the name in bundles of version 0.1
            lines.append(f"| {seconds} | {condition} | {subjects} | {values} |")
    return "\n".join(lines)


def subjects_table(summary: Mapping[str, Any]) -> str:
    """Format each subject's figures by amount of calibration as Markdown."""
    amounts, group = list(summary["mean"]), summary.get("movement_group", DEFAULT_GROUP)
    columns = [f"{figure} ({amount} s)" for amount in amounts for figure in ("r", "R²", "nRMSE")]
    lines = [
        f"each subject in {', '.join(summary.get('movements') or [group])}, mean over muscles",
        "",
        f"| subject | {' | '.join(columns)} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    for subject, by_amount in summary["subjects"].items():
        cells = [_cell(by_amount, amount, group, figure) for amount in amounts for figure in FIGURES]
        lines.append(f"| {subject} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(by_amount: Mapping[str, Any], amount: str, group: str, figure: str) -> str:
    value = by_amount.get(amount, {}).get(group, {}).get("mean", {}).get(figure, np.nan)
    return f"{value:.3f}" if np.isfinite(value) else "n/a"


def read_scores(path: Path) -> dict[str, Any]:
    """Read the scores that a bundle carries, see ``SCORES``.

    Args:
        path: JSON of ``imu-emg evaluate``, or results of the accuracy benchmark with its streaming protocol.

    Raises:
        InputError: the file cannot be read, or holds neither.
    """
    content = _decoded(path)
    try:
        if "streaming" in content:
            return _benchmark_scores(content["streaming"])
        return {key: content[key] for key in SCORES} | {key: content[key] for key in (MUSCLE_R,) if key in content}
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise InputError(
            f"scores {path} is not JSON of `imu-emg evaluate --folds` or of the accuracy benchmark; make it first"
        ) from None


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read the JSON of ``imu-emg evaluate``; raises InputError where it is something else."""
    content = _decoded(path)
    if not isinstance(content, dict) or not {*SCORES, "subjects"} <= set(content):
        raise InputError(f"{path} is not the JSON that `imu-emg evaluate --json` writes; make it first")
    return content


def _decoded(path: Path) -> Any:
    """Return the values of a JSON file; None where it is none."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path} exceeds {MAX_FILE_BYTES / 1e6:g} MB; give the JSON of `imu-emg evaluate`")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the JSON of `imu-emg evaluate`") from None
    except (ValueError, RecursionError):
        return None


def _benchmark_scores(streaming: Mapping[str, Any]) -> dict[str, Any]:
    """Take the means of this package's recipe out of the benchmark's streaming protocol."""
    setup = streaming["setup"]
    mean = {
        amount: {
            condition: {figure: entry["mean"] for figure, entry in figures.items()}
            | {"subjects": int(next(iter(figures.values()))["subjects"])}
            for condition, figures in by_condition.items()
        }
        for amount, by_condition in streaming["rows"][OWN_MODEL]["mean"].items()
    }
    protocol = f"{len(setup['folds'])} leave-subjects-out folds of {setup['dataset']}, recipe retrained for each"
    return {"protocol": protocol, "look_ahead_s": setup["look_ahead_s"], "mean": mean}


def subsets_table(rig: Rig, figures: SubsetFigures) -> str:
    """Format what is left without some sensors as Markdown, the most sensors first; of mirror images one."""
    both = [own for own in (figures.uncalibrated, figures.calibrated) if own]
    lines = [
        f"r ± standard deviation over subjects; coverage of the {LEVEL:.0%} interval [%], as it was → with a factor "
        f"fitted on the other subjects; the bundle's factor, mean over muscles; measured {figures.definition}.",
        "",
        "| sensors left | r | coverage | factor | use |"
        + " calibrated: r | coverage | factor | use |" * (len(both) - 1),
        f"| --- |{' ---: | ---: | ---: | --- |' * len(both)}",
    ]
    for row in distinct_rows(rig, figures):
        cells = " | ".join(_subset_cells(own, row.missing) for own in both)
        lines.append(f"| {sensors_left(rig, row.missing)} | {cells} |")
    return "\n".join(lines)


def distinct_rows(rig: Rig, figures: SubsetFigures) -> list[Subset]:
    """List the rows of the uncalibrated model, of mirror images the first."""
    seen: dict[tuple[int, ...], Subset] = {}
    for row in figures.uncalibrated.rows:
        image = tuple(sorted(int(rig.mirror_sensors()[i]) for i in row.missing)) if rig.is_mirrorable else row.missing
        if image not in seen:
            seen[row.missing] = row
    return list(seen.values())


def _subset_cells(subsets: SensorSubsets, missing: tuple[int, ...]) -> str:
    row = next((row for row in subsets.rows if row.missing == missing), None)
    if row is None:
        return "n/a | | | no"
    before, after = (round(100 * share) for share in row.coverage)
    use = "yes" if subsets.meets_minimum(row) else "no"
    return f"{row.r:.2f} ± {row.spread:.2f} | {before} → {after} | {np.mean(row.factor):.2f} | {use}"


def sensors_left(rig: Rig, missing: tuple[int, ...]) -> str:
    """Name the sensors that are left: a segment alone stands for both sides of it."""
    left = [sensor for index, sensor in enumerate(rig.sensors) if index not in missing]
    if not missing:
        return "all"
    names = []
    for segment in dict.fromkeys(sensor.segment for sensor in left):
        sides = [sensor.side for sensor in left if sensor.segment == segment]
        is_pair = sorted(sides) == ["left", "right"]
        names += [f"both {segment}s"] if is_pair else [f"{side} {segment}".removeprefix("centre ") for side in sides]
    return ", ".join(names).replace("both foots", "both feet")
