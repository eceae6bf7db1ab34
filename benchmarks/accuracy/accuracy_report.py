"""The accuracy report: all figures as JSON, Markdown tables, and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy import accuracy_pictures as pictures
from benchmarks.accuracy.accuracy_summary import gather
from benchmarks.accuracy.subject_scores import COMPARED_FIGURES, conditions, moving
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT, WITHIN_SUBJECT_NAME
from benchmarks.report_writer import table_head, table_row
from benchmarks.report_writer import write_report as write_files
from imu_emg_estimator.training.episodic_training import EpisodeSettings

# Aims on HuGaDB: r walking, r locomotion, r all, R² locomotion by seconds of calibration.
AIMS = {"0": (0.56, 0.64, 0.78, 0.38), "30": (0.64, 0.70, 0.81, 0.48), "60": (0.68, 0.73, 0.83, 0.52)}
AIMED_SHARES = {"0": 0.80, "30": 0.92, "60": 0.95}
AIMED_AT = (("walking", "r"), ("locomotion", "r"), ("all", "r"), ("locomotion", "r2"))
MAX_NAMED_SUBJECTS = 3  # more are only counted
SYMBOLS = {"r": "r", "r2": "R²", "r2_scaled": "R² scaled", "nrmse": "nRMSE"}
TITLES = {
    "streaming": "Streaming: causal, every sample scored",
    "adaptation": "Few-shot adaptation",
    "gait-cycle": "Gait cycles: the whole time-normalised cycle in and out, not causal",
    "ablation": "Ablations: the recipe with one thing changed",
    "uncertainty": "Uncertainty",
    "ill-posedness": "Activation that motion does not determine",
    "calibration": "Calibration from a bag, with all that `imu-emg calibrate` decides",
}
CYCLE_SYMBOLS = {
    "r": "r",
    "r2": "R²",
    "nrmse": "nRMSE",
    "peak_timing": "peak timing error [% of cycle]",
    "peak_amplitude": "peak amplitude error [share]",
}


def write_report(run: Path, out: Path) -> dict[str, Any]:
    """Write ``results.json``, ``table.md`` and the pictures of a run folder into a folder; return the figures.

    Raises:
        InputError: there is no run, or the folder cannot be written.
    """
    results: dict[str, Any] = _rounded(gather(run))
    write_files(out, results, markdown(results), lambda figures, folder: pictures.draw(figures, run, folder))
    return results


def _rounded(content: Any, digits: int = 7) -> Any:
    """Round nested figures to significant digits: no score is more precise, and a file of thousands gets smaller."""
    if isinstance(content, Mapping):
        return {key: _rounded(value, digits) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value, digits) for value in content]
    return float(f"{content:.{digits}g}") if isinstance(content, float) else content


def markdown(results: Mapping[str, Any]) -> str:
    """Format all tables."""
    writers = {
        "streaming": _streaming,
        "adaptation": _adaptation,
        "gait-cycle": _gait_cycle,
        "ablation": _ablation,
        "uncertainty": _uncertainty,
        "ill-posedness": _ill_posedness,
        "calibration": _calibrations,
    }
    lines = ["# Accuracy benchmark\n"]
    for part, summary in results.items():
        if part != "cost":
            lines.extend(writers[summary["protocol"]](_title(part, summary["protocol"]), summary))
    return "\n".join([*lines, *_cost(results["cost"])]) + "\n"


def _title(part: str, protocol: str) -> str:
    """Return the heading of a part, with its name if that differs from its protocol's."""
    title = TITLES[protocol]
    return f"## {title}" if part == protocol else f"## {part.capitalize()}, {title[0].lower()}{title[1:]}"


def _streaming(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    rows, reference, setup = summary["rows"], summary[WITHIN_SUBJECT]["mean"], summary["setup"]
    yield f"{title}\n"
    yield _setup(summary)
    yield (
        "Mean ± standard deviation over subjects. Calibration is the subject's first seconds of movement; all is "
        "scored on what was recorded after the longest one. R² is in the EMG's own unit; *R² scaled* is an oracle's: "
        "R² if the subject's amplitude and offset were known.\n"
    )
    shown = [
        name for name in conditions(setup) if any(name in by for row in rows.values() for by in row["mean"].values())
    ]
    group = moving(setup)
    columns = [(name, "r") for name in shown] + [(group, "r2"), (group, "r2_scaled")]
    for seconds in _amounts(rows):
        yield f"### {_calibration(seconds)}\n"
        head = [f"{SYMBOLS[figure]} {name.replace('_', ' ')}" for name, figure in columns]
        shares = [f"share of the {WITHIN_SUBJECT_NAME}'s r"] if reference else []
        yield from _table(["model", *head, *shares, "weights", "training [s]"])
        for name, row in rows.items():
            means = row["mean"].get(seconds, {})
            cells = [_spread(means.get(condition, {}).get(figure)) for condition, figure in columns]
            share = [_percent(means.get(group, {}).get("r", {}).get("share"))] if shares else []
            yield table_row([name, *cells, *share, row["weights"] or "", f"{row['training_s']:.0f}"])
        if reference:
            cells = [_spread(reference.get(condition, {}).get(figure)) for condition, figure in columns]
            yield table_row([f"*{WITHIN_SUBJECT_NAME}*", *cells, "100 %", "", ""])
        if setup["dataset"] == "hugadb" and seconds in AIMS:
            aims = dict(zip(AIMED_AT, AIMS[seconds], strict=True))
            cells = [f"{aims[column]:.2f}" if column in aims else "" for column in columns]
            yield table_row(["*aim*", *cells, *([_percent(AIMED_SHARES[seconds])] if shares else []), "", ""])
        yield ""
    yield from _tests(summary["tests"], "model", group)
    yield from _made_worse(rows, group)
    yield from _tuning(rows)


def _adaptation(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    rows, group = summary["rows"], moving(summary["setup"])
    amounts = _amounts(rows)
    yield f"{title}\n"
    yield _setup(summary)
    for figure in ("r", "r2"):
        yield f"{SYMBOLS[figure]} in {group}, mean ± standard deviation over subjects, by seconds of calibration.\n"
        yield from _table(["method", *(f"{seconds} s" for seconds in amounts), f"time for {amounts[-1]} s [s]"])
        for name, row in rows.items():
            cells = [_spread(row["mean"].get(seconds, {}).get(group, {}).get(figure)) for seconds in amounts]
            mark = " (default)" if name == summary["default"] else ""
            yield table_row([name + mark, *cells, f"{row['adapting_s'].get(amounts[-1], 0):.1f}"])
        yield ""
    yield from _tests(summary["tests"], "method", group)
    yield from _made_worse(rows, group)


def _gait_cycle(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"{title}\n"
    yield _setup(summary)
    yield "Mean ± standard deviation over subjects, locomotion. Calibration in gait cycles of each leg.\n"
    group = moving(summary["setup"])
    for variant in dict.fromkeys(row["variant"] for row in summary["rows"]):
        yield f"### Envelopes {variant}\n"
        yield from _table(["model", "calibration", "method", *CYCLE_SYMBOLS.values(), "subjects"])
        for row in summary["rows"]:
            if row["variant"] == variant and row["condition"] == group:
                cells = [_plus_minus(row[figure], row[f"{figure}_std"]) for figure in CYCLE_SYMBOLS]
                yield table_row([row["model"], row["calibration"], row["method"], *cells, row["subjects"]])
        yield ""
    yield from _tests(summary["tests"], "model", group, "cycles")


def _ablation(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    rows, group = summary["rows"], moving(summary["setup"])
    amounts = _amounts(rows)
    yield f"{title}\n"
    yield _setup(summary)
    yield f"r in {group}, mean ± standard deviation over subjects; difference to the recipe, paired over subjects.\n"
    differences = {
        (test["second"], test["seconds"]): -test["r"]["difference"]
        for test in summary["tests"]
        if test["condition"] == group
    }
    columns = [text for seconds in amounts for text in (f"{seconds} s", "difference")]
    yield from _table(["variant", "group", "what", *columns, "time [s]"])
    for name, row in sorted(rows.items(), key=lambda item: item[1]["group"]):
        cells = []
        for seconds in amounts:
            cells.append(_spread(row["mean"].get(seconds, {}).get(group, {}).get("r")))
            difference = differences.get((name, seconds))
            cells.append("" if difference is None else f"{difference:+.3f}")
        yield table_row([name, row["group"], row["description"], *cells, f"{row['seconds']:.0f}"])
    yield ""


def _uncertainty(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"{title}\n"
    yield _setup(summary)
    for name, row in summary["rows"].items():
        yield f"### {name}: coverage of the intervals on subjects that were left out\n"
        levels = [f"{100 * level:g} %" for level in row["levels"]]
        yield "Of the published deviation; in brackets of the network's own and of a constant one, scaled alike.\n"
        yield from _table(["calibration", "condition", *levels, "CRPS [references]", "subjects"])
        for (calibration, condition), rivals in _by_rival(row["coverage"]).items():
            each = list(rivals.values())
            cells = [_beside([100 * rival["coverage"][at] for rival in each], ".1f") for at in range(len(levels))]
            crps = _beside([rival["crps"] for rival in each], ".3f")
            yield table_row([calibration, condition, *cells, crps, each[0]["subjects"]])
        yield f"\n### {name}: out of distribution, against the locomotion of subjects that were left out\n"
        scores = list(dict.fromkeys(entry["score"] for entry in row["auroc"]))
        yield from _table(["AUROC", *scores, "least, motion", "alarm raised", "cases"])
        for case in dict.fromkeys(entry["case"] for entry in row["auroc"]):
            areas = {entry["score"]: entry for entry in row["auroc"] if entry["case"] == case}
            own = areas["motion"]
            cells = [f"{areas[score]['mean']:.2f}" if score in areas else "" for score in scores]
            yield table_row([case, *cells, f"{own['least']:.2f}", _percent(row["raised"][case]), own["cases"]])
        yield f"\nFalse alarms: {100 * row['false_alarm_share']:.1f} % of the time in locomotion.\n"


def _ill_posedness(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"{title}\n"
    yield f"{_data(summary)}\n"
    yield "Share of the envelope's variance between moments of like motion; see docs/limits_of_motion.md.\n"
    yield from _table(["condition", "the same subject, at another time", "another subject", "moments"])
    for condition, entry in summary["conditions"].items():
        shares = [f"{entry[kind]['share']:.2f}" for kind in ("within", "across")]
        yield table_row([condition, *shares, entry["points"]])
    yield ""


def _calibrations(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"{title}\n"
    yield _setup(summary)
    yield (
        "Change of r, mean over subjects, on everything that was not in the bag, and on what was in none of the bags; "
        "the subject who lost most, and those who lost more than 0.01, of everything; see docs/calibration.md.\n"
    )
    head = ["bag", "subjects", "r before", "everything", "locomotion", "R² everything", "in no bag, locomotion"]
    for name, bags in summary["rows"].items():
        yield f"### {name}\n"
        yield from _table([*head, "least", "made worse", "muscles adapted / scaled / kept", "time [s]"])
        for bag, row in bags.items():
            rest, common = row["changes"]["rest"], row["changes"]["common"]
            gains = [rest["all"]["r"], rest["locomotion"]["r"], rest["all"]["r2"], common["locomotion"]["r"]]
            decided = [str(row["decisions"].get(what, 0)) for what in ("adapted", "scaled", "kept")]
            cells = [row["subjects"], f"{rest['all']['r_before']:.3f}", *(f"{value:+.3f}" for value in gains)]
            cells += [f"{rest['all']['least_r']:+.3f}", _lost(rest["all"]["made_worse"]), " / ".join(decided)]
            yield table_row([bag, *cells, "" if row["seconds"] is None else f"{row['seconds']:.1f}"])
        yield ""
    if summary["verdicts"]:
        yield from _verdicts(summary["verdicts"])


def _verdicts(found: Mapping[str, Any]) -> Iterator[str]:
    yield "### Verdicts of a calibration\n"
    yield from _table(["half minutes, worn as they should be", "judged", "with sensors left out", "which"])
    for activity, entry in found["as_worn"].items():
        which = "; ".join(f"{name}: {', '.join(sensors)}" for name, sensors in entry["left_out"].items())
        yield table_row([activity, entry["windows"], entry["with_left_out"], which])
    yield ""
    yield from _table(["sensors in walking", "named", "of"])
    for what, (named, count) in found["worn_wrongly"].items():
        yield table_row([what, named, count])
    for angle, (named, count) in found["slipped"].items():
        yield table_row([f"slipped by {angle}° since the calibration", named, count])
    alarmed = [f"{name} ({count})" for name, count in found["drift_alarms"].items() if count]
    subjects = len(found["drift_alarms"])
    yield f"\nSubjects with a drift alarm within the day: {', '.join(alarmed) or 'none'}, of {subjects}.\n"
    yield from _table(["EMG made late by [s]", "corrected", "of", "found [s]", "error, mean [s]", "largest [s]"])
    for shift, entry in found["delays"].items():
        low, high = entry["found"]
        errors = [f"{entry[name]:.3f}" if entry["corrected"] else "" for name in ("mean_error", "largest_error")]
        yield table_row([shift, entry["corrected"], entry["subjects"], f"{low:+.3f} to {high:+.3f}", *errors])
    yield ""


def _by_rival(coverage: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Mapping[str, Any]]]:
    """List coverage by calibration and condition for each kind of deviation, the published one first."""
    grouped: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for entry in coverage:
        grouped.setdefault((entry["calibration"], entry["condition"]), {})[entry["rival"]] = entry
    return grouped


def _beside(values: Sequence[float], form: str) -> str:
    """Format the first value, and the others in brackets."""
    first, *others = (f"{value:{form}}" for value in values)
    return f"{first} ({', '.join(others)})"


def _setup(summary: Mapping[str, Any]) -> str:
    setup, made = summary["setup"], summary["made"]
    budget = setup["budget"]
    subjects = sum(len(fold) for fold in setup["folds"])
    folds = len(setup["folds"])
    kind = "leave-one-subject-out" if folds == subjects else f"{folds} subject-disjoint folds"
    missing = f" **{summary['missing_jobs']} jobs are missing.**" if summary["missing_jobs"] else ""
    episode = EpisodeSettings()
    batch = f"{budget['batch']} sequences"
    if budget["episodic"]:
        batch = f"{episode.episodes} episodes of {episode.support + episode.query} sequences"
    effort = (
        f"estimates {1000 * setup['look_ahead_s']:.0f} ms behind their newest input; every network {budget['steps']} "
        f"steps of {batch} of {budget['sequence']} samples"
    )
    inputs = "accelerometers and gyroscopes" if budget["gyroscopes"] else "accelerometers alone"
    if summary["protocol"] == "gait-cycle":
        inputs = "accelerometers and gyroscopes"
        effort = f"every network {setup['cycles']['steps']} steps of {setup['cycles']['batch']} cycles"
    return (
        f"{setup['dataset']}, {subjects} subjects, {kind}, {len(setup['seeds'])} seed(s); {inputs}; "
        f"{effort}, hyperparameters {'tuned on other subjects' if setup['tuned'] else 'not tuned'}. "
        f"{_made(made)}{missing}\n"
    )


def _data(summary: Mapping[str, Any]) -> str:
    subjects = sum(len(fold) for fold in summary["setup"]["folds"])
    return f"{summary['setup']['dataset']}, {subjects} subjects. {_made(summary['made'])}"


def _made(made: Mapping[str, Any]) -> str:
    by = f" by `{made['command']}`" if "command" in made else ""
    return f"Made on {made['date'][:10]}{by}."


def _tests(tests: Sequence[Mapping[str, Any]], kind: str, group: str, unit: str = "s") -> Iterator[str]:
    chosen = [test for test in tests if test["condition"] == group]
    if not chosen:
        return
    yield f"### {chosen[0]['first']} against every other {kind}\n"
    yield f"Difference in {group}, paired over subjects; 95 % bootstrap interval; p of Wilcoxon's rank test.\n"
    columns = [
        f"{what} {SYMBOLS[figure]}" for figure in COMPARED_FIGURES for what in ("difference of", "interval of", "p,")
    ]
    yield from _table([kind, f"calibration [{unit}]", *columns, "subjects better in r"])
    for test in chosen:
        cells = [cell for figure in COMPARED_FIGURES for cell in _difference(test.get(figure))]
        better = f"{test['r']['better']} of {test['r']['subjects']}" if "r" in test else ""
        yield table_row([test["second"], test["seconds"], *cells, better])
    yield ""


def _difference(test: Mapping[str, Any] | None) -> list[str]:
    """Format difference, interval and p of a paired test."""
    if test is None:
        return [""] * 3
    low, high = test["interval"]
    p = f"{test['p']:.3f}" if test["p"] >= 0.001 else "< 0.001"
    return [f"{test['difference']:+.3f}", f"{low:+.3f} to {high:+.3f}", p]


def _made_worse(rows: Mapping[str, Any], group: str) -> Iterator[str]:
    yield f"### Subjects made worse by more than 0.01 r in {group} by a calibration\n"
    amounts = list(dict.fromkeys(seconds for row in rows.values() for seconds in row["made_worse"]))
    yield from _table(["subjects (change of r)", *(f"{seconds} s" for seconds in amounts)])
    for name, row in rows.items():
        losses = [row["made_worse"].get(seconds, {}).get(group, {}) for seconds in amounts]
        yield table_row([name, *map(_lost, losses)])
    yield ""


def _lost(losses: Mapping[str, float]) -> str:
    """Name the subjects who lost if they are few; else give their number and the largest loss."""
    if len(losses) > MAX_NAMED_SUBJECTS:
        return f"{len(losses)} subjects (at most {min(losses.values()):+.2f})"
    return ", ".join(f"{subject} ({change:+.3f})" for subject, change in losses.items()) or "none"


def _tuning(rows: Mapping[str, Any]) -> Iterator[str]:
    tuned = {name: row["tuning"] for name, row in rows.items() if row["tuning"]["trials"]}
    if not tuned:
        return
    yield "### Tuning\n"
    yield from _table(["model", "trials", "time [s]", "chosen"])
    for name, tuning in tuned.items():
        chosen = [", ".join(f"{key} {value:g}" for key, value in choice.items()) for choice in tuning["chosen"] or []]
        counted = "; ".join(f"{chosen.count(choice)} × {choice}" for choice in dict.fromkeys(chosen))
        yield table_row([name, tuning["trials"], f"{tuning['seconds']:.0f}", counted])
    yield ""


def _cost(cost: Mapping[str, Any]) -> Iterator[str]:
    yield "## Cost\n"
    parts = (
        f"{name}: {int(task['jobs'])} jobs, {task['seconds'] / 60:.0f} min" for name, task in cost["tasks"].items()
    )
    yield f"{cost['worker_hours']:.2f} hours of one worker with one thread ({'; '.join(parts)})."


def _amounts(rows: Mapping[str, Any]) -> list[str]:
    return sorted({seconds for row in rows.values() for seconds in row["mean"]}, key=float)


def _calibration(seconds: str) -> str:
    return "No calibration" if float(seconds) == 0 else f"{seconds} s of calibration"


def _table(columns: Sequence[str]) -> Iterator[str]:
    return table_head(columns, align="---:")


def _spread(entry: Mapping[str, float] | None) -> str:
    return _plus_minus(entry["mean"], entry["spread"]) if entry else ""


def _plus_minus(mean: float, spread: float) -> str:
    """Format mean and standard deviation, the mean alone for one value, and nothing for an undefined mean."""
    if math.isnan(mean):
        return ""
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
