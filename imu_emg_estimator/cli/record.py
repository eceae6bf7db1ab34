"""``imu-emg record``: record topics to a bag, where ``ros2 bag record`` is missing."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError

DISCOVERY_TIMEOUT_S = 3.0


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "record", run, "record Imu and EMG topics to a bag (where `ros2 bag record` is missing)"
    )
    parser.add_argument(
        "--topics", type=types.names, metavar="A,B", help="topics to record (default: all Imu and EMG topics)"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="duration (default: until Ctrl-C)")
    parser.add_argument("--out", type=Path, required=True, metavar="BAG", help="folder to create")
    parser.add_argument(
        "--wait", type=float, default=DISCOVERY_TIMEOUT_S, metavar="S",
        help=f"how long to look for topics (default: {DISCOVERY_TIMEOUT_S:g})",
    )  # fmt: skip
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Record until the time is over or Ctrl-C ends it; what was recorded is kept."""
    duration = math.inf if arguments.seconds is None else arguments.seconds
    if not duration > 0:
        raise InputError(f"--seconds {duration:g} is not a positive number of seconds; correct it")
    with options.ros_required("record"):
        from imu_emg_estimator.ros.bag_recorder import record_on_screen
    recorded = record_on_screen(arguments.topics, arguments.out, duration, arguments.wait, arguments.ros_arguments)
    print(f"wrote {recorded.path}: {recorded.seconds:.1f} s, {sum(recorded.counts.values())} messages")
    if lost := sum(recorded.lost.values()):
        print(f"{lost} messages were lost: this computer or the network is busy", file=sys.stderr)
    options.write_json(arguments.json, recorded.to_dict())
    return 0
