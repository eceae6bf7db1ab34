"""The latched topic ~/calibration_status: state and progress of the calibrate service."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.utils.progress import Progress

LATCHED = QoSProfile(
    depth=1,
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
MIN_INTERVAL_S = 0.2  # between two messages of one phase
STARTING, STORING = "starting", "storing"  # phases before and after those of the process


class StatusTopic:
    """Publishes from any thread; progress that comes after the end is not published.

    Args:
        node: whose publisher it is.
        name: full name of the topic.
        clock: that messages are stamped by.
    """

    def __init__(self, node: Node, name: str, clock: Clock) -> None:
        self._node = node
        self._publisher = node.create_publisher(CalibrationStatus, name, LATCHED)
        self._clock = clock
        self._lock = threading.Lock()
        self._status = CalibrationStatus()
        self._last = -math.inf

    def close(self) -> None:
        """Publish no more."""
        with self._lock:
            self._node.destroy_publisher(self._publisher)

    def rest(self, subject: str, calibration_id: str, message: str) -> None:
        """Say that no calibration is running."""
        self._begin(CalibrationStatus.IDLE, subject, calibration_id, "", message)

    def begin(self, subject: str, calibration_id: str) -> None:
        """Say that a calibration has begun, while estimates go on with another, or none."""
        self._begin(CalibrationStatus.RUNNING, subject, calibration_id, STARTING, _running_message(subject))

    def advance(self, progress: Progress) -> None:
        """Publish progress, at most every ``MIN_INTERVAL_S`` within a phase."""
        with self._lock:
            status, now = self._status, time.monotonic()
            if status.state != CalibrationStatus.RUNNING:
                return
            is_new = progress.phase != status.phase
            status.phase, status.fraction = progress.phase, min(max(progress.fraction, 0.0), 1.0)
            status.seconds_left, status.loss = _single(progress.seconds_left), _single(progress.loss)
            if is_new or now - self._last >= MIN_INTERVAL_S:
                self._last = now
                self._publish()

    def warn(self, warning: str) -> None:
        """Say what keeps the running calibration from getting on; empty = nothing does any more."""
        with self._lock:
            message = "; ".join(filter(None, (_running_message(self._status.subject_id), warning)))
            if self._status.state == CalibrationStatus.RUNNING and self._status.message != message:
                self._status.message = message
                self._publish()

    def end(self, state: int, calibration_id: str, message: str) -> None:
        """Say how the calibration ended."""
        with self._lock:
            status = self._status
            status.state, status.calibration_id, status.message = state, calibration_id, message
            status.phase, status.seconds_left = "", math.nan
            if state == CalibrationStatus.SUCCEEDED:
                status.fraction, status.seconds_left = 1.0, 0.0
            self._publish()

    def _begin(self, state: int, subject: str, calibration_id: str, phase: str, message: str) -> None:
        with self._lock:
            self._last = -math.inf
            self._status = CalibrationStatus(
                state=state,
                subject_id=subject,
                phase=phase,
                seconds_left=math.nan,
                loss=math.nan,
                calibration_id=calibration_id,
                message=message,
            )
            self._publish()

    def _publish(self) -> None:
        timestamp: Any = self._clock.now().to_msg()
        self._status.header.stamp = timestamp
        self._publisher.publish(self._status)


def _running_message(subject: str) -> str:
    return f"calibrating subject '{subject}'; estimates go on with the old model"


def _single(value: float) -> float:
    """Return a number that a float32 field accepts; NaN for larger ones."""
    return value if abs(value) < 1e38 else math.nan
