"""Scores of jobs by subject: means, spread, losses and paired tests over subjects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy.paired_test import compare
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT
from imu_emg_estimator.recording import LOCOMOTION

FIGURES = ("r", "r2", "r2_scaled", "nrmse")
HIGHER_IS_BETTER = ("r", "r2", "r2_scaled")
TOLERATED_LOSS = 0.01  # of r, by a calibration
COMPARED_FIGURES = ("r", "r2")
COMPARED_CONDITIONS = ("walking", "locomotion", "movements", "all")

OF_HUGADB = ("all", "locomotion", *LOCOMOTION)  # the conditions of results that do not state theirs

Record = Mapping[str, Any]
Figures = dict[str, float]
Key = tuple[str, str]  # seconds of calibration, condition
SubjectFigures = dict[str, dict[Key, Figures]]  # by subject


def subject_figures(records: Sequence[Record]) -> SubjectFigures:
    """Gather figures by subject, seconds and condition: mean over muscles, then over seeds."""
    gathered: dict[str, dict[Key, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for entry in records:
        for subject, outcome in entry["outcome"]["subjects"].items():
            for seconds, by_condition in outcome["scores"].items():
                for condition, by_muscle in by_condition.items():
                    gathered[subject][seconds, condition].append(mean_figures(list(by_muscle.values())))
    return {
        subject: {key: mean_figures(seeds) for key, seeds in gathered[subject].items()}
        for subject in sorted(gathered, key=_numbers_first)
    }


def _numbers_first(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def conditions(setup: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was scored: everything, all movements together, and each."""
    return tuple(setup.get("conditions", OF_HUGADB))


def moving(setup: Mapping[str, Any]) -> str:
    """Return the name under which all movements together were scored."""
    return conditions(setup)[1]


def mean_figures(entries: Sequence[Mapping[str, float | None]]) -> Figures:
    """Average every figure over the entries that have it; NaN where none has."""
    result = {}
    for figure in FIGURES:
        values = [value for entry in entries if (value := entry.get(figure)) is not None and np.isfinite(value)]
        result[figure] = or_nan(np.mean, values)
    return result


def mean_over_subjects(figures: SubjectFigures, reference: SubjectFigures | None = None) -> dict[Key, dict[str, Any]]:
    """Give each figure's mean, standard deviation (``spread``) and number of subjects, by seconds and condition.

    With a within-subject reference also the ratio of the mean to the reference's of the same subjects (``share``).
    """
    keys = dict.fromkeys(key for by_key in figures.values() for key in by_key)
    return {
        key: {figure: _spread_over_subjects(figures, reference or {}, key, figure) for figure in FIGURES}
        for key in keys
    }


def _spread_over_subjects(
    figures: SubjectFigures, reference: SubjectFigures, key: Key, figure: str
) -> dict[str, float | int]:
    values = values_of(figures, key, figure)
    entry: dict[str, float | int] = {
        "mean": or_nan(np.mean, values.values()),
        "spread": float(np.std(list(values.values()), ddof=1)) if len(values) > 1 else float("nan"),
        "subjects": len(values),
    }
    attainable = values_of(reference, (WITHIN_SUBJECT, key[1]), figure)
    common = [subject for subject in values if subject in attainable]
    total = sum(attainable[subject] for subject in common)
    if figure in HIGHER_IS_BETTER and total > 0:
        entry["share"] = sum(values[subject] for subject in common) / total
    return entry


def values_of(figures: SubjectFigures, key: Key, figure: str) -> dict[str, float]:
    """Return one figure by subject, where it is defined."""
    found = {subject: by_key[key][figure] for subject, by_key in figures.items() if key in by_key}
    return {subject: value for subject, value in found.items() if np.isfinite(value)}


def made_worse(figures: SubjectFigures) -> dict[str, dict[str, dict[str, float]]]:
    """List by seconds and condition the subjects whose r a calibration lowered by more than 0.01, and their losses."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for seconds, condition in dict.fromkeys(key for by_key in figures.values() for key in by_key):
        if float(seconds) == 0 or condition not in COMPARED_CONDITIONS:
            continue
        before, after = values_of(figures, ("0", condition), "r"), values_of(figures, (seconds, condition), "r")
        changes = {subject: after[subject] - before[subject] for subject in after if subject in before}
        losses = {subject: change for subject, change in changes.items() if change < -TOLERATED_LOSS}
        result.setdefault(seconds, {})[condition] = losses
    return result


def paired_tests(subjects: Mapping[str, SubjectFigures], own: str) -> list[dict[str, Any]]:
    """Compare one row with every other in r and R², paired over subjects."""
    if own not in subjects:
        return []
    keys = dict.fromkeys(key for by_key in subjects[own].values() for key in by_key if key[1] in COMPARED_CONDITIONS)
    found = []
    for other in (row for row in subjects if row != own):
        for key in keys:
            tests = {}
            for figure in COMPARED_FIGURES:
                first, second = (values_of(subjects[row], key, figure) for row in (own, other))
                if test := compare(first, second):
                    tests[figure] = test
            if tests:
                found.append({"first": own, "second": other, "seconds": key[0], "condition": key[1]} | tests)
    return found


# in the form in which results are kept


def nested(figures: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    """Nest by seconds of calibration, then by condition."""
    result: dict[str, dict[str, Any]] = {}
    for (seconds, condition), value in figures.items():
        result.setdefault(seconds, {})[condition] = value
    return result


def subject_table(figures: SubjectFigures) -> dict[str, Any]:
    """Return each subject's figures for the results, as lists in the order of ``names``; undefined ones are NaN.

    Returns:
        ``names``, and ``r`` and ``r2`` by seconds and condition; R² of the compared conditions alone.
    """
    keys = list(dict.fromkeys(key for by_key in figures.values() for key in by_key))
    table: dict[str, Any] = {"names": list(figures)}
    for figure, conditions in (("r", None), ("r2", COMPARED_CONDITIONS)):
        kept = [key for key in keys if conditions is None or key[1] in conditions]
        values = {key: values_of(figures, key, figure) for key in kept}
        table[figure] = nested({key: [by.get(name, float("nan")) for name in figures] for key, by in values.items()})
    return table


def kept_values(table: Mapping[str, Any], figure: str, seconds: str, condition: str) -> dict[str, float]:
    """Return one figure by subject from ``subject_table``, where it is defined."""
    values = table[figure].get(seconds, {}).get(condition, [])
    pairs = zip(table["names"], values, strict=False)
    return {name: value for name, value in pairs if value is not None and np.isfinite(value)}


def or_nan(function: Callable[[Any], Any], values: Iterable[float]) -> float:
    """Apply a function to the values; NaN without any."""
    values = list(values)
    return float(function(values)) if values else float("nan")
