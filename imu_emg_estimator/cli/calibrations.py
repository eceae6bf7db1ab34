"""``imu-emg calibrations``: list, show, use, remove and compare stored calibrations.

A running node is not touched: it takes what is chosen here at its next start.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import calibration_choice, calibration_comparison
from imu_emg_estimator.cli.stored_calibrations import (
    add_action,
    add_id_argument,
    add_subject_option,
    find_stored,
    list_stored,
    mean_change,
    print_remarks,
    to_dict,
)
from imu_emg_estimator.cli.text_table import UNKNOWN, aligned, change

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibration_store import Stored


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    purpose = "list, show, use, compare or remove stored calibrations"
    parser = commands.add_parser("calibrations", help=purpose, description=f"{purpose.capitalize()}.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = add_action(actions, "list", _list, "list what is stored, and what is in use")
    add_subject_option(listing, "only this subject's")
    add_id_argument(add_action(actions, "show", _show, "show all that is known of one calibration"))
    calibration_choice.add_use(actions)
    calibration_choice.add_remove(actions)
    calibration_comparison.add_compare(actions)


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    stored, remarks = list_stored(arguments.directory, arguments.subject)
    if not stored:
        whose = f" of subject '{arguments.subject}'" if arguments.subject else ""
        print(f"{arguments.directory} holds no calibration{whose}")
    else:
        print(_format(stored))
        if not all(entry.in_use for entry in stored):
            print("\n* in use from the next start of the node on, with the model that it was made from")
    print_remarks(remarks)
    return {"directory": str(arguments.directory), "calibrations": [to_dict(e) for e in stored], "remarks": remarks}


def _format(stored: Sequence[Stored]) -> str:
    rows = [("", "calibration", "subject", "made", "r", "R²", "adapted on", "bag", "model")]
    for entry in stored:
        calibration = entry.calibration
        rows.append(
            (
                "*" if entry.in_use else "",
                calibration.id,
                calibration.subject,
                calibration.created,
                mean_change(calibration, "r"),
                mean_change(calibration, "r2"),
                f"{calibration.seconds:.0f} s",
                calibration.bag,
                f"{entry.parent_id} (rig {entry.rig})",
            )
        )
    return aligned(rows)


def _show(arguments: argparse.Namespace) -> dict[str, Any]:
    entry = find_stored(arguments.directory, arguments.id, arguments.subject)
    print(aligned([(f"{name}:", value) for name, value in _facts(entry).items()]))
    if muscles := entry.calibration.figures.get("muscles"):
        rows = [("muscle", "r", "R²", "nRMSE")]
        rows += [(name, *_changes(judged)) for name, judged in muscles.items()]
        print(f"\nbefore → after, on data not used to adapt:\n{aligned(rows)}")
    return to_dict(entry)


def _facts(entry: Stored) -> dict[str, str]:
    """Name all that is known of a calibration, its single figures included."""
    calibration = entry.calibration
    return {
        "calibration": calibration.id,
        "subject": calibration.subject,
        "in use": "yes" if entry.in_use else "no",
        "made": calibration.created,
        "made from model": f"{entry.parent_id} (rig {entry.rig})",
        "adapted model": entry.model_id,
        "bag": calibration.bag,
        "SHA-256 of the bag": calibration.bag_hash or UNKNOWN,
        "adapted on": f"{calibration.seconds:.1f} s",
        "method": calibration.method,
        "settings": ", ".join(f"{name} {_text(value)}" for name, value in calibration.settings.items()) or UNKNOWN,
        "software": f"imu_emg_estimator {calibration.software}" if calibration.software else UNKNOWN,
        "file": str(entry.path),
        **{
            name.replace("_", " "): _text(value)
            for name, value in calibration.figures.items()
            if value is None or isinstance(value, (str, int, float))
        },
    }


def _changes(judged: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Format each figure of one muscle before and after."""
    from imu_emg_estimator.signals.accuracy_metrics import FIGURES

    before, after = judged.get("before", {}), judged.get("after", {})
    return [change(before.get(figure), after.get(figure)) for figure in FIGURES]


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "n/a" if value is None else str(value)
