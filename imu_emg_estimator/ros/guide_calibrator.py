"""A running estimator node as the guide uses it: its parameters, and its services that change the model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.calibration_outcome import NOTICEABLY, MuscleOutcome, Outcome, findings_of
from imu_emg_estimator.guide.undo_hint import undo_command
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.ros.calibration_status import LATCHED
from imu_emg_estimator.ros.parameter_schema import expanded_path
from imu_emg_estimator.srv import Calibrate, ResetCalibration
from imu_emg_estimator.utils.progress import Progress
from imu_emg_estimator.utils.shipped_files import calibration_directory, shipped_bundle

CALIBRATE = "imu_emg_estimator/srv/Calibrate"
RESET = "imu_emg_estimator/srv/ResetCalibration"
PARAMETERS = (
    "bundle",
    "subject_id",
    "imu_topics",
    "sensor_rotations",
    "bag_directories",
    "emg_topic",
    "calibration_directory",
)
ANSWER_TIMEOUT_S = 5.0  # for calls that need no work
MAX_CALIBRATION_S = 600.0  # a user watches it, and can stop it
SPIN_TIMEOUT_S = 0.1


class NodeCalibrator:
    """A ``guided_calibration.Calibrator``; made by ``find_estimator``.

    Attributes:
        name: full name of the estimator node.
        parameters: its parameters, as far as the guide needs them.
        emg_delay: s by which the EMG is late, or ``auto``; empty = as the node's parameter says.
    """

    emg_delay = ""

    def __init__(self, node: Node, name: str, service: str) -> None:
        self.name = name
        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._calibrate = node.create_client(Calibrate, service)
        self._cancel = node.create_client(Trigger, f"{name}/cancel_calibration")
        self._reset = node.create_client(ResetCalibration, f"{name}/reset_calibration")
        self._newest: Progress | None = None
        self._told: Progress | None = None
        self._last_seen = 0.0  # that calibrate was offered [s]
        node.create_subscription(CalibrationStatus, f"{name}/calibration_status", self._receive, LATCHED)
        self.parameters = self._get_parameters()

    @property
    def where(self) -> str:
        return f"in the running node {self.name}; its estimates go on"

    def calibrate(self, bag: Path, subject: str, on_progress: Callable[[Progress], None]) -> Outcome:
        """Call the service; Ctrl-C cancels the calibration."""
        request = Calibrate.Request(
            bag_uri=str(bag.absolute()),
            subject_id=subject,
            max_duration=MAX_CALIBRATION_S,
            emg_delay=self.emg_delay,
        )
        response = self.call_calibrate(request, on_progress)
        muscles = {
            name: MuscleOutcome(decision, float(before), float(after), float(gain_r2) >= NOTICEABLY)
            for name, decision, before, after, gain_r2 in zip(
                response.muscle_names,
                response.decisions,
                response.r_before,
                response.r_after,
                np.subtract(response.r2_after, response.r2_before),
                strict=True,
            )
        }
        findings = findings_of(zip(response.channel_names, response.verdicts, strict=True))
        return Outcome(response.success, response.message, response.calibration_id, muscles, findings)

    def call_calibrate(self, request: Any, on_progress: Callable[[Progress], None]) -> Any:
        """Return the answer to a Calibrate request; Ctrl-C cancels the calibration."""
        if not self._calibrate.wait_for_service(ANSWER_TIMEOUT_S):
            raise InputError(f"{self.name} does not offer calibrate any more; start it, and go on with the recording")
        self._newest = self._told = None
        self._last_seen = time.monotonic()
        answer = self._calibrate.call_async(request)
        try:
            self._spin_until(lambda: answer.done() or self._is_gone(), lambda: self._pass_newest(on_progress))
        except KeyboardInterrupt:
            self.call_cancel()
            self._undo_late(answer, request.subject_id)
            raise
        if not answer.done():
            raise InputError(f"{self.name} ended before it answered; start it, and call again")
        return answer.result()

    def _is_gone(self) -> bool:
        """Whether nobody has offered the service for some seconds."""
        if self._calibrate.service_is_ready():
            self._last_seen = time.monotonic()
        return time.monotonic() - self._last_seen > ANSWER_TIMEOUT_S

    def _undo_late(self, answer: Any, subject: str) -> None:
        """Undo a calibration that ended before it could be cancelled."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        self._spin_until(lambda: answer.done() or time.monotonic() > deadline)
        if answer.done() and answer.result().calibration_id:
            self.undo(subject)

    def undo(self, subject: str) -> str:
        """Call the service that goes back to what was in use before."""
        response = self.call_reset(ResetCalibration.Request(subject_id=subject, previous=True))
        if response is None:
            raise InputError(
                f"{self.name} does not answer; undo it with `{self.undo_command(subject)}`, and start the node again"
            )
        if not response.success:
            raise InputError(response.message)
        return str(response.calibration_id)

    def call_cancel(self) -> Any:
        """Return the answer to a call that cancels a calibration; None where none comes."""
        return self._call(self._cancel, Trigger.Request())

    def call_reset(self, request: Any) -> Any:
        """Return the answer to a ResetCalibration request; None where none comes."""
        return self._call(self._reset, request)

    def undo_command(self, subject: str) -> str:
        """Return the command that does the same for the next start."""
        directory, bundle = (self.parameters.get(name) for name in ("calibration_directory", "bundle"))
        return undo_command(
            subject,
            expanded_path(directory) if directory else calibration_directory(),
            expanded_path(bundle) if bundle else shipped_bundle(),
        )

    def after(self, subject: str) -> str:
        """Say when the result is used."""
        named = subject == self.parameters.get("subject_id")
        later = "after every start" if named else f"after every start with subject_id:={subject}"
        return f"Estimates are made with it from now on, and {later}."

    def _pass_newest(self, on_progress: Callable[[Progress], None]) -> None:
        if self._newest and self._newest != self._told:  # a message may bring a warning alone
            self._told = self._newest
            on_progress(self._newest)

    def _receive(self, message: CalibrationStatus) -> None:
        if message.state == CalibrationStatus.RUNNING:
            self._newest = Progress(message.phase, message.fraction, message.seconds_left, message.loss)

    def _get_parameters(self) -> dict[str, Any]:
        client = self._node.create_client(GetParameters, f"{self.name}/get_parameters")
        response = self._call(client, GetParameters.Request(names=list(PARAMETERS)))
        self._node.destroy_client(client)
        values = response.values if response else []
        return {name: _value(value) for name, value in zip(PARAMETERS, values, strict=False)}

    def _call(self, client: Any, request: Any) -> Any:
        """Return the answer to a call; None where none comes in time."""
        if not client.wait_for_service(ANSWER_TIMEOUT_S):
            return None
        answer = client.call_async(request)
        deadline = time.monotonic() + ANSWER_TIMEOUT_S * 3
        self._spin_until(lambda: answer.done() or time.monotonic() > deadline)
        return answer.result() if answer.done() else None

    def _spin_until(self, done: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
        while not done():
            self._executor.spin_once(timeout_sec=SPIN_TIMEOUT_S)
            meanwhile()


def find_estimator(node: Node, patience: float, name: str = "") -> NodeCalibrator | None:
    """Find the estimator node that runs; of several the first in the alphabet; None = there is none.

    Args:
        patience: time to search [s].
        name: full name of the node; empty = any.
    """
    deadline = time.monotonic() + patience
    while True:
        services = node.get_service_names_and_types()
        offered = sorted(service for service, types in services if CALIBRATE in types)
        resets = sorted(service for service, types in services if RESET in types and name in ("", _owner(service)))
        if offered and resets:
            owner = _owner(resets[0])
            space = owner.rsplit("/", 1)[0]
            service = min(offered, key=lambda each: (_owner(each) != space, not each.startswith(f"{space}/")))
            return NodeCalibrator(node, owner, service)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)


def _owner(service: str) -> str:
    """Return what a service belongs to: the full name of the node if it is private, else the namespace."""
    return service.rsplit("/", 1)[0]


def _value(value: Any) -> Any:
    fields = {
        ParameterType.PARAMETER_STRING: "string_value",
        ParameterType.PARAMETER_STRING_ARRAY: "string_array_value",
        ParameterType.PARAMETER_DOUBLE_ARRAY: "double_array_value",
    }
    return getattr(value, fields[value.type]) if value.type in fields else None
