"""``imu-emg rig``: write a rig file, check it against sensors, and show it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import rig_file, shipped_rigs

if TYPE_CHECKING:
    from imu_emg_estimator.rig import Rig
    from imu_emg_estimator.rig_files.rig_proposal import FoundParts
    from imu_emg_estimator.rig_files.sensor_mounting import Mounting, SensorTake

LISTENING_S = 5.0
FITS, DOES_NOT_FIT = 0, 1  # exit status


def add_parser(commands: Any) -> None:
    """Add the command with its actions to those of ``imu-emg``."""
    parser = options.add_command(commands, "rig", run_new, "write, check and show rig files")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = options.add_command(actions, "new", run_new, "write a rig file from recordings, from topics or by questions")
    new.add_argument("out", type=Path, metavar="FILE", help="rig YAML to write")
    _add_sources(new)
    new.add_argument("--name", help="name of the rig (default: that of the file)")
    new.add_argument("--rate", type=types.positive_number, metavar="HZ", help="rate of the grid (default: proposed)")
    new.add_argument(
        "--movements", type=types.names, metavar="A,B", help="labels of what to calibrate on and score (default: found)"
    )
    check = options.add_command(
        actions, "check", run_check, "check a rig file, and against a bag, tables or topics what is mounted where"
    )
    check.add_argument("rig", metavar="RIG", help="rig YAML, or the name of a shipped one")
    _add_sources(check)
    check.add_argument("--imu-topics", type=types.names, metavar="A,B", help="Imu topics in the order of the rig")
    _add_outputs(check)
    show = options.add_command(actions, "show", run_show, "show a rig, or without a name the shipped ones")
    show.add_argument("rig", nargs="?", metavar="RIG", help="rig YAML, a bundle, or the name of a shipped rig")
    _add_outputs(show)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_mutually_exclusive_group()
    sources.add_argument("--data", type=Path, metavar="PATH", help="folder of tables, as `imu-emg import` writes them")
    sources.add_argument("--bag", type=Path, help="rosbag2 folder, .mcap or .db3")
    sources.add_argument(
        "--live", type=types.positive_number, nargs="?", const=LISTENING_S, metavar="S",
        help=f"listen to the topics for so long (default: {LISTENING_S:g}; needs ROS 2)",
    )  # fmt: skip
    options.accept_ros_arguments(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the sensors on a body")
    options.add_json_option(parser)


def run_new(arguments: argparse.Namespace) -> int:
    """Propose a rig, and write it."""
    from dataclasses import replace

    from imu_emg_estimator.rig_files.rig_proposal import propose_rig, rig_text
    from imu_emg_estimator.utils.atomic_files import write_atomically

    out: Path = arguments.out
    if out.exists():
        raise InputError(f"{out} exists already; give another name, or remove it")
    parts = _found_parts(arguments)
    if arguments.movements:
        parts = replace(parts, labels=arguments.movements)
    rig, remarks = propose_rig(parts, arguments.name or out.stem)
    if arguments.rate:
        rig = replace(rig, rate=arguments.rate)
    write_atomically(out, rig_text(rig).encode())
    print(_table(rig))
    _print_remarks(remarks)
    print(f"wrote {out}: look it through, then check it with `imu-emg rig check {out}`")
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Check a rig file, and what its sensors do; return 1 if something does not fit."""
    from imu_emg_estimator.rig_files.sensor_mounting import mounting_of, remarks_on, remarks_on_file

    rig = load_rig(arguments.rig)
    remarks = remarks_on_file(rig)
    taken = _takes(arguments, rig)
    takes, others = taken or ([], [])
    mountings = [mounting_of(sensor, take) for sensor, take in zip(rig.sensors, takes, strict=False)]
    remarks += remarks_on(rig, mountings)
    if others:
        remarks.append(f"Imu topics of no sensor of the rig: {', '.join(others)}")
    print(_mountings_table(mountings) if taken else _table(rig))
    _print_remarks(remarks)
    _write(arguments, rig, mountings, remarks)
    fits = taken is None or (not remarks and all(own.verdict == "good" for own in mountings))
    return FITS if fits else DOES_NOT_FIT


def run_show(arguments: argparse.Namespace) -> int:
    """Print a rig, or the names of those that are shipped."""
    from imu_emg_estimator.rig import Rig

    if arguments.rig is None:
        for name in shipped_rigs():
            rig = Rig.from_yaml(rig_file(name))
            print(f"{name}: {', '.join(rig.sensor_names)} for {', '.join(rig.muscle_names)}")
        return 0
    rig = load_rig(arguments.rig)
    print(_table(rig))
    _write(arguments, rig, [], [])
    return 0


def load_rig(name: str) -> Rig:
    """Load a rig file, the rig of a bundle, or a shipped rig by its name; raises InputError."""
    from imu_emg_estimator.rig import Rig

    path = Path(name)
    if path.suffix == ".safetensors":
        from imu_emg_estimator.model.bundle import Bundle

        return Bundle.load(path).rig
    if path.exists() or path.suffix:
        return Rig.from_yaml(path)
    if name not in shipped_rigs():
        raise InputError(f"there is no rig file {name}, and no shipped rig of that name: {', '.join(shipped_rigs())}")
    return Rig.from_yaml(rig_file(name))


def _found_parts(arguments: argparse.Namespace) -> FoundParts:
    from imu_emg_estimator.rig_files import rig_sources

    if arguments.data:
        return rig_sources.parts_of_tables(arguments.data)
    if arguments.bag:
        return rig_sources.parts_of_bag(arguments.bag)
    if arguments.live:
        with options.ros_required("--live"):
            from imu_emg_estimator.ros.rig_topics import parts_of_topics
        return parts_of_topics(arguments.live, arguments.ros_arguments)
    if not sys.stdin.isatty():
        raise InputError("no source was given; add --data, --bag or --live, or answer questions on a terminal")
    from imu_emg_estimator.guide.console import Console
    from imu_emg_estimator.guide.rig_questions import ask_for_parts

    return ask_for_parts(Console())


def _takes(arguments: argparse.Namespace, rig: Rig) -> tuple[list[SensorTake | None], list[str]] | None:
    """Return samples of each sensor, and Imu topics of none; None = there is no source."""
    from imu_emg_estimator.rig_files.sensor_takes import takes_of_bag, takes_of_tables

    if arguments.data:
        return takes_of_tables(arguments.data, rig), []
    if arguments.bag:
        return takes_of_bag(arguments.bag, rig, arguments.imu_topics)
    if arguments.live:
        with options.ros_required("--live"):
            from imu_emg_estimator.ros.rig_topics import takes_of_topics
        return takes_of_topics(rig, arguments.live, arguments.imu_topics, arguments.ros_arguments)
    return None


def _write(arguments: argparse.Namespace, rig: Rig, mountings: Sequence[Mounting], remarks: Sequence[str]) -> None:
    options.write_json(arguments.json, {"rig": rig.to_dict(), "sensors": list(mountings), "remarks": list(remarks)})
    if arguments.picture:
        from imu_emg_estimator.rig_files.body_picture import draw_rig

        draw_rig(arguments.picture, rig, mountings)
        print(f"wrote {arguments.picture}")


def _print_remarks(remarks: Sequence[str]) -> None:
    for remark in remarks:
        print(f"look: {remark}")


def _table(rig: Rig) -> str:
    lines = [f"rig {rig.name}, {rig.rate:g} Hz{'' if rig.gyroscopes else ', without gyroscopes'}", ""]
    lines += ["| sensor | segment | side |", "| --- | --- | --- |"]
    lines += [f"| {own.name} | {own.segment} | {own.side} |" for own in rig.sensors]
    lines += ["", "| muscle | of | side |", "| --- | --- | --- |"]
    lines += [f"| {own.name} | {own.muscle} | {own.side} |" for own in rig.muscles]
    return "\n".join([*lines, "", f"calibrated on and scored: {', '.join(rig.movement_names)}"])


def _mountings_table(mountings: Sequence[Mounting]) -> str:
    lines = ["| sensor | from | rate | up | turns about | moves | verdict |"]
    lines += ["| --- | --- | ---: | --- | --- | ---: | --- |"]
    for own in mountings:
        figures = f"{own.rate:.0f} Hz | {own.up_in_words} | {own.turns_about or '-'} | {own.movement:.1f} m/s²"
        lines.append(f"| {own.sensor.name} | {own.source or 'nothing'} | {figures} | {own.verdict} |")
    return "\n".join(lines)
