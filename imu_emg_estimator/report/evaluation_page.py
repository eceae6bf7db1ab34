"""The report of an evaluation: how well estimates follow the EMG of subjects that the model never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.calibration_outcome import goodness
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import DOUBTED, GOOD, Block, Page, number
from imu_emg_estimator.report.report_words import (
    GOOD_VERDICT,
    HOW_TO_READ,
    coverage_sentence,
    envelope_charts,
    level_sentence,
)
from imu_emg_estimator.report.svg_charts import dot_chart
from imu_emg_estimator.training.evaluation_report import DEFAULT_GROUP
from imu_emg_estimator.utils.json_values import from_decoded

MAX_DRAWN = 60  # subjects
UNSEEN = " that the model never saw"
READING = "How to read this"
FAIR_R = 0.5  # of an estimate that follows the EMG fairly well
CHART_CAPTION = "Mean over the muscles of each subject. The further to the right, the better."
EXAMPLE_CAPTION = "Of the subject in the middle of all, without calibration: a typical stretch of {}."
FIGURES = (("r", "r"), ("r2", "R²"))
SCORED = {"all": "everything that was recorded", "movements": "all movements together"}
NEXT = [
    html.text("Calibrate the model to each new subject, which costs a minute of EMG, and see what it is worth:"),
    html.command(
        "imu-emg calibrate --bundle MODEL.safetensors --bag BAG --subject NAME --store --report calibration.html"
    ),
]
Figures = Mapping[str, Any]


def evaluation_page(figures: Figures) -> Page:
    """Write the report for someone who was not there, of the figures that ``imu-emg evaluate`` writes as JSON.

    Raises:
        InputError: a part of the figures is not as it should be.
    """
    try:
        return _page(figures)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"the figures of the evaluation have a missing or malformed part ({error})") from None


def _page(figures: Figures) -> Page:
    headline, mood = _headline(figures)
    example = figures.get("example") or {}
    caption = EXAMPLE_CAPTION.format(display_name(example.get("condition", "")))
    curves = from_decoded(EnvelopeCurves, example["curves"], "curves of the example") if example else None
    return Page(
        title=f"Evaluation on subjects{UNSEEN}",
        headline=headline,
        mood=mood,
        facts=[
            ("what was evaluated", str(figures["protocol"])),
            ("subjects", str(len(figures["subjects"]))),
            ("scored in", ", ".join(map(display_name, figures.get("movements") or [_group(figures)]))),
            ("estimates are for", f"{number(1000 * figures['look_ahead_s'], 0)} ms before the newest sample"),
        ],
        sections={
            "Each subject": [_charts(figures)],
            "Measured and estimated muscle activity": envelope_charts(curves, caption),
            "Mean over all subjects": [_means(figures)],
            "How sure this is": [*_how_sure(figures), *coverage_sentence(curves)],
            "Figures of each subject": [_subjects(figures)],
            "Sensors and muscles with a remark": _verdicts(figures),
            "Who was left out, and why": [_left_out(figures)],
            "What to do next": NEXT,
            READING: HOW_TO_READ,
        },
    )


def _group(figures: Figures) -> str:
    return str(figures.get("movement_group", DEFAULT_GROUP))


def _amounts(figures: Figures) -> list[str]:
    """Return the amounts of calibration [s], as they are written, the least first."""
    return sorted(figures["mean"], key=float)


def _figure(figures: Figures, subject: str, amount: str, figure: str) -> float:
    scored = figures["subjects"][subject].get(amount, {}).get(_group(figures), {})
    return _known(scored.get("mean", {}).get(figure))


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _headline(figures: Figures) -> tuple[str, str]:
    amounts = _amounts(figures)
    shown = sorted({amounts[0], amounts[-1]}, key=float)
    means = [figures["mean"][amount].get(_group(figures), {}) for amount in shown]
    r, r2 = ([_known(mean.get(figure)) for mean in means] for figure, _ in FIGURES)
    if not math.isfinite(r[-1]):
        return "No figure could be computed for what the rig is scored on.", DOUBTED
    count = len(figures["subjects"])
    fell = round(r[-1], 2) < round(r[0], 2)
    later = f", {'but' if fell else 'and'} {number(r[-1])} with {_calibrated(shown[-1])}" * (len(shown) > 1)
    text = (
        f"On {count} subject{'s' * (count != 1)}{UNSEEN}, the estimates follow the muscles "
        f"{goodness(r[-1])}: r is {number(r[0])} with {_calibrated(shown[0])}{later}, of at most 1."
    )
    return text + level_sentence(*r2), DOUBTED if fell or r[-1] < FAIR_R or r2[-1] < 0 else GOOD


def _calibrated(amount: str) -> str:
    return "no calibration" if float(amount) == 0 else f"{amount} s of calibration"


def _charts(figures: Figures) -> Block:
    amounts = _amounts(figures)
    first, last = amounts[0], amounts[-1]
    words = (_calibrated(first) if last != first else "", _calibrated(last))
    charts = []
    for figure, name in FIGURES:
        rows = [
            (subject, _figure(figures, subject, first, figure) if words[0] else math.nan, value)
            for subject in figures["subjects"]
            for value in [_figure(figures, subject, last, figure)]
        ]
        charts.append(dot_chart(f"{name} of each subject", rows[:MAX_DRAWN], name, words))
    more = f" {len(figures['subjects']) - MAX_DRAWN} more are in the table." * (len(figures["subjects"]) > MAX_DRAWN)
    return html.charts(charts, CHART_CAPTION + more)


def _means(figures: Figures) -> Block:
    rows = [
        (
            _calibrated(amount),
            SCORED.get(condition, display_name(condition)),
            number(own.get("subjects"), 0),
            *(number(own[figure]) for figure, _ in FIGURES),
        )
        for amount in _amounts(figures)
        for condition, own in figures["mean"][amount].items()
    ]
    return html.table(("calibration", "scored in", "subjects", *(name for _, name in FIGURES)), rows)


def _subjects(figures: Figures) -> Block:
    amounts = _amounts(figures)
    rows = [
        (str(subject), *(number(_figure(figures, subject, amount, name)) for amount in amounts for name, _ in FIGURES))
        for subject in figures["subjects"]
    ]
    return html.table(("subject", *(f"{name}, {_short(amount)}" for amount in amounts for _, name in FIGURES)), rows)


def _short(amount: str) -> str:
    return "uncalibrated" if float(amount) == 0 else f"{amount} s"


def _how_sure(figures: Figures) -> list[Block]:
    amounts, subjects = _amounts(figures), list(figures["subjects"])
    r = {subject: _figure(figures, subject, amounts[-1], "r") for subject in subjects}
    known = sorted((value, subject) for subject, value in r.items() if math.isfinite(value))
    if not known:
        return []
    (low, worst), (high, best) = known[0], known[-1]
    text = (
        f"Subjects differ: r with {_calibrated(amounts[-1])} goes from {number(low)} (subject {worst}) to "
        f"{number(high)} (subject {best}). A new subject may lie anywhere in that range, or beyond."
    )
    if len(known) == 1:
        text = "One subject tells little of the next: evaluate more."
    return [html.text(text), *([html.text(_better(figures, amounts))] if len(amounts) > 1 else [])]


def _better(figures: Figures, amounts: Sequence[str]) -> str:
    """Say how many subjects a calibration helped."""
    parts = []
    for figure, name in FIGURES:
        before, after = (
            [_figure(figures, subject, amount, figure) for subject in figures["subjects"]]
            for amount in (amounts[0], amounts[-1])
        )
        known = [later - first for first, later in zip(before, after, strict=True) if math.isfinite(later - first)]
        parts.append(f"{name} of {sum(change > 0 for change in known)} of {len(known)} subjects")
    return f"A calibration of {amounts[-1]} s raised {parts[0]}, and {parts[1]}."


def _verdicts(figures: Figures) -> list[Block]:
    if not figures.get("verdicts"):
        return []
    rows = [
        (f"{subject}, {display_name(name)}", str(verdict))
        for subject, own in figures["verdicts"].items()
        for name, verdict in own.items()
        if verdict != GOOD_VERDICT
    ]
    return [html.table(("subject, sensor or muscle", "what was found"), rows) if rows else html.text("All are good.")]


def _left_out(figures: Figures) -> Block:
    rows = [(str(subject), str(reason)) for subject, reason in figures.get("left_out", {}).items()]
    return html.table(("subject", "why"), rows) if rows else html.text("Nobody was left out.")
