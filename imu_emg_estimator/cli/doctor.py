"""``imu-emg doctor``: say whether this computer can estimate, and what to fix."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError

if TYPE_CHECKING:
    from imu_emg_estimator.guide.finding import Finding
    from imu_emg_estimator.model.bundle import Bundle

CAN_ESTIMATE, CANNOT = 0, 1  # exit status


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "doctor", run, "say whether this computer can estimate, and what to fix (with or without ROS)"
    )
    options.add_bundle_option(parser)
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="Imu topics in the order of the rig")
    parser.add_argument(
        "--seconds", type=types.nonnegative_number, default=3.0, metavar="S",
        help="listen to live topics for so long; 0 = not at all (default: 3)",
    )  # fmt: skip
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for everything looked at; exit status 1 where there is a problem."""
    from imu_emg_estimator.guide.finding import Level, finding_lines, worst_level

    findings = _findings(arguments)
    print("\n".join(finding_lines(findings)))
    counts, worst = Counter(finding.level for finding in findings), worst_level(findings)
    verdict = "cannot" if worst is Level.PROBLEM else "can"
    print(f"this computer {verdict} estimate; problems: {counts[Level.PROBLEM]}, warnings: {counts[Level.WARNING]}")
    options.write_json(arguments.json, {"worst": worst.value, "findings": [asdict(own) for own in findings]})
    return CANNOT if worst is Level.PROBLEM else CAN_ESTIMATE


def _findings(arguments: argparse.Namespace) -> list[Finding]:
    from imu_emg_estimator.guide import computer_checks, ros_environment
    from imu_emg_estimator.guide.finding import Level, worst_level

    bundle, of_bundle = computer_checks.bundle_findings(arguments.bundle)
    found = computer_checks.installation_findings() + (computer_checks.computer_findings(bundle) if bundle else [])
    of_ros = ros_environment.environment_findings(os.environ)
    found += of_bundle + of_ros
    if bundle and arguments.seconds and find_spec("rclpy") and worst_level(of_ros) is not Level.PROBLEM:
        found += _live_findings(arguments, bundle)
    return found


def _live_findings(arguments: argparse.Namespace, bundle: Bundle) -> list[Finding]:
    from imu_emg_estimator.guide.finding import Finding, Level

    try:
        with options.ros_required("listening to topics"):
            from imu_emg_estimator.ros.live_topic_checks import live_findings
        return live_findings(bundle, arguments.imu_topics, arguments.seconds, arguments.ros_arguments)
    except InputError as error:
        return [Finding("topics", Level.PROBLEM, str(error))]
