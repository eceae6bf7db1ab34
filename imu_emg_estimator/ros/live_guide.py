"""The guided calibration with live sensors: ``imu-emg calibrate --guide``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rclpy.node import Node

from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.guide.guided_calibration import Calibrator, Guide, GuideSettings
from imu_emg_estimator.guide.offline_calibrator import OfflineCalibrator
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.command_session import rclpy_session
from imu_emg_estimator.ros.guide_calibrator import NodeCalibrator, find_estimator
from imu_emg_estimator.ros.guide_sensors import LiveSensors
from imu_emg_estimator.signals.mounting_rotation import mount_rotations
from imu_emg_estimator.utils.shipped_files import calibration_directory

SEARCH_TIME_S = 3.0  # for a running node
EXIT_KEPT, EXIT_NOT_KEPT = 0, 1
DEFAULT_SUBJECT = "subject"  # of the command line


@dataclass(frozen=True)
class GuideOptions:
    """What the command line says.

    Attributes:
        request: model, subject, topics and EMG; used as it is where no node runs. Its bag, if any, is an existing
            recording.
        unattended: every question gets its default answer.
        duration_s: of the recording.
        recordings: folder for the recordings; None = where the node may read them, or beside the calibrations.
        store: directory of the calibrations, where no node runs.
    """

    request: CalibrationRequest
    unattended: bool
    duration_s: float
    recordings: Path | None
    store: Path


def run(options: GuideOptions, write_json: Callable[[dict[str, Any]], None]) -> int:
    """Guide the user through a calibration.

    Args:
        write_json: takes the report of what happened.

    Returns:
        The exit status: 0 = a new calibration is in use, 1 = not.

    Raises:
        InputError: the guide cannot continue.
        KeyboardInterrupt: on Ctrl-C; what was recorded and stored is kept.
    """
    console = Console(options.unattended)
    with rclpy_session([]):
        node = Node("imu_emg_guide", start_parameter_services=False)
        try:
            console.say("Looking for the estimator node ...")
            guide = _make_guide(console, node, find_estimator(node, SEARCH_TIME_S), options)
            try:
                return EXIT_KEPT if guide.run() else EXIT_NOT_KEPT
            finally:
                write_json(guide.report)
        finally:
            node.destroy_node()


def _make_guide(console: Console, node: Node, estimator: NodeCalibrator | None, options: GuideOptions) -> Guide:
    setup = _subject_setup(options, estimator)
    bundle = Bundle.load(setup.bundle)
    calibrator: Calibrator = estimator or OfflineCalibrator(
        bundle, options.store, replace(options.request, bundle=setup.bundle)
    )
    if estimator:
        estimator.emg_delay = options.request.emg_delay_option
        console.say(f"Found {estimator.name}.")
    else:
        console.say("No node is running: the calibration will be made on this computer, for the next start.")
    rotations = mount_rotations(setup.rotations, len(bundle.rig.sensors))
    sensors = LiveSensors(node, bundle.rig, rotations, setup.imu_topics, setup.emg_topic)
    settings = GuideSettings(
        subject=setup.subject,
        folder=options.recordings or setup.recordings,
        seconds=options.duration_s,
        bag=next(iter(options.request.bags), None),
    )
    return Guide(console, bundle, sensors, calibrator, settings)


@dataclass(frozen=True)
class _SubjectSetup:
    """The subject's sensors and model: from the command line, else the node's parameters, else the defaults."""

    bundle: Path
    subject: str
    imu_topics: Sequence[str] | None
    rotations: Sequence[float]
    emg_topic: str | None
    recordings: Path


def _subject_setup(options: GuideOptions, estimator: NodeCalibrator | None) -> _SubjectSetup:
    known, request = estimator.parameters if estimator else {}, options.request
    topics = [_full_name(topic, estimator) for topic in known.get("imu_topics") or [] if topic]
    allowed = [directory for directory in known.get("bag_directories") or [] if directory]
    usual = Path(os.path.expanduser(allowed[0])) if allowed else calibration_directory().parent / "recordings"
    named = request.subject != DEFAULT_SUBJECT
    return _SubjectSetup(
        bundle=Path(os.path.expanduser(known["bundle"])) if known.get("bundle") else request.bundle,
        subject=request.subject if named else known.get("subject_id") or request.subject,
        imu_topics=request.imu_topics or topics or None,
        rotations=known.get("sensor_rotations") or request.rotations,
        emg_topic=request.emg_topic or known.get("emg_topic") or None,
        recordings=usual,
    )


def _full_name(topic: str, estimator: NodeCalibrator | None) -> str:
    """Return a topic of the node's parameters in its namespace; remapped ones must be given with --imu-topics."""
    namespace = estimator.name.rsplit("/", 1)[0] if estimator else ""
    return topic if topic.startswith("/") else f"{namespace}/{topic}"
