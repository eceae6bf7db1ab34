"""Figures and costs of a run's jobs by part of the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import calibration_protocol as calibration
from benchmarks.accuracy import gait_cycle_protocol as gait_cycle
from benchmarks.accuracy import verdict_protocol as verdicts
from benchmarks.accuracy.ablations import REFERENCE as ABLATION_REFERENCE
from benchmarks.accuracy.ill_posedness import LIKENESS
from benchmarks.accuracy.protocol_run import manifests
from benchmarks.accuracy.protocols import OWN
from benchmarks.accuracy.subject_scores import (
    Figures,
    Key,
    Record,
    SubjectFigures,
    made_worse,
    mean_figures,
    mean_over_subjects,
    nested,
    or_nan,
    paired_tests,
    subject_figures,
    subject_table,
)
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT
from benchmarks.run_folder import read_json, record_file
from imu_emg_estimator.calibration.request import METHOD
from imu_emg_estimator.errors import InputError

PAIRED_AT = ("10", "30", "60")  # s of calibration at which methods of adaptation are compared subject by subject


def gather(run: Path) -> dict[str, Any]:
    """Summarise a run folder: figures by part of the report, and their costs.

    Raises:
        InputError: there is no run.
    """
    known = manifests(run)
    if not known:
        raise InputError(f"{run} holds no benchmark; run one first, or name its folder with --run")
    result: dict[str, Any] = {}
    for part, manifest in known.items():
        rows, missing = _records(run, manifest)
        if not rows:  # no finished job yet
            continue
        common = {name: manifest[name] for name in ("protocol", "setup", "made")}
        result[part] = common | {"missing_jobs": missing} | SUMMARIES[manifest["protocol"]](rows, manifest, run)
    return result | {"cost": _cost(run, known)}


def _records(run: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, list[Record]], int]:
    """Return the finished records of every row, and the number of missing ones."""
    rows = {row: [record(run, key) for key in keys] for row, keys in manifest["rows"].items()}
    missing = sum(entry is None for entries in rows.values() for entry in entries)
    done: dict[str, list[Record]] = {row: [entry for entry in entries if entry] for row, entries in rows.items()}
    return {row: entries for row, entries in done.items() if entries}, missing


def record(run: Path, key: str) -> dict[str, Any] | None:
    """Return what the results keep of a job."""
    return read_json(record_file(run, key))


# protocols


def _streaming(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    reference = subjects.pop(WITHIN_SUBJECT, {})
    return {
        "rows": {
            row: _scores(figures, reference) | _effort(run, manifest["choices"].get(row, {}))
            for row, figures in subjects.items()
        },
        WITHIN_SUBJECT: {
            "mean": nested(mean_over_subjects(reference)).get(WITHIN_SUBJECT, {}),
            "subjects": subject_table(reference),
        },
        "tests": paired_tests(subjects, OWN),
    }


def _adaptation(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    return {
        "default": METHOD,
        "rows": {
            row: _scores(figures) | {"adapting_s": _adapting_times(rows[row])} for row, figures in subjects.items()
        },
        "tests": [test for test in paired_tests(subjects, METHOD) if test["seconds"] in PAIRED_AT],
    }


def _ablation(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    subjects = {row: subject_figures(records) for row, records in rows.items()}
    return {
        "rows": {row: _variant(rows[row], manifest["setup"]) | _scores(subjects[row]) for row in rows},
        "tests": paired_tests(subjects, ABLATION_REFERENCE),
    }


def _scores(figures: SubjectFigures, reference: SubjectFigures | None = None) -> dict[str, Any]:
    return {
        "mean": nested(mean_over_subjects(figures, reference)),
        "made_worse": made_worse(figures),
        "subjects": subject_table(figures),
    }


def _variant(records: Sequence[Record], setup: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a variant of the recipe and the time [s] that one of its jobs took."""
    settings = records[0]["job"]["settings"]
    usual = float(settings["shape"]["look_ahead"]) / float(setup["rate_hz"])
    return {
        "group": settings["variant"]["group"],
        "description": settings["variant"]["description"],
        "look_ahead_s": float(settings["variant"]["training"].get("look_ahead_s", usual)),
        "seconds": float(np.mean([entry["seconds"] for entry in records])),
    }


def _gait_cycle(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    outcomes = [entry["outcome"] for records in rows.values() for entry in records]
    table = gait_cycle.summarise(outcomes)
    subjects = {row: _cycle_figures([entry["outcome"] for entry in records]) for row, records in rows.items()}
    return {"rows": table, "tests": paired_tests(subjects, OWN)}


def _cycle_figures(outcomes: Sequence[Mapping[str, Any]]) -> SubjectFigures:
    """Return a model's figures on envelopes with amplitude by subject: uncalibrated, and adapted in all weights."""
    gathered: dict[str, dict[Key, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for entry in (entry for outcome in outcomes for entry in outcome["figures"]):
        if entry["variant"] == gait_cycle.WITH_AMPLITUDE and entry["method"] in ("none", "all"):
            gathered[entry["subject"]][entry["calibration"], entry["condition"]].append(entry)
    return {subject: {key: mean_figures(entries) for key, entries in by.items()} for subject, by in gathered.items()}


def _calibration(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Summarise the improvements by calibrations on bags of several lengths and activities."""
    outcomes = {row: [entry["outcome"] for entry in records] for row, records in rows.items()}
    judged = outcomes.pop(verdicts.VERDICTS, [])
    return {
        "rows": {row: calibration.summarise(found) for row, found in outcomes.items()},
        "verdicts": verdicts.summarise(judged) if judged else {},
    }


def _uncertainty(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Summarise coverage and CRPS by calibration, condition and rival, and alarms by case; means over subjects."""
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
        "false_alarm_share": or_nan(np.mean, [share for share in shares if share is not None]),
    }


def _ill_posedness(rows: Mapping[str, list[Record]], manifest: Mapping[str, Any], run: Path) -> dict[str, Any]:
    return {"conditions": rows[LIKENESS][0]["outcome"]["conditions"]}


def _kind(case: str) -> str:
    """Name a case without the sensor that is turned in it."""
    return case.rpartition(": ")[0] if " about " in case else case


def _adapting_times(records: Sequence[Record]) -> dict[str, float]:
    """Return the mean time [s] that an adaptation took, by seconds of calibration."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in records:
        for outcome in entry["outcome"]["subjects"].values():
            for seconds, duration in outcome["adapting"].items():
                times[seconds].append(duration)
    return {seconds: float(np.mean(durations)) for seconds, durations in times.items()}


# costs


def _effort(run: Path, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a model, its size, and the time of its training and tuning."""
    training = [entry for key in choice.get("training", []) if (entry := record(run, key))]
    tuning = [entry for key in choice.get("tuning", []) if (entry := record(run, key))]
    weights = [entry["outcome"].get("weights") for entry in training]
    return {
        "description": choice.get("description", ""),
        "weights": weights[0] if weights else None,
        "training_s": or_nan(np.mean, [entry["seconds"] for entry in training]),
        "tuning": {
            "trials": len(tuning),
            "seconds": sum(entry["seconds"] for entry in tuning),
            "chosen": choice.get("chosen"),
        },
    }


def _cost(run: Path, manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return number and time [s] of the jobs by task, each job counted once, and the total in hours of one worker."""
    keys = {key for manifest in manifests.values() for key in manifest["jobs"]}
    tasks: dict[str, dict[str, float]] = defaultdict(lambda: {"jobs": 0, "seconds": 0.0})
    for key in sorted(keys):
        if entry := record(run, key):
            task = tasks[entry["job"]["task"]]
            task["jobs"] += 1
            task["seconds"] += entry["seconds"]
    return {"tasks": dict(tasks), "worker_hours": sum(task["seconds"] for task in tasks.values()) / 3600}


SUMMARIES = {
    "streaming": _streaming,
    "adaptation": _adaptation,
    "gait-cycle": _gait_cycle,
    "ablation": _ablation,
    "uncertainty": _uncertainty,
    "ill-posedness": _ill_posedness,
    "calibration": _calibration,
}
