"""The report of an import: what was found in which files, which channel became what, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.imports.channel_mapping import NONE
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import DOUBTED, GOOD, Block, Cell, Page, number


def import_page(figures: Mapping[str, Any]) -> Page:
    """Write the report for someone who was not there, of the figures that ``imu-emg import`` writes as JSON."""
    takes: Sequence[Mapping[str, Any]] = figures["takes"]
    subjects = sorted({str(take["subject"]) for take in takes})
    seconds = sum(float(take["duration_s"]) for take in takes)
    notes, left_out = figures["notes"], figures["left_out"]
    how_many = f"{len(takes)} recordings of {len(subjects)} subjects, {number(seconds / 60, 1)} minutes"
    written = (
        f"{len(figures['tables'])} files were written" if figures["tables"] else "nothing was written but the mapping"
    )
    without = f"; {len(left_out)} files were left out" if left_out else ""
    unusual = "; look at what is unusual" if notes else ""
    lost = html.table(("files", "why"), list(left_out.items())) if left_out else html.text("Nothing was left out.")
    return Page(
        title="Import of recordings",
        headline=f"{how_many}: {written}{without}{unusual}.",
        mood=DOUBTED if left_out or notes else GOOD,
        facts=[
            ("subjects", ", ".join(subjects)),
            ("sensors", ", ".join(map(display_name, figures["sensors"]))),
            ("muscles", ", ".join(map(display_name, figures["muscles"]))),
        ],
        sections={
            "What is unusual": [html.items(notes) if notes else html.text("Nothing of note.")],
            "What was left out, and why": [lost],
            "Which channel became what": [_mapping(figures)],
            "Recordings": [_takes(takes)],
            "What to do next": _next(figures),
        },
    )


def _takes(takes: Sequence[Mapping[str, Any]]) -> Block:
    rows = [
        (
            str(take["name"]),
            str(take["subject"]),
            display_name(str(take["condition"])) or "–",
            f"{number(take['duration_s'], 1)} s",
            f"{take['form']}: {', '.join(Path(file).name for file in take['files'])}",
            "; ".join(take["notes"]) or "–",
        )
        for take in takes
    ]
    return html.table(("recording", "subject", "movement", "length", "from", "what was found"), rows)


def _mapping(figures: Mapping[str, Any]) -> Block:
    rows = [
        (channel, Cell("not used", DOUBTED) if column == NONE else column, figures["units"][channel] or "–")
        for channel, column in figures["mapping"].items()
    ]
    return html.table(("channel in the files", "column", "unit in the files"), rows)


def _next(figures: Mapping[str, Any]) -> list[Block]:
    if not figures["tables"]:
        return [html.text("Check the channels above, correct mapping.yaml, and import with --mapping mapping.yaml.")]
    return [
        html.text("Propose a rig file from the tables, and check what is worn where:"),
        html.command(
            "imu-emg rig new rig.yaml --data FOLDER\nimu-emg rig check rig.yaml --data FOLDER --picture rig.png"
        ),
    ]
