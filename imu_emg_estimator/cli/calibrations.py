"""``imu-emg calibrations``: see, choose, compare and remove the calibrations of subjects.

A running node is not touched: it takes at its next start what is chosen here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.calibration.calibration_store import Stored
    from imu_emg_estimator.model.bundle import Bundle, Calibration
    from imu_emg_estimator.recording import Recording

FIGURES = ("r", "r2", "nrmse")
BASE = "base model"


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = commands.add_parser("calibrations", help="list, show, use, compare or remove stored calibrations")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for add in (_add_list, _add_show, _add_use, _add_remove, _add_compare):
        add(actions)


def _add_list(actions: Any) -> None:
    parser = _action(actions, "list", _list, "what is stored, and what is in use")
    _subject_option(parser, "only this subject's")


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    stored, remarks = _stored(arguments.directory, arguments.subject)
    if not stored:
        whose = f" of subject '{arguments.subject}'" if arguments.subject else ""
        print(f"{arguments.directory} holds no calibration{whose}")
    else:
        print(_table(stored))
        if not all(entry.in_use for entry in stored):
            print("\n* in use from the next start of the node on, with the model that it was made from")
    _print_remarks(remarks)
    return {"directory": str(arguments.directory), "calibrations": [_plain(e) for e in stored], "remarks": remarks}


def _table(stored: Sequence[Stored]) -> str:
    rows = [("", "calibration", "subject", "made", "r", "R²", "adapted on", "bag", "model")]
    for entry in stored:
        calibration = entry.calibration
        rows.append(
            (
                "*" if entry.in_use else "",
                calibration.id,
                calibration.subject,
                calibration.created,
                _change(calibration, "r"),
                _change(calibration, "r2"),
                f"{calibration.seconds:.0f} s",
                calibration.bag,
                f"{entry.parent_id} (rig {entry.rig})",
            )
        )
    return _aligned(rows)


def _add_show(actions: Any) -> None:
    parser = _action(actions, "show", _show, "all that is known of one calibration")
    _id_argument(parser)


def _show(arguments: argparse.Namespace) -> dict[str, Any]:
    entry = _find(arguments.directory, arguments.id, arguments.subject)
    calibration = entry.calibration
    facts = {
        "calibration": calibration.id,
        "subject": calibration.subject,
        "in use": "yes" if entry.in_use else "no",
        "made": calibration.created,
        "made from model": f"{entry.parent_id} (rig {entry.rig})",
        "adapted model": entry.model_id,
        "bag": calibration.bag,
        "SHA-256 of the bag": calibration.bag_hash or "not known",
        "adapted on": f"{calibration.seconds:.1f} s",
        "method": calibration.method,
        "settings": ", ".join(f"{name} {_text(value)}" for name, value in calibration.settings.items()) or "not known",
        "software": f"imu_emg_estimator {calibration.software}" if calibration.software else "not known",
        "file": str(entry.path),
    }
    facts |= {name.replace("_", " "): _text(value) for name, value in calibration.figures.items() if _is_single(value)}
    print(_aligned([(f"{name}:", value) for name, value in facts.items()]))
    if muscles := calibration.figures.get("muscles"):
        rows = [("muscle", "r", "R²", "nRMSE")]
        rows += [(name, *(_arrow(judged, figure) for figure in FIGURES)) for name, judged in muscles.items()]
        print(f"\nbefore → after, on data that was not adapted on:\n{_aligned(rows)}")
    return _plain(entry)


def _add_use(actions: Any) -> None:
    parser = _action(actions, "use", _use, "choose what the next start takes")
    parser.add_argument("id", nargs="?", metavar="ID", help="calibration to use")
    parser.add_argument("--none", action="store_true", help="use the base model instead; needs --subject")
    parser.add_argument("--previous", action="store_true", help="go back to what was in use before; needs --subject")
    _subject_option(parser, "whose; needed where the id does not tell")
    parser.add_argument("--bundle", type=Path, help="base model that the node runs with (default: the shipped one)")


def _use(arguments: argparse.Namespace) -> dict[str, Any]:
    from imu_emg_estimator.calibration.calibration_store import (
        find_calibration,
        reset_calibration,
        undo_choice,
        use_calibration,
    )
    from imu_emg_estimator.model.bundle import Bundle

    if (arguments.id is not None) + arguments.none + arguments.previous != 1:
        raise InputError("one of an id, --none and --previous says what to use; give exactly one of them")
    if arguments.id is None and arguments.subject is None:
        raise InputError("no --subject was given; name the subject")
    directory, subject = arguments.directory, arguments.subject
    base = Bundle.load(arguments.bundle or shipped_bundle())
    remarks: list[str] = []
    if arguments.id is not None:
        subject, _ = find_calibration(directory, arguments.id, subject)
        chosen: Bundle | None = use_calibration(directory, subject, arguments.id, base)
    elif arguments.none:
        chosen = None
        if not _has_folder(directory, subject):
            raise InputError(f"{directory} holds nothing of subject '{subject}'; the base model is used as it is")
        reset_calibration(directory, subject, base)
    else:
        chosen, remarks = undo_choice(directory, subject, base)
    used = chosen.calibration_id if chosen else ""
    print(
        f"subject '{subject}' uses {f'calibration {used}' if used else f'the {BASE}'} with model {base.model_id} from "
        "the next start of the node on"
    )
    _print_remarks(remarks)
    return {"subject": subject, "model_id": base.model_id, "calibration_id": used or None, "remarks": remarks}


def _add_remove(actions: Any) -> None:
    parser = _action(actions, "remove", _remove, "delete one calibration for good")
    _id_argument(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _remove(arguments: argparse.Namespace) -> dict[str, Any]:
    from imu_emg_estimator.calibration.calibration_store import find_calibration, remove_calibration, used_after_removal

    subject, path = find_calibration(arguments.directory, arguments.id, arguments.subject)
    then = used_after_removal(arguments.directory, subject, arguments.id)
    consequence = "; ".join(
        f"it is in use with model {model}, where {used or f'the {BASE}'} will be used next"
        for model, used in then.items()
    )
    question = f"remove calibration {arguments.id} of subject '{subject}' ({path})"
    if not arguments.yes:
        _ask(f"{question}? {consequence or 'it is not in use'}")
    remove_calibration(arguments.directory, subject, arguments.id)
    print(f"removed calibration {arguments.id} of subject '{subject}'; {_now(then)}")
    return {
        "removed": arguments.id,
        "subject": subject,
        "used_next": {model: used or None for model, used in then.items()},
    }


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"{question}; nobody is there to be asked, say --yes to do it")
    try:
        answer = input(f"{question}. [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise InputError("nothing was removed; answer y, or say --yes")


def _now(then: Mapping[str, str]) -> str:
    if not then:
        return "it was not in use"
    return "; ".join(f"{used or f'the {BASE}'} is used with model {model} now" for model, used in then.items())


def _add_compare(actions: Any) -> None:
    parser = _action(actions, "compare", _compare, "set calibrations side by side, on one bag if you have one")
    parser.add_argument("id", nargs="+", metavar="ID", help="calibrations to compare")
    _subject_option(parser, "whose; needed where the ids do not tell")
    parser.add_argument("--bag", type=Path, help="judge all of them, and their base model, on this bag")
    parser.add_argument("--bundle", type=Path, help="base model of the comparison on a bag (default: the shipped one)")
    parser.add_argument("--imu-topics", type=_names, metavar="A,B", help="Imu topics in the order of the rig")
    parser.add_argument("--emg-topic", help="topic of the EMG")
    parser.add_argument(
        "--sensor-rotations", type=_numbers, default=[0.0, 0.0, 0.0, 1.0], metavar="X,Y,Z,W",
        help="quaternions from each IMU's axes to the rig's: one for every sensor, or one for all",
    )  # fmt: skip


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    entries = [_find(arguments.directory, name, arguments.subject) for name in dict.fromkeys(arguments.id)]
    result: dict[str, Any] = {"calibrations": [_plain(entry) for entry in entries]}
    if arguments.bag:
        result["on_bag"] = _on_one_bag(arguments, entries)
        return result
    facts: list[tuple[str, Callable[[Stored], str]]] = [
        ("in use", lambda entry: "yes" if entry.in_use else "no"),
        ("subject", lambda entry: entry.calibration.subject),
        ("made", lambda entry: entry.calibration.created),
        ("made from model", lambda entry: entry.parent_id),
        ("bag", lambda entry: entry.calibration.bag),
        ("SHA-256 of the bag", lambda entry: entry.calibration.bag_hash[:12] or "not known"),
        ("adapted on", lambda entry: f"{entry.calibration.seconds:.1f} s"),
        ("r", lambda entry: _change(entry.calibration, "r")),
        ("R²", lambda entry: _change(entry.calibration, "r2")),
        ("nRMSE", lambda entry: _change(entry.calibration, "nrmse")),
        ("method", lambda entry: entry.calibration.method),
        *((name, _setting(name)) for name in _differing_settings(entries)),
        ("software", lambda entry: entry.calibration.software or "not known"),
    ]
    rows = [("", *(entry.calibration.id for entry in entries))]
    rows += [(name, *(value(entry) for entry in entries)) for name, value in facts]
    print(_aligned(rows))
    print(
        "\nEach was judged on its own bag: --bag BAG judges all of them on one, which should be a bag of another day."
    )
    return result


def _setting(name: str) -> Callable[[Stored], str]:
    return lambda entry: str(entry.calibration.settings.get(name, "not known"))


def _differing_settings(entries: Sequence[Stored]) -> list[str]:
    settings = [entry.calibration.settings for entry in entries]
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [name for name in names if name != "method" and len({repr(setting.get(name)) for setting in settings}) > 1]


def _on_one_bag(arguments: argparse.Namespace, entries: Sequence[Stored]) -> dict[str, Any]:
    """Judge the base model and the calibrations on a whole bag; figures by model and muscle."""
    from imu_emg_estimator.bags import open_bag
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.utils.atomic_files import hash_of

    base = Bundle.load(arguments.bundle or shipped_bundle())
    for entry in entries:
        if entry.parent_id != base.model_id:
            raise InputError(
                f"calibration {entry.calibration.id} was made from model {entry.parent_id}, not from {base.model_id}; "
                "compare calibrations of one model, and give it with --bundle"
            )
    with open_bag(arguments.bag):
        pass  # a wrong path is answered before torch is there, which takes seconds
    recording = _recording(arguments, base)

    from imu_emg_estimator.calibration.calibration import judge

    bag_hash = hash_of(arguments.bag, ProgressBar("hash of the bag [MiB]", patience=1.0))
    rows: list[tuple[str, ...]] = [("", "muscle", "r", "R²", "nRMSE")]
    result: dict[str, Any] = {"bag": str(arguments.bag), "bag_hash": bag_hash, "figures": {}, "seen": []}
    for name, path in [(BASE, None), *((entry.calibration.id, entry.path) for entry in entries)]:
        scores = judge(Bundle.load(path) if path else base, recording)
        result["figures"][name] = scores
        for muscle, judged in scores.items():
            rows.append((name, muscle, *(_number(getattr(judged, figure)) for figure in FIGURES)))
    print(f"on all {recording.duration:.0f} s of {arguments.bag}:\n{_aligned(rows)}")
    result["seen"] = [entry.calibration.id for entry in entries if bag_hash in entry.calibration.bag_hash.split(", ")]
    for name in result["seen"]:
        print(f"{name} was adapted on a part of this very bag: its figures flatter it")
    return result


def _recording(arguments: argparse.Namespace, base: Bundle) -> Recording:
    """The bag as a calibration reads it."""
    from imu_emg_estimator.bags import TopicMapping
    from imu_emg_estimator.calibration.calibration_bags import BagReading, open_bags

    mapping = TopicMapping(imu_topics=arguments.imu_topics, emg_topic=arguments.emg_topic)
    (bag,) = open_bags(base, [arguments.bag], "", BagReading(mapping, rotations=arguments.sensor_rotations))
    for note in bag.notes:
        print(f"{bag.recording.name}: {note}", file=sys.stderr)
    return bag.recording


# what the actions share


def _action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], dict[str, Any]], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    directory = calibration_directory()
    parser.add_argument(
        "--directory", type=Path, default=directory, metavar="DIR", help=f"where they are stored (default: {directory})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, too")

    def run_and_write(arguments: argparse.Namespace) -> int:
        result = run(arguments)
        if arguments.json:
            from imu_emg_estimator.utils.atomic_files import write_atomically
            from imu_emg_estimator.utils.json_values import to_json

            write_atomically(arguments.json, to_json(result))
        return 0

    parser.set_defaults(run=run_and_write)
    return parser


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="calibration, as `list` shows it")
    _subject_option(parser, "whose; needed where the id does not tell")


def _subject_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--subject", metavar="NAME", help=text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers such as 0,0,0,1") from None


def _stored(directory: Path, subject: str | None) -> tuple[list[Stored], list[str]]:
    from imu_emg_estimator.calibration.calibration_store import list_calibrations

    return list_calibrations(directory, subject, ProgressBar("reading", patience=1.0))


def _has_folder(directory: Path, subject: str) -> bool:
    from imu_emg_estimator.calibration.calibration_store import check_subject

    return (directory / check_subject(subject)).is_dir()


def _find(directory: Path, calibration_id: str, subject: str | None) -> Stored:
    """One sound calibration; raises InputError that says what is wrong with it."""
    from imu_emg_estimator.calibration.calibration_store import find_calibration

    subject, path = find_calibration(directory, calibration_id, subject)
    stored, remarks = _stored(directory, subject)
    for entry in stored:
        if entry.calibration.id == calibration_id:
            return entry
    raise InputError(next((remark for remark in remarks if str(path) in remark), f"{path} cannot be read"))


def _plain(entry: Stored) -> dict[str, Any]:
    from dataclasses import asdict

    content = asdict(entry)
    calibration: dict[str, Any] = content.pop("calibration")
    return calibration | content | {"path": str(entry.path)}


def _print_remarks(remarks: Sequence[str]) -> None:
    for remark in remarks:
        print(remark, file=sys.stderr)


def _change(calibration: Calibration, figure: str) -> str:
    """Mean over muscles, before and after."""
    return f"{_number(calibration.mean(figure, 'before'))} → {_number(calibration.mean(figure, 'after'))}"


def _arrow(judged: Mapping[str, Mapping[str, float | None]], figure: str) -> str:
    return " → ".join(_number(judged.get(when, {}).get(figure)) for when in ("before", "after"))


def _is_single(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "n/a" if value is None else str(value)


def _number(value: float | None) -> str:
    return "n/a" if value is None or value != value else f"{value:.2f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width; what a terminal would obey instead of showing it is masked."""
    shown = [["".join(sign if sign.isprintable() else "?" for sign in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)
