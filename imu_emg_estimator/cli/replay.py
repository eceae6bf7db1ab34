"""``imu-emg replay``: publish a bag's topics, where ``ros2 bag play`` is missing."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli.shared_options import accept_ros_arguments, add_command, ros_required


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(
        commands, "replay", run, "publish a bag's Imu and Emg topics (where `ros2 bag play` is missing)"
    )
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap or .db3 file")
    parser.add_argument("--rate", type=float, default=1.0, metavar="R", help="speed; 1 = as recorded (default: 1)")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until Ctrl-C")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="skip this many seconds (default: 0)")
    parser.add_argument("--end", type=float, metavar="S", help="stop this many seconds after the bag's beginning")
    parser.add_argument("--prefix", default="", help="prefix of every topic, for instance /subject1")
    parser.add_argument("--restamp", action="store_true", help="shift the timestamps so that the first one is now")
    parser.add_argument("--clock", action="store_true", help="publish /clock, for nodes with use_sim_time")
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S", help="wait at most this long for subscribers (default: 0)"
    )
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="put the faults of this YAML or JSON file into the Imu messages"
    )
    accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Play the bag."""
    with ros_required("replay"):
        from imu_emg_estimator.ros.bag_player import ReplaySettings, play
    given = {field.name: getattr(arguments, field.name) for field in fields(ReplaySettings) if field.name in arguments}
    settings = ReplaySettings(**given)
    play(arguments.bag, settings, arguments.ros_arguments)
    return 0
