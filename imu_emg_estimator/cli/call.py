"""``imu-emg call``: call a running node's services, where ``ros2 service call`` is missing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.verdict_table import verdict_table
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

DONE, NOT_BETTER = 0, 1  # exit status


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    purpose = "calibrate a running node, cancel that, or reset it (where `ros2 service call` is missing)"
    parser = commands.add_parser("call", help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_calibrate(actions)
    _add_node_options(options.add_command(actions, "cancel", _cancel, "cancel the running calibration"))
    _add_reset(actions)


def _add_calibrate(actions: Any) -> None:
    parser = options.add_command(actions, "calibrate", _calibrate, "calibrate the running node on bags")
    parser.add_argument("--bag", type=Path, nargs="+", required=True, help="bags, below the node's bag_directories")
    parser.add_argument("--subject", required=True, metavar="NAME", help="name of the subject")
    parser.add_argument("--method", default="", metavar="NAME", help="adaptation method (default: the package's)")
    parser.add_argument(
        "--max-duration", type=types.positive_number, default=0.0, metavar="S",
        help="time that it may take (default: the node's calibration_max_duration)",
    )  # fmt: skip
    parser.add_argument(
        "--emg-delay", type=types.number_or_auto, metavar="S",
        help="delay of the EMG [s] to correct; 0 = none, auto = what the movement shows (default: the node's)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="adapt and report, change and store nothing")
    _add_node_options(parser)


def _add_reset(actions: Any) -> None:
    parser = options.add_command(actions, "reset", _reset, "use the base model, or another calibration")
    parser.add_argument("--subject", default="", metavar="NAME", help="name of the subject (default: the node's)")
    parser.add_argument("--id", default="", metavar="ID", help="stored calibration to use (default: the base model)")
    parser.add_argument("--previous", action="store_true", help="go back to what was in use before")
    _add_node_options(parser)


def _add_node_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", default="", metavar="NAME", help="full name of the node (default: the first found)")
    parser.add_argument(
        "--wait", type=types.nonnegative_number, default=5.0, metavar="S",
        help="search the node for at most so long (default: 5)",
    )  # fmt: skip
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def _calibrate(arguments: argparse.Namespace) -> int:
    with _running_node(arguments) as (calls, node):
        answer = calls.call_calibrate(
            node,
            [str(bag.absolute()) for bag in arguments.bag],
            arguments.subject,
            arguments.method,
            arguments.max_duration,
            arguments.dry_run,
            "" if arguments.emg_delay is None else str(arguments.emg_delay),
            ProgressBar("calibration").show,
        )
    print(verdict_table(dict(zip(answer["channel_names"], answer["verdicts"], strict=True))))
    for line in calls.muscle_lines(answer):
        print(line)
    return _finish(arguments, answer)


def _cancel(arguments: argparse.Namespace) -> int:
    with _running_node(arguments) as (calls, node):
        return _finish(arguments, calls.call_cancel(node))


def _reset(arguments: argparse.Namespace) -> int:
    if arguments.id and arguments.previous:
        raise InputError("--id and --previous were given; give one of them")
    with _running_node(arguments) as (calls, node):
        return _finish(arguments, calls.call_reset(node, arguments.subject, arguments.id, arguments.previous))


@contextmanager
def _running_node(arguments: argparse.Namespace) -> Iterator[tuple[Any, Any]]:
    """Find the node that is meant; yield the module that calls its services, and what speaks to it."""
    with options.ros_required("call"):
        from imu_emg_estimator.ros import node_calls
    with node_calls.running_node(arguments.node, arguments.wait, arguments.ros_arguments) as node:
        yield node_calls, node


def _finish(arguments: argparse.Namespace, answer: dict[str, Any]) -> int:
    """Print what the node says; return the exit status."""
    print(answer["message"])
    options.write_json(arguments.json, answer)
    return DONE if answer["success"] else NOT_BETTER
