"""The report of an import: what was found in which files, which channel became what, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.report.html_page import (
    DOUBTED,
    GOOD,
    Block,
    Cell,
    Command,
    Facts,
    Items,
    Page,
    Section,
    Table,
    Text,
    number,
)

UNUSED = "none"  # column of a channel that is not used


def import_page(figures: Mapping[str, Any], command: str = "") -> Page:
    """Write the report for someone who was not there.

    Args:
        figures: that ``imu-emg import`` writes as JSON.
        command: that was given.
    """
    takes: Sequence[Mapping[str, Any]] = figures["takes"]
    subjects = sorted({str(take["subject"]) for take in takes})
    seconds = sum(float(take["duration_s"]) for take in takes)
    left_out = figures["left_out"]
    how_many = f"{len(takes)} recordings of {len(subjects)} subjects, {number(seconds / 60, 1)} minutes"
    without = f"; {len(left_out)} files were left out" if left_out else ""
    return Page(
        title="Import of recordings",
        headline=f"{how_many}: {_written(figures)}{without}.",
        mood=DOUBTED if left_out or figures["notes"] else GOOD,
        facts=Facts(
            [
                ("subjects", ", ".join(subjects)),
                ("sensors", ", ".join(map(display_name, figures["sensors"]))),
                ("muscles", ", ".join(map(display_name, figures["muscles"]))),
            ]
        ),
        sections=(
            Section("Recordings", [_takes(takes)]),
            Section("Which channel became what", [_mapping(figures)]),
            Section("What is unusual", _notes(figures)),
            Section("What was left out, and why", _left_out(left_out)),
            Section("What to do next", _next(figures)),
        ),
        command=command,
    )


def _written(figures: Mapping[str, Any]) -> str:
    count = len(figures["tables"])
    return f"{count} files were written" if count else "nothing was written but the mapping"


def _takes(takes: Sequence[Mapping[str, Any]]) -> Table:
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
    return Table(("recording", "subject", "movement", "length", "from", "what was found"), rows)


def _mapping(figures: Mapping[str, Any]) -> Table:
    rows = [
        (channel, Cell("not used", DOUBTED) if column == UNUSED else column, figures["units"][channel] or "–")
        for channel, column in figures["mapping"].items()
    ]
    return Table(("channel in the files", "column", "unit in the files"), rows)


def _notes(figures: Mapping[str, Any]) -> list[Block]:
    return [Items(figures["notes"])] if figures["notes"] else [Text("Nothing of note.")]


def _left_out(left_out: Mapping[str, str]) -> list[Block]:
    return [Table(("files", "why"), list(left_out.items()))] if left_out else [Text("Nothing was left out.")]


def _next(figures: Mapping[str, Any]) -> list[Block]:
    if not figures["tables"]:
        return [Text("Check the channels above, correct mapping.yaml, and import with --mapping mapping.yaml.")]
    return [
        Text("Propose a rig file from the tables, and check what is worn where:"),
        Command("imu-emg rig new rig.yaml --data FOLDER\nimu-emg rig check rig.yaml --data FOLDER --picture rig.png"),
    ]
