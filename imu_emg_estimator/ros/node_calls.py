"""Call the services of a running estimator node, where ``ros2 service call`` is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.command_session import rclpy_session
from imu_emg_estimator.ros.guide_calibrator import NodeCalibrator, find_estimator
from imu_emg_estimator.srv import Calibrate, ResetCalibration
from imu_emg_estimator.utils.progress import Progress

NOT_BETTER = (Calibrate.Response.NOT_BETTER, Calibrate.Response.REFUSED)  # answers that are no mistake of the call


@contextmanager
def running_node(name: str, patience: float, ros_arguments: Sequence[str]) -> Iterator[NodeCalibrator]:
    """Find a running estimator node; raises InputError where there is none.

    Args:
        name: full name of the node; empty = the first in the alphabet.
        patience: how long to search [s].
    """
    with rclpy_session(ros_arguments):
        node = Node("imu_emg_call", start_parameter_services=False)
        try:
            found = find_estimator(node, patience, name)
            if found is None:
                what = f"node {name} does" if name else "no estimator node does"
                raise InputError(f"{what} offer its services within {patience:g} s; start it, or check --node")
            yield found
        finally:
            node.destroy_node()


def call_calibrate(
    node: NodeCalibrator,
    bags: Sequence[str],
    subject: str,
    method: str,
    max_duration: float,
    dry_run: bool,
    emg_delay: str,
    on_progress: Callable[[Progress], None],
) -> dict[str, Any]:
    """Calibrate in the node, on bags; Ctrl-C cancels it.

    Args:
        max_duration: s; 0 = as the node's parameter says.
        emg_delay: s by which the EMG is late, or ``auto``; empty = as the node's parameter says.

    Returns:
        The answer, by field.

    Raises:
        InputError: the call failed for another reason than that nothing was better.
    """
    request = Calibrate.Request(
        bag_uri=bags[0],
        further_bag_uris=list(bags[1:]),
        subject_id=subject,
        method=method,
        max_duration=max_duration,
        dry_run=dry_run,
        emg_delay=emg_delay,
    )
    answer = node.call_calibrate(request, on_progress)
    return _fields(answer, answer.success or answer.error_code in NOT_BETTER)


def call_cancel(node: NodeCalibrator) -> dict[str, Any]:
    """Cancel the running calibration; raises InputError where none is running."""
    answer = node.call_cancel()
    return _fields(answer, bool(answer and answer.success))


def call_reset(node: NodeCalibrator, subject: str, calibration_id: str, previous: bool) -> dict[str, Any]:
    """Use the base model, a stored calibration or the previous choice; raises InputError where that fails."""
    answer = node.call_reset(
        ResetCalibration.Request(subject_id=subject, calibration_id=calibration_id, previous=previous)
    )
    return _fields(answer, bool(answer and answer.success))


def muscle_lines(answer: Mapping[str, Any]) -> list[str]:
    """Say what the answer of a calibration means for each muscle."""
    names = ("muscle_names", "decisions", "r_before", "r_after")
    return [_muscle_line(*row) for row in zip(*(answer[name] for name in names), strict=True)]


def _muscle_line(name: str, decision: str, before: float, after: float) -> str:
    figures = ["n/a" if math.isnan(value) else f"{value:.2f}" for value in (before, after)]
    return f"{name}: {decision}, r {figures[0]} → {figures[1]}"


def _fields(answer: Any, done: bool) -> dict[str, Any]:
    if answer is None:
        raise InputError("the node does not answer; is it running, and is its computer reachable?")
    if not done:
        raise InputError(answer.message)
    values = {name: getattr(answer, name) for name in answer.get_fields_and_field_types()}
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in values.items()}
