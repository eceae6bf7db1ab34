"""``imu-emg calibrations use`` and ``remove``: choose what the node's next start takes, and delete calibrations."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli.shared_options import add_bundle_option
from imu_emg_estimator.cli.stored_calibrations import (
    BASE_MODEL,
    add_action,
    add_id_argument,
    add_subject_option,
    print_remarks,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.model.bundle import Bundle


def add_use(actions: Any) -> None:
    """Add the action that chooses a calibration."""
    parser = add_action(actions, "use", _use, "choose the calibration that the next start takes")
    parser.add_argument("id", nargs="?", metavar="ID", help="calibration to use")
    parser.add_argument("--none", action="store_true", help="use the base model instead; needs --subject")
    parser.add_argument("--previous", action="store_true", help="go back to what was in use before; needs --subject")
    add_subject_option(parser)
    add_bundle_option(parser, "base model that the node runs with")


def _use(arguments: argparse.Namespace) -> dict[str, Any]:
    from imu_emg_estimator.model.bundle import Bundle

    if (arguments.id is not None) + arguments.none + arguments.previous != 1:
        raise InputError("an id, --none or --previous says what to use; give exactly one of them")
    if arguments.id is None and arguments.subject is None:
        raise InputError("no --subject was given; name the subject")
    base = Bundle.load(arguments.bundle or shipped_bundle())
    subject, used, remarks = _choose(arguments, base)
    what = f"calibration {used}" if used else f"the {BASE_MODEL}"
    print(f"subject '{subject}' uses {what} with model {base.model_id} from the next start of the node on")
    print_remarks(remarks)
    return {"subject": subject, "model_id": base.model_id, "calibration_id": used, "remarks": remarks}


def _choose(arguments: argparse.Namespace, base: Bundle) -> tuple[str, str | None, list[str]]:
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


def add_remove(actions: Any) -> None:
    """Add the action that deletes a calibration."""
    parser = add_action(actions, "remove", _remove, "delete one calibration permanently")
    add_id_argument(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _remove(arguments: argparse.Namespace) -> dict[str, Any]:
    from imu_emg_estimator.calibration.calibration_store import find_calibration, remove_calibration, used_after_removal

    subject, path = find_calibration(arguments.directory, arguments.id, arguments.subject)
    next_used = used_after_removal(arguments.directory, subject, arguments.id)
    consequence = "; ".join(
        f"it is in use with model {model}, where {used or f'the {BASE_MODEL}'} will be used next"
        for model, used in next_used.items()
    )
    question = f"remove calibration {arguments.id} of subject '{subject}' ({path})"
    if not arguments.yes:
        _ask(f"{question}? {consequence or 'it is not in use'}")
    remove_calibration(arguments.directory, subject, arguments.id)
    print(f"removed calibration {arguments.id} of subject '{subject}'; {_describe_next(next_used)}")
    return {
        "removed": arguments.id,
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
