"""The guided calibration with live sensors: ``imu-emg calibrate --guide``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rclpy.node import Node

from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.guide.guided_calibration import Calibrator, Guide, GuideSettings
from imu_emg_estimator.guide.offline_calibrator import OfflineCalibrator
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.bag_recorder import ros
from imu_emg_estimator.ros.guide_calibrator import NodeCalibrator, find_estimator
from imu_emg_estimator.ros.guide_sensors import LiveSensors
from imu_emg_estimator.signals.mounting_rotation import mount_rotations
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle

SEARCH_TIME_S = 3.0  # for a running node
EXIT_KEPT, EXIT_NOT_KEPT = 0, 1


def run(
    arguments: argparse.Namespace, request: CalibrationRequest, write_json: Callable[[dict[str, Any]], None]
) -> int:
    """Lead through a calibration.

    Args:
        arguments: of ``imu-emg calibrate``.
        request: how bags are read where no node does it.
        write_json: takes the figures of what happened.

    Returns:
        The exit status: 0 = a new calibration is in use, 1 = not.

    Raises:
        InputError: something cannot be gone on with.
        KeyboardInterrupt: Ctrl-C; what was recorded and stored is there.
    """
    console = Console(unattended=arguments.yes)
    with ros([]):
        node = Node("imu_emg_guide", start_parameter_services=False)
        try:
            console.say("Looking for the estimator node ...")
            estimator = find_estimator(node, SEARCH_TIME_S)
            guide = _guide(console, node, estimator, arguments, request)
            try:
                return EXIT_KEPT if guide.run() else EXIT_NOT_KEPT
            finally:
                write_json(guide.report)
        finally:
            node.destroy_node()


def _guide(
    console: Console,
    node: Node,
    estimator: NodeCalibrator | None,
    arguments: argparse.Namespace,
    request: CalibrationRequest,
) -> Guide:
    subject = _set_up(arguments, estimator)
    bundle = Bundle.load(subject.bundle)
    calibrator: Calibrator = estimator or OfflineCalibrator(
        bundle, arguments.store or calibration_directory(), replace(request, bundle=subject.bundle)
    )
    if estimator:
        console.say(f"Found {estimator.name}.")
    else:
        console.say("No node is running: the calibration will be made on this computer, for the next start.")
    sensors = LiveSensors(
        node,
        bundle.rig,
        mount_rotations(subject.rotations, len(bundle.rig.sensors)),
        subject.imu_topics,
        subject.emg_topic,
    )
    settings = GuideSettings(
        subject=subject.subject,
        folder=arguments.recordings or subject.recordings,
        seconds=arguments.seconds,
        bag=arguments.bag[0] if arguments.bag else None,
    )
    return Guide(console, bundle, sensors, calibrator, settings)


@dataclass(frozen=True)
class _SetUp:
    """What is known of the subject's sensors and model: from the command line, the node's parameters, or as usual."""

    bundle: Path
    subject: str
    imu_topics: Sequence[str] | None
    rotations: Sequence[float]
    emg_topic: str | None
    recordings: Path


def _set_up(arguments: argparse.Namespace, estimator: NodeCalibrator | None) -> _SetUp:
    known = estimator.parameters if estimator else {}
    topics = [topic for topic in known.get("imu_topics") or [] if topic]
    allowed = [directory for directory in known.get("bag_directories") or [] if directory]
    usual = Path(os.path.expanduser(allowed[0])) if allowed else calibration_directory().parent / "recordings"
    return _SetUp(
        bundle=Path(os.path.expanduser(known.get("bundle") or "")) if known.get("bundle") else _bundle(arguments),
        subject=arguments.subject if arguments.subject != "subject" else known.get("subject_id") or arguments.subject,
        imu_topics=arguments.imu_topics or [_full(topic, estimator) for topic in topics] or None,
        rotations=known.get("sensor_rotations") or arguments.sensor_rotations,
        emg_topic=arguments.emg_topic or known.get("emg_topic") or None,
        recordings=usual,
    )


def _bundle(arguments: argparse.Namespace) -> Path:
    return arguments.bundle or shipped_bundle()


def _full(topic: str, estimator: NodeCalibrator | None) -> str:
    """A topic of the node's parameters in its namespace; remapped ones are named with --imu-topics."""
    space = estimator.name.rsplit("/", 1)[0] if estimator else ""
    return topic if topic.startswith("/") else f"{space}/{topic}"


def check(arguments: argparse.Namespace) -> None:
    """Raise InputError where the arguments make no sense together."""
    if arguments.out:
        raise InputError("--guide keeps calibrations in the store; leave --out away")
    if arguments.bag and len(arguments.bag) > 1:
        raise InputError("--guide goes on with one recording; give one --bag, or leave --guide away")
    if not 5.0 <= arguments.seconds <= 3600.0:
        raise InputError(f"--seconds {arguments.seconds:g} is not between 5 and 3600; correct it")
