"""Outcomes of a run's jobs as figures: means and spread over subjects, shares of the ceiling, paired tests, cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import gait_cycle_protocol as gait_cycle
from benchmarks.accuracy import service_protocol as calibration
from benchmarks.accuracy import verdict_protocol as verdicts
from benchmarks.accuracy.ablations import REFERENCE as ABLATION_REFERENCE
from benchmarks.accuracy.ill_posedness import LIKENESS
from benchmarks.accuracy.jobs import read_json
from benchmarks.accuracy.paired_test import compare
from benchmarks.accuracy.protocol_run import manifest_path
from benchmarks.accuracy.protocols import OWN
from benchmarks.accuracy.within_subject_reference import CEILING
from imu_emg_estimator.calibration.request import METHOD
from imu_emg_estimator.errors import InputError

FIGURES = ("r", "r2", "r2_scaled", "nrmse")
HIGHER_IS_BETTER = ("r", "r2", "r2_scaled")
TOLERATED_LOSS = 0.01  # of r, by a calibration
TESTED_FIGURES = ("r", "r2")
COMPARED_CONDITIONS = ("walking", "locomotion", "all")

Record = Mapping[str, Any]
Figures = dict[str, float]
Key = tuple[str, str]  # seconds of calibration, condition
SubjectFigures = dict[str, dict[Key, Figures]]  # by subject


def gather(run: Path) -> dict[str, Any]:
    """Everything that a run folder holds, as figures by protocol, and what it cost.

    Raises:
        InputError: there is no run.
    """
    summaries = {
        "streaming": _streaming,
        "adaptation": _adaptation,
        "gait-cycle": _gait_cycle,
        "ablation": _ablation,
        "uncertainty": _uncertainty,
        "ill-posedness": _ill_posedness,
        "calibration": _calibration,
    }
    manifests = {name: read_json(manifest_path(run, name)) for name in summaries}
    known = {name: manifest for name, manifest in manifests.items() if manifest}
    if not known:
        raise InputError(f"{run} holds no benchmark; run one first, or name its folder with --run")
    result: dict[str, Any] = {}
    for name, manifest in known.items():
        rows, missing = _records(run, manifest)
        if not rows:  # begun, and nothing done yet
            continue
        common = {"protocol": name, "setup": manifest["setup"], "made": manifest["made"], "missing_jobs": missing}
        result[name] = common | summaries[name](rows, manifest, run)
    return result | {"cost": _cost(run, known)}


def _records(run: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, list[Record]], int]:
    """Records of every row that are done, and how many are not."""
    rows = {row: [record(run, key) for key in keys] for row, keys in manifest["rows"].items()}
    missing = sum(entry is None for entries in rows.values() for entry in entries)
    done: dict[str, list[Record]] = {row: [entry for entry in entries if entry] for row, entries in rows.items()}
    return {row: entries for row, entries in done.items() if entries}, missing


def record(run: Path, key: str) -> dict[str, Any] | None:
    """What is kept of a job."""
    return read_json(run / "jobs" / f"{key}.json")


# the streaming protocol


def _streaming(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    ceiling = subjects.pop(CEILING, {})
    return {
        "rows": {
            row: {
                "mean": _nested(mean_over_subjects(figures, ceiling)),
                "made_worse": made_worse(figures),
                "subjects": {subject: _nested(by_key) for subject, by_key in figures.items()},
            }
            | _effort(run, manifest["choices"].get(row, {}))
            for row, figures in subjects.items()
        },
        "ceiling": {
            "mean": _nested(mean_over_subjects(ceiling)).get(CEILING, {}),
            "subjects": {subject: _nested(by_key)[CEILING] for subject, by_key in ceiling.items()},
        },
        "tests": _tests(subjects, OWN),
    }


def _adaptation(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    times = {row: _adapting_times(records) for row, records in rows.items()}
    return {
        "default": METHOD,
        "rows": {
            row: {
                "mean": _nested(mean_over_subjects(figures)),
                "made_worse": made_worse(figures),
                "adapting_s": times[row],
                "subjects": {subject: _nested(by_key) for subject, by_key in figures.items()},
            }
            for row, figures in subjects.items()
        },
        "tests": _tests(subjects, METHOD),
    }


def _ablation(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    return {
        "rows": {
            row: {
                "mean": _nested(mean_over_subjects(figures)),
                "group": rows[row][0]["job"]["settings"]["variant"]["group"],
                "description": rows[row][0]["job"]["settings"]["variant"]["description"],
                "look_ahead_s": _look_ahead(rows[row][0]["job"]["settings"], manifest["setup"]),
                "seconds": float(np.mean([entry["seconds"] for entry in rows[row]])),
                "subjects": {subject: _nested(by_key) for subject, by_key in figures.items()},
            }
            for row, figures in subjects.items()
        },
        "tests": _tests(subjects, ABLATION_REFERENCE),
    }


def _look_ahead(settings: Mapping[str, Any], setup: Mapping[str, Any]) -> float:
    samples = settings["variant"]["shape"].get("look_ahead", settings["shape"]["look_ahead"])
    return float(samples) / float(setup["rate_hz"])


def _gait_cycle(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    outcomes = [entry["outcome"] for records in rows.values() for entry in records]
    table = gait_cycle.summarise(outcomes)
    subjects = {row: _cycle_figures([entry["outcome"] for entry in records]) for row, records in rows.items()}
    return {"rows": table, "tests": _tests(subjects, OWN)}


def _cycle_figures(outcomes: Sequence[Mapping[str, Any]]) -> SubjectFigures:
    """r of one model by subject, with amplitude: uncalibrated, and after each calibration with all that it learns."""
    gathered: dict[str, dict[Key, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for entry in (entry for outcome in outcomes for entry in outcome["figures"]):
        if entry["variant"] == gait_cycle.WITH_AMPLITUDE and entry["method"] in ("none", "all"):
            gathered[entry["subject"]][entry["calibration"], entry["condition"]].append(entry)
    return {subject: {key: _mean(entries) for key, entries in by.items()} for subject, by in gathered.items()}


def _calibration(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """What calibrations on bags of several lengths and activities gain."""
    outcomes = {row: [entry["outcome"] for entry in records] for row, records in rows.items()}
    judged = outcomes.pop(verdicts.VERDICTS, [])
    return {
        "rows": {row: calibration.summarise(found) for row, found in outcomes.items()},
        "verdicts": verdicts.summarise(judged) if judged else {},
    }


def _uncertainty(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Coverage and CRPS by calibration, condition and rival, AUROC and alarms by case; all means over subjects."""
    return {"rows": {row: _confidence([entry["outcome"] for entry in records]) for row, records in rows.items()}}


def _confidence(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    intervals: dict[Any, list[Record]] = defaultdict(list)
    areas: dict[Any, list[float]] = defaultdict(list)
    raised: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for by_when in outcome["intervals"]["subjects"].values():
            for when, by_condition in by_when.items():
                for condition, rivals in by_condition.items():
                    for rival, figures in rivals.items():
                        if None not in figures["coverage"]:
                            intervals[when, condition, rival].append(figures)
        for case, by_score in outcome["alarm"]["auroc"].items():
            for score, values in by_score.items():
                areas[_kind(case), score] += values
        for case, values in outcome["alarm"]["raised"].items():
            raised[_kind(case)] += values
    shares = [a["share"] for outcome in outcomes for a in outcome["alarm"]["false_alarms"].values()]
    return {
        "levels": outcomes[0]["intervals"]["levels"],
        "coverage": [
            {"calibration": when, "condition": condition, "rival": rival, "subjects": len(figures)}
            | {name: np.mean([each[name] for each in figures], axis=0).tolist() for name in ("coverage", "crps")}
            for (when, condition, rival), figures in intervals.items()
        ],
        "auroc": [
            {"case": case, "score": score, "mean": float(np.mean(values)), "least": min(values), "cases": len(values)}
            for (case, score), values in areas.items()
        ],
        "raised": {case: float(np.mean(values)) for case, values in raised.items()},
        "false_alarm_share": _or_nan(np.mean, [share for share in shares if share is not None]),
    }


def _ill_posedness(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    return {"conditions": rows[LIKENESS][0]["outcome"]["conditions"]}


def _kind(case: str) -> str:
    """A case without the one sensor that is turned in it."""
    return case.rpartition(": ")[0] if " about " in case else case


def subject_figures(records: Sequence[Record]) -> SubjectFigures:
    """Figures by subject, seconds and condition: mean over muscles, then over seeds."""
    gathered: dict[str, dict[Key, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for entry in records:
        for subject, outcome in entry["outcome"]["subjects"].items():
            for seconds, by_condition in outcome["scores"].items():
                for condition, by_muscle in by_condition.items():
                    gathered[subject][seconds, condition].append(_mean(list(by_muscle.values())))
    subjects = sorted(gathered, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return {subject: {key: _mean(seeds) for key, seeds in gathered[subject].items()} for subject in subjects}


def _mean(entries: Sequence[Mapping[str, float | None]]) -> Figures:
    """Mean of every figure over the entries that have it; NaN where none has."""
    result = {}
    for figure in FIGURES:
        values = [value for entry in entries if (value := entry.get(figure)) is not None and np.isfinite(value)]
        result[figure] = float(np.mean(values)) if values else float("nan")
    return result


def mean_over_subjects(figures: SubjectFigures, ceiling: SubjectFigures | None = None) -> dict[Key, dict[str, Any]]:
    """By seconds and condition: of every figure mean, standard deviation over subjects (``spread``), their number.

    Where there is a ceiling, also the ratio of the mean to the mean ceiling of the same subjects (``share``).
    """  # fmt: skip
    keys = dict.fromkeys(key for by_key in figures.values() for key in by_key)
    result: dict[Key, dict[str, Any]] = {}
    for key in keys:
        result[key] = {}
        for figure in FIGURES:
            values = values_of(figures, key, figure)
            entry = {
                "mean": _or_nan(np.mean, values.values()),
                "spread": float(np.std(list(values.values()), ddof=1)) if len(values) > 1 else float("nan"),
                "subjects": len(values),
            }
            highest = values_of(ceiling or {}, (CEILING, key[1]), figure)
            common = [subject for subject in values if subject in highest]
            if common and figure in HIGHER_IS_BETTER and sum(highest[name] for name in common) > 0:
                entry["share"] = sum(values[name] for name in common) / sum(highest[name] for name in common)
            result[key][figure] = entry
    return result


def values_of(figures: SubjectFigures, key: Key, figure: str) -> dict[str, float]:
    """One figure by subject, where it is defined."""
    found = {subject: by_key[key][figure] for subject, by_key in figures.items() if key in by_key}
    return {subject: value for subject, value in found.items() if np.isfinite(value)}


def made_worse(figures: SubjectFigures) -> dict[str, dict[str, dict[str, float]]]:
    """By seconds and condition: subjects whose r a calibration lowered by more than 0.01, and by how much."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for seconds, condition in dict.fromkeys(key for by_key in figures.values() for key in by_key):
        if float(seconds) == 0 or condition not in COMPARED_CONDITIONS:
            continue
        before, after = values_of(figures, ("0", condition), "r"), values_of(figures, (seconds, condition), "r")
        changes = {subject: after[subject] - before[subject] for subject in after if subject in before}
        losses = {subject: change for subject, change in changes.items() if change < -TOLERATED_LOSS}
        result.setdefault(seconds, {})[condition] = losses
    return result


def _tests(subjects: Mapping[str, SubjectFigures], own: str) -> list[dict[str, Any]]:
    """One row against every other, in r and R², paired over subjects."""
    if own not in subjects:
        return []
    keys = dict.fromkeys(key for by_key in subjects[own].values() for key in by_key if key[1] in COMPARED_CONDITIONS)
    found = []
    for other in (row for row in subjects if row != own):
        for key in keys:
            tests = {}
            for figure in TESTED_FIGURES:
                first, second = (values_of(subjects[row], key, figure) for row in (own, other))
                if test := compare(first, second):
                    tests[figure] = test
            if tests:
                found.append({"first": own, "second": other, "seconds": key[0], "condition": key[1]} | tests)
    return found


def _adapting_times(records: Sequence[Record]) -> dict[str, float]:
    """Mean time [s] that an adaptation took, by seconds of calibration."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in records:
        for outcome in entry["outcome"]["subjects"].values():
            for seconds, duration in outcome["adapting"].items():
                times[seconds].append(duration)
    return {seconds: float(np.mean(durations)) for seconds, durations in times.items()}


def _nested(figures: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for (seconds, condition), value in figures.items():
        nested.setdefault(seconds, {})[condition] = value
    return nested


def _or_nan(function: Any, values: Any) -> float:
    values = list(values)
    return float(function(values)) if values else float("nan")


# what it cost


def _effort(run: Path, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Description of a model, its size, and what its training and tuning took."""
    training = [entry for key in choice.get("training", []) if (entry := record(run, key))]
    tuning = [entry for key in choice.get("tuning", []) if (entry := record(run, key))]
    weights = [entry["outcome"].get("weights") for entry in training]
    return {
        "description": choice.get("description", ""),
        "weights": weights[0] if weights else None,
        "training_s": _or_nan(np.mean, [entry["seconds"] for entry in training]),
        "tuning": {
            "trials": len(tuning),
            "seconds": sum(entry["seconds"] for entry in tuning),
            "chosen": choice.get("chosen"),
        },
    }


def _cost(run: Path, manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Number and time [s] of the jobs by task, each counted once, and all of it in hours of one worker."""
    keys = {key for manifest in manifests.values() for key in manifest["jobs"]}
    tasks: dict[str, dict[str, float]] = defaultdict(lambda: {"jobs": 0, "seconds": 0.0})
    for key in sorted(keys):
        if entry := record(run, key):
            task = tasks[entry["job"]["task"]]
            task["jobs"] += 1
            task["seconds"] += entry["seconds"]
    return {"tasks": dict(tasks), "worker_hours": sum(task["seconds"] for task in tasks.values()) / 3600}
