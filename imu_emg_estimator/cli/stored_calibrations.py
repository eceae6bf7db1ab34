"""What the actions of ``imu-emg calibrations`` share: their options, the calibrations they find, tables of figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli.shared_options import QUIET_S, add_command, add_json_option, write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import calibration_directory

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibration_store import Stored
    from imu_emg_estimator.model.calibration_record import Calibration

BASE_MODEL = "base model"
UNKNOWN = "not known"


def add_action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], dict[str, Any]], purpose: str
) -> argparse.ArgumentParser:
    """Add an action whose result is also written as JSON."""

    def run_and_write(arguments: argparse.Namespace) -> int:
        write_json(arguments.json, run(arguments))
        return 0

    parser = add_command(actions, name, run_and_write, purpose)
    add_directory_option(parser)
    add_json_option(parser)
    return parser


def add_directory_option(parser: argparse.ArgumentParser) -> None:
    """Declare where calibrations are."""
    directory = calibration_directory()
    parser.add_argument(
        "--directory", type=Path, default=directory, metavar="DIR", help=f"where they are stored (default: {directory})"
    )


def add_id_argument(parser: argparse.ArgumentParser) -> None:
    """Declare one calibration."""
    parser.add_argument("id", nargs="?", metavar="ID", help="calibration, as `list` shows it (default: the only one)")
    add_subject_option(parser, "subject, where there is no id, or several have this id")


def id_of(arguments: argparse.Namespace) -> str:
    """Return the id that was given, else that of the only calibration there is, of a subject if one was given."""
    if arguments.id is not None:
        return str(arguments.id)
    stored, remarks = list_stored(arguments.directory, arguments.subject)
    print_remarks(remarks)
    ids = [entry.calibration.id for entry in stored]
    if len(ids) == 1 and not remarks:
        return ids[0]
    whose = f" of subject '{arguments.subject}'" if arguments.subject else ""
    found = ", ".join(ids) or "none that can be read"
    raise InputError(f"which calibration{whose}? Give an id, or a subject who has one alone; there is {found}")


def add_subject_option(parser: argparse.ArgumentParser, purpose: str = "subject, where several have this id") -> None:
    """Declare whose calibrations are meant."""
    parser.add_argument("--subject", metavar="NAME", help=purpose)


def add_model_option(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Declare the base model, where the calibrations leave a choice."""
    parser.add_argument("--bundle", type=Path, metavar="FILE", help=f"{purpose} (default: that of the calibrations)")


def list_stored(directory: Path, subject: str | None) -> tuple[list[Stored], list[str]]:
    """List the calibrations of a subject (None = of all), and remarks on files that cannot be read."""
    from imu_emg_estimator.calibration.calibration_store import list_calibrations

    return list_calibrations(directory, subject, ProgressBar("reading", patience=QUIET_S))


def find_stored(directory: Path, calibration_id: str, subject: str | None) -> Stored:
    """Find one calibration; raise InputError that tells what is wrong with it."""
    from imu_emg_estimator.calibration.calibration_store import find_calibration

    subject, path = find_calibration(directory, calibration_id, subject)
    stored, remarks = list_stored(directory, subject)
    for entry in stored:
        if entry.calibration.id == calibration_id:
            return entry
    raise InputError(next((remark for remark in remarks if str(path) in remark), f"{path} cannot be read"))


def to_dict(entry: Stored) -> dict[str, Any]:
    """Flatten a stored calibration for JSON."""
    content = asdict(entry)
    calibration: dict[str, Any] = content.pop("calibration")
    return calibration | content | {"path": str(entry.path)}


def print_remarks(remarks: Sequence[str]) -> None:
    """Print remarks where they do not disturb the output."""
    for remark in remarks:
        print(remark, file=sys.stderr)


def mean_change(calibration: Calibration, figure: str) -> str:
    """Format the mean of a figure over the muscles, before and after."""
    return change(calibration.mean(figure, "before"), calibration.mean(figure, "after"))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of a table; characters that a terminal would obey instead of showing become ``?``."""
    shown = [["".join(sign if sign.isprintable() else "?" for sign in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)


def figure(value: float | None) -> str:
    """Format a figure of accuracy; None and NaN are not available."""
    return "n/a" if value is None or value != value else f"{value:.2f}"


def change(before: float | None, after: float | None) -> str:
    """Format a figure before and after a calibration."""
    return f"{figure(before)} → {figure(after)}"
