"""``imu-emg calibrations``: list, show, use, remove and compare stored calibrations.

A running node is not touched: it takes what is chosen here at its next start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import stored_calibrations as shared
from imu_emg_estimator.cli.calibration_comparison import add_compare
from imu_emg_estimator.cli.shared_options import load_bundle
from imu_emg_estimator.cli.stored_calibrations import BASE_MODEL, UNKNOWN, aligned, change, mean_change
from imu_emg_estimator.errors import InputError

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibration_store import Stored
    from imu_emg_estimator.calibration.subject_folder import Model

FIGURE_NAMES = {
    "running": "better than model",
    "judged_seconds": "judged on [s]",
    "way": "what was adapted",
    "delay": "delay of the EMG",
}
WAYS = {"whole": "the whole network", "heads": "the output of each muscle", "scaled": "the amplitude of each muscle"}


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    purpose = "list, show, use, compare or remove stored calibrations"
    parser = commands.add_parser("calibrations", help=purpose, description=f"{purpose.capitalize()}.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = shared.add_action(actions, "list", _list, "list what is stored, and what is in use")
    shared.add_subject_option(listing, "only this subject's")
    shared.add_id_argument(shared.add_action(actions, "show", _show, "show all that is known about one calibration"))
    _add_use(actions)
    _add_remove(actions)
    add_compare(actions)


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    stored, remarks = shared.list_stored(arguments.directory, arguments.subject)
    if not stored:
        whose = f" of subject '{arguments.subject}'" if arguments.subject else ""
        print(f"{arguments.directory} holds no calibration{whose}")
    else:
        print(_format(stored))
        if not all(entry.in_use for entry in stored):
            print("\n* in use from the next start of the node on, with the model that it was made from")
    shared.print_remarks(remarks)
    return {
        "directory": str(arguments.directory),
        "calibrations": [shared.to_dict(e) for e in stored],
        "remarks": remarks,
    }


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
    entry = shared.find_stored(arguments.directory, shared.id_of(arguments), arguments.subject)
    print(aligned([(f"{name}:", value) for name, value in _facts(entry).items()]))
    if muscles := entry.calibration.figures.get("muscles"):
        rows = [("muscle", "r", "R²", "nRMSE")]
        rows += [(name, *_changes(judged)) for name, judged in muscles.items()]
        print(f"\nbefore → after, on data not used to adapt:\n{aligned(rows)}")
    return shared.to_dict(entry)


def _facts(entry: Stored) -> dict[str, str]:
    """Name all that is known about a calibration, its single figures included."""
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
            FIGURE_NAMES.get(name, name.replace("_", " ")): WAYS.get(str(value), _text(value))
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


def _add_use(actions: Any) -> None:
    """Add the action that chooses a calibration."""
    parser = shared.add_action(actions, "use", _use, "choose the calibration that the next start takes")
    parser.add_argument("id", nargs="?", metavar="ID", help="calibration to use")
    parser.add_argument("--none", action="store_true", help="use the base model instead; needs --subject")
    parser.add_argument("--previous", action="store_true", help="go back to what was in use before; needs --subject")
    shared.add_subject_option(parser)
    shared.add_model_option(parser, "base model that the node runs with")


def _use(arguments: argparse.Namespace) -> dict[str, Any]:
    if (arguments.id is not None) + arguments.none + arguments.previous != 1:
        raise InputError("an id, --none or --previous says what to use; give exactly one of them")
    if arguments.id is None and arguments.subject is None:
        raise InputError("no --subject was given; name the subject")
    base = _model(arguments)
    subject, used, remarks = _choose(arguments, base)
    what = f"calibration {used}" if used else f"the {BASE_MODEL}"
    print(f"subject '{subject}' uses {what} with model {base.model_id} from the next start of the node on")
    shared.print_remarks(remarks)
    return {"subject": subject, "model_id": base.model_id, "calibration_id": used, "remarks": remarks}


def _model(arguments: argparse.Namespace) -> Model:
    """Return the base model of ``--bundle``; else that of the calibration, or of the subject."""
    from imu_emg_estimator.calibration import calibration_store as store

    if arguments.bundle is not None:
        return load_bundle(arguments)
    if arguments.id is not None:
        subject, _ = store.find_calibration(arguments.directory, arguments.id, arguments.subject)
        return store.model_of(arguments.directory, subject, arguments.id)
    models = store.models_of(arguments.directory, arguments.subject)
    if len(models) == 1:
        return models[0]
    shipped, ids = load_bundle(arguments), [model.model_id for model in models]
    if models and shipped.model_id not in ids:
        raise InputError(
            f"subject '{arguments.subject}' has calibrations of {len(ids)} models ({', '.join(ids)}); "
            "name the one that is meant with --bundle"
        )
    return shipped


def _choose(arguments: argparse.Namespace, base: Model) -> tuple[str, str | None, list[str]]:
    """Change what is in use.

    Returns:
        The subject, the calibration that is in use now (None = the base model), and remarks.
    """
    from imu_emg_estimator.calibration import calibration_store as store

    directory, subject = arguments.directory, arguments.subject
    if arguments.id is not None:
        subject, _ = store.find_calibration(directory, arguments.id, subject)
        return subject, store.use_calibration(directory, subject, arguments.id, base).calibration_id, []
    if arguments.previous:
        previous, remarks = store.undo_choice(directory, subject, base)
        return subject, previous.calibration_id if previous else None, remarks
    if not (directory / store.check_subject(subject)).is_dir():
        raise InputError(f"{directory} holds nothing of subject '{subject}'; the base model is used as it is")
    store.reset_calibration(directory, subject, base)
    return subject, None, []


def _add_remove(actions: Any) -> None:
    """Add the action that deletes a calibration."""
    parser = shared.add_action(actions, "remove", _remove, "delete one calibration permanently")
    shared.add_id_argument(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _remove(arguments: argparse.Namespace) -> dict[str, Any]:
    from imu_emg_estimator.calibration.calibration_store import find_calibration, remove_calibration, used_after_removal

    calibration_id = shared.id_of(arguments)
    subject, path = find_calibration(arguments.directory, calibration_id, arguments.subject)
    next_used = used_after_removal(arguments.directory, subject, calibration_id)
    consequence = "; ".join(
        f"it is in use with model {model}, where {used or f'the {BASE_MODEL}'} will be used next"
        for model, used in next_used.items()
    )
    question = f"remove calibration {calibration_id} of subject '{subject}' ({path})"
    if not arguments.yes:
        _ask(f"{question}? {consequence or 'it is not in use'}")
    remove_calibration(arguments.directory, subject, calibration_id)
    print(f"removed calibration {calibration_id} of subject '{subject}'; {_describe_next(next_used)}")
    return {
        "removed": calibration_id,
        "subject": subject,
        "used_next": {model: used or None for model, used in next_used.items()},
    }


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"{question}; there is no terminal to ask at; confirm with --yes")
    try:
        answer = input(f"{question}. [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise InputError("nothing was removed; answer y, or confirm with --yes")


def _describe_next(next_used: Mapping[str, str]) -> str:
    if not next_used:
        return "it was not in use"
    return "; ".join(
        f"{used or f'the {BASE_MODEL}'} is used with model {model} now" for model, used in next_used.items()
    )
