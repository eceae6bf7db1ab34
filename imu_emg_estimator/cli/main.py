"""``imu-emg``: train, evaluate, calibrate, and work with bags from the command line.

Each command imports its heavy libraries when it runs, so that ``--help`` answers at once.
Exit status 2 and one line on standard error mean bad input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from imu_emg_estimator import __version__
from imu_emg_estimator.cli import (
    bag,
    calibrate,
    calibrations,
    call,
    compress,
    doctor,
    evaluate,
    export,
    import_recordings,
    inspect,
    lsl,
    record,
    replay,
    report,
    rig_commands,
    simulate,
    train,
    view,
    watch,
)
from imu_emg_estimator.cli.shared_options import run_command, split_ros_arguments

COMMANDS = (
    import_recordings, rig_commands, train, compress, evaluate, calibrate, calibrations, report, bag, simulate, replay,
    record, lsl, watch, view, call, export, inspect, doctor,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    own, ros_arguments = split_ros_arguments(words)
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may follow
        _complete(parser)
    arguments = parser.parse_args(own, argparse.Namespace(words=words))
    if ros_arguments:
        if not hasattr(arguments, "ros_arguments"):
            parser.error(f"unrecognized arguments: {' '.join(ros_arguments)}")
        arguments.ros_arguments = ros_arguments
    return run_command(f"imu-emg {arguments.command}", arguments)


def _complete(parser: argparse.ArgumentParser) -> None:
    with suppress(ImportError):
        from argcomplete import autocomplete

        autocomplete(parser)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands, without ROS, torch or any file; the documentation is generated from it."""
    parser = argparse.ArgumentParser(
        prog="imu-emg",
        description="Estimate muscle activation from body-worn IMUs: train, evaluate, calibrate, and work with bags.",
    )
    parser.add_argument("--version", action="version", version=f"imu-emg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
