"""The report of a calibration: of one that is stored, or of one that was just tried, taken or not."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imu_emg_estimator.calibration.calibration_report import (
    ADAPTED,
    KEPT,
    MIN_BAGS,
    MIN_ESTIMATE_R,
    SCALED,
    CalibrationReport,
    MuscleOutcome,
    mean_score,
    outcome_message,
)
from imu_emg_estimator.calibration.improvement import CONFIDENCE, Improvement
from imu_emg_estimator.calibration.shrinkage import Amplitude
from imu_emg_estimator.guide.calibration_outcome import goodness
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import BAGS, CURVES, DELAY, NOTES
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import BAD, DOUBTED, GOOD, Block, Cell, Page, change, number, percent
from imu_emg_estimator.report.report_words import HOW_TO_READ, coverage_sentence, envelope_charts, named, verdict_table
from imu_emg_estimator.signals.accuracy_metrics import Scores
from imu_emg_estimator.utils.json_values import from_decoded
from imu_emg_estimator.utils.shipped_files import calibration_directory

DECISIONS = {
    ADAPTED: Cell("adapted to the subject", GOOD),
    SCALED: Cell("only its strength was fitted", GOOD),
    KEPT: Cell("left as it was", DOUBTED),
}
CAPTION = (
    "A typical stretch of the recordings. Each estimate after the calibration comes from a model that had not seen the "
    "EMG beside it."
)
HELD_OUT = (
    "The recordings were cut into four parts. Each part was estimated by models that were calibrated on the other "
    "three alone, so no figure here was reached by learning the answers. A muscle moves from everybody's model towards "
    "the subject's only as far as this evidence goes."
)


def report_of_bundle(bundle: Bundle) -> CalibrationReport:
    """Make the report of a stored calibration again, as far as its record goes."""
    assert bundle.calibration is not None
    figures = bundle.calibration.figures
    muscles = {name: _outcome(entry) for name, entry in figures.get("muscles", {}).items()}
    left_out = list(figures.get("left_out", ()))
    curves = figures.get(CURVES)
    return CalibrationReport(
        success=True,
        message=outcome_message(muscles, bundle.calibration.seconds, (), left_out),
        muscles=muscles,
        seconds=bundle.calibration.seconds,
        quality={"verdicts": figures.get("verdicts", {}), "left_out": left_out},
        calibration=asdict(bundle.calibration),
        bags=tuple(figures.get(BAGS, ())),
        notes=tuple(figures.get(NOTES, ())),
        curves=from_decoded(EnvelopeCurves, curves, "curves of its calibration") if curves else None,
    )


def _outcome(entry: Mapping[str, Any]) -> MuscleOutcome:
    nothing = {"r": None, "r2": None, "nrmse": None, "samples": 0}
    before, after = (from_decoded(Scores, nothing | entry.get(when, {}), when) for when in ("before", "after"))
    unknown = Improvement(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    gain = from_decoded(Improvement, entry["gain"], "gain") if entry.get("gain") else unknown
    amplitude = from_decoded(Amplitude, entry["amplitude"], "amplitude") if entry.get("amplitude") else None
    return MuscleOutcome(
        entry.get("decision", ADAPTED), before, after, gain, amplitude=amplitude, share=entry.get("share", 0.0)
    )


def calibration_page(report: CalibrationReport, subject: str, model_id: str, directory: Path | None = None) -> Page:
    """Write the report for someone who was not there.

    Args:
        model_id: of the model that was to be improved on.
        directory: where the calibration is stored; None = where the node looks.
    """
    headline, mood = _headline(report)
    return Page(
        title=f"Calibration of subject {subject}",
        headline=headline,
        mood=mood,
        facts=_facts(report, subject, model_id),
        sections={
            "Measured and estimated muscle activity": envelope_charts(report.curves, CAPTION),
            "Before and after": _before_and_after(report),
            "How sure this is": _how_sure(report),
            "Sensors and muscles": verdict_table(report.verdicts, report.left_out),
            "What was used, and what was left out": _left_out(report),
            "What to do next": _next(report, subject, directory),
            "How to read this": HOW_TO_READ,
        },
    )


def _headline(report: CalibrationReport) -> tuple[str, str]:
    if report.error:
        return f"The calibration could not be done: {report.message}.", BAD
    if report.refusal:
        return f"The recording was refused, and nothing was changed: {report.refusal}.", BAD
    if not report.success:
        return "The calibration made nothing better by more than chance explains, so nothing was changed.", DOUBTED
    return f"The calibration helped.{_follow(report)}", GOOD


def _follow(report: CalibrationReport) -> str:
    """Say how the estimates follow the muscles now; empty where that is not known."""
    r, r2 = ([mean_score(scores, figure) for scores in (report.before, report.after)] for figure in ("r", "r2"))
    if math.isnan(r[1]):
        return ""
    return (
        f" The estimates now follow the muscles {goodness(r[1])}: r is {number(r[1])} of at most 1, {number(r[0])} "
        f"before; R², which also counts the strength, is {number(r2[1])}, {number(r2[0])} before."
    )


def _facts(report: CalibrationReport, subject: str, model_id: str) -> list[tuple[str, str]]:
    calibration: Mapping[str, Any] = report.calibration or {}
    figures = calibration.get("figures", {})
    recorded = [bag.get("recorded") for bag in report.bags]
    of = f" of {number(sum(recorded), 0)} s recorded" if recorded and None not in recorded else ""
    software = calibration.get("software")
    method = (calibration.get("method"), f"imu_emg_estimator {software}" if software else "")
    return [
        ("subject", subject),
        ("made", str(calibration.get("created", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("calibration", report.calibration_id),
        ("improves on model", str(figures.get("running", model_id))),
        ("recordings", str(calibration.get("bag", "")) or ", ".join(map(_name, report.bags))),
        ("data used", f"{number(report.seconds, 0)} s{of}" if report.seconds else ""),
        ("delay of the EMG", str(figures.get(DELAY, ""))),
        ("method", ", ".join(filter(None, method))),
    ]


def _name(bag: Mapping[str, Any]) -> str:
    return Path(str(bag.get("bag", ""))).name


def _before_and_after(report: CalibrationReport) -> list[Block]:
    if not report.muscles:
        return []
    rows = [
        (
            display_name(name),
            DECISIONS.get(own.decision, Cell(own.decision)),
            change(own.before.r, own.after.r),
            change(own.before.r2, own.after.r2),
            _change_of_r(own),
        )
        for name, own in report.muscles.items()
    ]
    return [html.table(("muscle", "what was done", "r", "R²", f"change of r ({percent(CONFIDENCE)} interval)"), rows)]


def _change_of_r(outcome: MuscleOutcome) -> str:
    found = outcome.improvement
    tried = "" if outcome.decision == ADAPTED else "tried: "
    return f"{tried}{number(found.change)} ({number(found.low)} to {number(found.high)})"


def _how_sure(report: CalibrationReport) -> list[Block]:
    if not report.muscles:
        return []
    return [
        html.text(HELD_OUT),
        html.items([_in_words(*own) for own in report.muscles.items()]),
        *coverage_sentence(report.curves),
    ]


def _in_words(name: str, outcome: MuscleOutcome) -> str:
    """Say in a sentence how certain a muscle's improvement is."""
    found, who = outcome.improvement, display_name(name)
    amplitude = outcome.amplitude
    strength = f" Its EMG is {amplitude} what was estimated before." if amplitude else ""
    if outcome.withheld:
        strength += f" A better shape was not taken, as a model of few people needs {MIN_BAGS} recordings to trust it."
    if not found.blocks:
        return f"{who}: how certain the change is was not recorded.{strength}"
    tried = "the change that was tried" if outcome.decision != ADAPTED else "the change"
    certain = "more than chance explains" if found.significant else "within what chance explains"
    return (
        f"{who}: {tried} in r is {number(found.change)}, {certain} (between {number(found.low)} and "
        f"{number(found.high)} with {percent(CONFIDENCE)} confidence, from {found.blocks} stretches of time).{strength}"
    )


def _left_out(report: CalibrationReport) -> list[Block]:
    blocks: list[Block] = []
    if report.bags:
        rows = [(_name(bag), *(number(bag.get(key), 1) for key in ("seconds", "recorded"))) for bag in report.bags]
        blocks.append(html.table(("recording", "used [s]", "recorded [s]"), rows))
    if report.left_out:
        blocks.append(html.text(f"Left out for its whole length: {named(report.left_out)}."))
    if report.notes:
        blocks.append(html.items(report.notes))
    elif report.bags and not report.left_out:
        blocks.append(html.text("Nothing else of note was found in the recordings."))
    return blocks


def _next(report: CalibrationReport, subject: str, directory: Path | None) -> list[Block]:
    if not report.success:
        return [
            html.text(
                "Put right what the table above names, check that the electrodes sit firmly, and record again: 30 to "
                "60 s of walking, and of what else the device is for."
            )
        ]
    weak = [name for name, own in report.muscles.items() if own.decision == KEPT and own.before.r < MIN_ESTIMATE_R]
    again = f"The calibration made nothing better of {named(weak)}: check the electrode, and record longer."
    usual = directory is None or directory.absolute() == calibration_directory().absolute()
    place = "" if directory is None or usual else f" --directory {shlex.quote(str(directory.absolute()))}"
    return [
        *([html.text(again)] if weak else []),
        html.text(
            "Wear the sensors as they were. Check on another day with a new recording that the estimates still fit:"
        ),
        html.command(f"imu-emg calibrations compare {report.calibration_id} --bag BAG{place}"),
        html.text("Go back to what was in use before:"),
        html.command(f"imu-emg calibrations use --previous --subject {shlex.quote(subject)}{place}"),
    ]
