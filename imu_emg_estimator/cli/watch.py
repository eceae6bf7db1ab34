"""``imu-emg watch``: see estimates, status and sensors of a running node, or of a bag."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.storage_file import write_storage

if TYPE_CHECKING:
    from imu_emg_estimator.guide.watch_panel import EstimatorView

ALL_GOOD, NOT_GOOD = 0, 1  # exit status
UNLIMITED = 1 << 16  # characters of a line where there is no terminal


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "watch", run, "see estimates, status and sensors of a running node, or of a bag (without ROS)"
    )
    parser.add_argument("bag", type=Path, nargs="?", metavar="BAG", help="bag to watch instead of a node")
    parser.add_argument(
        "--seconds", type=types.positive_number, metavar="S", help="of a node: stop after so long (default: at Ctrl-C)"
    )
    parser.add_argument("--topic", metavar="TOPIC", help="of a node: topic of its estimates (default: the first found)")
    parser.add_argument(
        "--wait", type=types.nonnegative_number, default=5.0, metavar="S",
        help="of a node: wait at most this long for its estimates (default: 5)",
    )  # fmt: skip
    options.add_bundle_option(parser, "of a bag: bundle that estimates")
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="of a bag: Imu topics, as in the rig")
    parser.add_argument(
        "--rate", type=types.nonnegative_number, metavar="R",
        help="of a bag: speed; 1 = as recorded, 0 = as fast as can be (default: 1 on a terminal, else 0)",
    )  # fmt: skip
    parser.add_argument(
        "--sto", type=Path, metavar="FILE.sto",
        help="of a bag: also write the estimates that can be trusted, for OpenSim and CEINMS",
    )  # fmt: skip
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Watch until the end; exit status 1 where an estimate was not OK."""
    from imu_emg_estimator.guide.console import Console

    panel, terminal = Console(unattended=True).panel(), sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else UNLIMITED

    def show(view: EstimatorView) -> None:
        panel.show(view.lines(width))

    last = (_watch_bag if arguments.bag else _watch_node)(arguments, show, terminal)
    panel.show(last.lines(width), last=True)
    print(last.summary())
    options.write_json(arguments.json, last.to_dict())
    return ALL_GOOD if last.is_good else NOT_GOOD


def _watch_bag(arguments: argparse.Namespace, show: Callable[[EstimatorView], None], terminal: bool) -> EstimatorView:
    from imu_emg_estimator.guide.bag_watch import BagWatch

    rate = arguments.rate if arguments.rate is not None else float(terminal)
    bundle = options.load_bundle(arguments)
    watch = BagWatch(arguments.bag, bundle, arguments.imu_topics)
    last = watch.play(rate, show)
    if arguments.sto:
        write_storage(arguments.sto, "muscle_activation", bundle.rig.muscle_names, watch.rows)
    return last


def _watch_node(arguments: argparse.Namespace, show: Callable[[EstimatorView], None], terminal: bool) -> EstimatorView:
    if arguments.bundle or arguments.imu_topics or arguments.sto or arguments.rate is not None:
        raise InputError("--bundle, --imu-topics, --rate and --sto are for a bag; name one, or leave them out")
    with options.ros_required("watch"):
        from imu_emg_estimator.ros.node_watch import watch_node
    seconds = math.inf if arguments.seconds is None else arguments.seconds
    return watch_node(arguments.topic, seconds, arguments.wait, show, arguments.ros_arguments)
