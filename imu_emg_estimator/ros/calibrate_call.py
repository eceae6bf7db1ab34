"""A call of the calibrate service, checked before any process starts: however busy the computer, it answers at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.bags.bag_files import find_files, within
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.calibration.calibration_store import check_subject, current_path
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.parameter_schema import NodeSettings, parse_emg_delay
from imu_emg_estimator.srv import Calibrate
from imu_emg_estimator.streaming.engine import AUTO
from imu_emg_estimator.utils.file_uris import path_of_uri

if TYPE_CHECKING:
    from imu_emg_estimator.ros.estimator_node import EstimatorNode

MAX_DURATION_S = 3600.0  # bound of max_duration
MAX_BAGS = 100  # of one call
ERROR_CODES = {
    "BagUnreadable": Calibrate.Response.BAG_UNREADABLE,
    "TopicMissing": Calibrate.Response.MISSING_TOPIC,
    "BagTooShort": Calibrate.Response.TOO_SHORT,
    "InputError": Calibrate.Response.INVALID_REQUEST,
}


class CallFailed(Exception):
    """A call that ended without a change: error code and sentence for the response."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def error_code(error: str) -> int:
    """Return the code of an exception's class."""
    return int(ERROR_CODES.get(error, Calibrate.Response.FAILED))


def checked_budget(request: Calibrate.Request, settings: NodeSettings) -> float:
    """Return the time that a call may take [s]; raises CallFailed where its subject, bags or time make no sense."""
    invalid = Calibrate.Response.INVALID_REQUEST
    try:
        check_subject(request.subject_id)
    except InputError as error:
        raise CallFailed(invalid, f"subject_id: {error}") from None
    if not request.bag_uri:
        raise CallFailed(invalid, "bag_uri is empty; give the path of a rosbag2 folder or file")
    if len(request.further_bag_uris) >= MAX_BAGS:
        raise CallFailed(invalid, f"more than {MAX_BAGS} bags were given; give those of the last weeks")
    if not (math.isfinite(request.max_duration) and 0.0 <= request.max_duration <= MAX_DURATION_S):
        allowed = f"0 for the default, or up to {MAX_DURATION_S:g} s"
        raise CallFailed(invalid, f"max_duration is {request.max_duration}; give {allowed}")
    return float(request.max_duration) or settings.calibration_max_duration


def calibration_request(request: Calibrate.Request, live: EstimatorNode) -> CalibrationRequest:
    """Build the request for the worker process; bags are read as the node receives the topics.

    Raises:
        CallFailed: the method or the delay makes no sense, or a bag is not there or must not be read.
    """
    settings = live.settings
    try:
        delay = parse_emg_delay(request.emg_delay, "emg_delay") if request.emg_delay else settings.emg_delay
        bags, directories = _paths([request.bag_uri, *request.further_bag_uris]), _existing(settings.bag_directories)
        for bag in bags:
            find_files(bag, BagLimits(), within(directories))
        return CalibrationRequest(
            bundle=live.base_path,
            bags=bags,
            subject=request.subject_id,
            running=_running_path(request.subject_id, live),
            method=request.method,
            bag_directories=directories,
            imu_topics=tuple(live.topics),
            emg_topic=settings.emg_topic,
            emg_channels=settings.emg_channels,
            emg_kind=settings.emg_kind,
            emg_rate=settings.emg_rate,
            emg_delay=delay if isinstance(delay, float) else None,
            find_emg_delay=delay == AUTO,
            alignment=settings.alignment,
            rotations=settings.sensor_rotations,
            threads=settings.calibration_threads,
        )
    except InputError as error:
        code = ERROR_CODES.get(type(error).__name__, Calibrate.Response.INVALID_REQUEST)
        raise CallFailed(code, str(error)) from None


def _running_path(subject: str, live: EstimatorNode) -> Path:
    """Return the bundle that a calibration must improve on: the subject's own, or else the base model."""
    if subject == live.subject:
        return live.running_path
    path, _ = current_path(live.settings.calibration_directory, subject, live.base)
    return path or live.base_path


def _paths(uris: Sequence[str]) -> tuple[Path, ...]:
    try:
        return tuple(path_of_uri(uri).absolute() for uri in uris)
    except InputError as error:
        raise InputError(f"bag_uri: {error}") from None


def _existing(directories: Sequence[Path]) -> tuple[Path, ...]:
    """Return those that exist: a disk may not be mounted today."""
    there = tuple(directory for directory in directories if directory.is_dir())
    if not there:
        names = ", ".join(map(str, directories))
        raise InputError(
            f"none of the directories that bags may lie in exists ({names}); correct the parameter 'bag_directories'"
        )
    return there
