"""The report of a bag: what is in it, what a model makes of it, and which sensors and muscles can be used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from imu_emg_estimator.calibration.calibration_report import mean_score
from imu_emg_estimator.guide.calibration_outcome import goodness
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.bag_findings import BagFindings
from imu_emg_estimator.report.html_page import BAD, DOUBTED, GOOD, Block, Page, number, percent
from imu_emg_estimator.report.report_words import (
    GOOD_VERDICT,
    HOW_TO_READ,
    coverage_sentence,
    envelope_charts,
    level_sentence,
    named,
    verdict_table,
)

CAPTION = "A typical stretch of the recording. The estimates come from the motion sensors alone."
STATUSES = {
    "OK": "could be relied on",
    "DEGRADED": "without the sensors that are named",
    "OUT_OF_DISTRIBUTION": "motion unlike the training data: not to be relied on",
    "STALE": "no estimate: too few good sensors",
    "WARMING_UP": "the first seconds after the start",
}


def bag_page(found: BagFindings, contents: Mapping[str, Any]) -> Page:
    """Write the report for someone who was not there.

    Args:
        contents: ``seconds`` and ``topics`` of the bag, as ``imu-emg inspect`` describes them.
    """
    headline, mood = _headline(found)
    activity = "Estimated muscle activity" if found.no_emg else "Measured and estimated muscle activity"
    left_out = [f"{display_name(name)} was left out: {found.verdicts.get(name, '')}" for name in found.left_out]
    notes = [*([found.no_emg] if found.no_emg else []), *left_out, *found.notes]
    return Page(
        title=f"Recording {found.name}",
        headline=headline,
        mood=mood,
        facts=_facts(found, contents),
        sections={
            activity: envelope_charts(found.curves, CAPTION),
            "How well the estimates follow the EMG": _scores(found),
            "Sensors and muscles": verdict_table(found.verdicts, found.left_out),
            "What a live estimator would have said": _live(found),
            "What is in the recording": [_topics(contents["topics"])],
            "What was left out, and what is unusual": [html.items(notes) if notes else html.text("Nothing of note.")],
            "What to do next": _next(found),
            "How to read this": HOW_TO_READ,
        },
    )


def _headline(found: BagFindings) -> tuple[str, str]:
    if found.unfit:
        return f"Model {found.model_id} cannot estimate from this recording: {found.unfit}.", BAD
    warned = [name for name, verdict in found.verdicts.items() if verdict != GOOD_VERDICT]
    if found.left_out:
        return f"Not all can be used: {named(found.left_out)} must be left out.", BAD
    if warned:
        return f"All can be used, with a warning on {named(warned)}.{_follow(found)}", DOUBTED
    if found.verdicts:
        mood = DOUBTED if mean_score(found.scores, "r2") < 0 else GOOD
        return f"All {len(found.verdicts)} sensors and muscles are good.{_follow(found)}", mood
    faults = found.view.faults if found.view else {}
    if faults:
        return f"There is no EMG to compare with. Sensors were at fault at times: {', '.join(faults)}.", DOUBTED
    return "All sensors were good the whole time. There is no EMG to compare with.", GOOD


def _follow(found: BagFindings) -> str:
    r = mean_score(found.scores, "r")
    if not math.isfinite(r):
        return ""
    follow = f" The estimates follow the EMG {goodness(r)} (r {number(r)} of at most 1)."
    return follow + level_sentence(mean_score(found.scores, "r2"))


def _facts(found: BagFindings, contents: Mapping[str, Any]) -> list[tuple[str, str]]:
    bag, emg = found.bag, found.bag.emg if found.bag else None
    used = f", of which {number(bag.seconds, 1)} s were used" if bag else ""
    kind = f"{emg.kind}, {emg.rate:.0f} samples a second, in {emg.unit}, from {emg.topic}" if emg else ""
    return [
        ("recording", found.name),
        ("length", f"{number(contents['seconds'], 1)} s{used}"),
        ("model", found.model_id),
        ("EMG", kind or "none"),
    ]


def _scores(found: BagFindings) -> list[Block]:
    if not found.scores:
        return []
    rows = [(display_name(name), number(own.r), number(own.r2)) for name, own in found.scores.items()]
    return [html.table(("muscle", "r", "R²"), rows), *coverage_sentence(found.curves)]


def _live(found: BagFindings) -> list[Block]:
    if found.view is None:
        return []
    total, faults = sum(found.view.seen.values()), found.view.faults
    rows = [(status, percent(count / total), STATUSES.get(status, "")) for status, count in found.view.seen.items()]
    table = html.table(("status", "share of the estimates", "meaning"), rows)
    shares = [f"{display_name(what)}: {percent(count / total)} of the time" for what, count in faults.items()]
    return [table, *([html.items(shares)] if shares else [])]


def _topics(topics: Mapping[str, Mapping[str, Any]]) -> Block:
    rows = [
        (topic, number(own.get("messages"), 0), number(own.get("rate_hz"), 1), str(own.get("type", "")))
        for topic, own in topics.items()
    ]
    return html.table(("topic", "messages", "a second", "type"), rows)


def _next(found: BagFindings) -> list[Block]:
    if found.unfit:
        return [html.text("Name the Imu topics with --imu-topics, or give a model that was trained for these sensors.")]
    if found.left_out:
        return [html.text("Put right what the table of sensors and muscles names, and record again.")]
    if found.no_emg:
        return [html.text("Record EMG together with the motion sensors, to see how well the estimates follow it.")]
    if math.isfinite(mean_score(found.scores, "r")):
        return [
            html.text("Calibrate the model to the subject on this recording, and see what it is worth:"),
            html.command(f"imu-emg calibrate --bag {found.name} --subject NAME --dry-run --report calibration.html"),
        ]
    return []
