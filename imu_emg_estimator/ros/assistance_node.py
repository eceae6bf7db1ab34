"""AssistanceNode: MuscleActivation in, joint torques out; a thin shell around AssistanceController.

Run it: ``python -m imu_emg_estimator.ros.assistance_node --ros-args ...``.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from imu_emg_estimator.assistance.assistance_controller import AssistanceController
from imu_emg_estimator.assistance.assistance_file import read_assistance
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.ros.alive_publishers import AlivePublishers
from imu_emg_estimator.ros.managed_node import EXIT_DIED, ManagedNode, run_managed
from imu_emg_estimator.ros.node import stop_signals
from imu_emg_estimator.ros.node_parameters import naming_parameter
from imu_emg_estimator.ros.spin_thread import SpinThread
from imu_emg_estimator.ros.startup_checks import unknown_overrides
from imu_emg_estimator.ros.torque_publisher import TorquePublisher, describe
from imu_emg_estimator.utils.shipped_files import share_directory
from imu_emg_estimator.utils.unblocked_output import unblocked_output

NODE_NAME = "assistance"
WAIT_S = 0.05  # between two looks at whether to stop
REPORT_PERIOD_S = 1.0
LOOK_PERIOD_S = 0.1  # for other publishers
ENDING = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)  # a lost terminal and Ctrl-Z: the last command would stay
PARAMETERS = {  # name: default, meaning
    "config": ("", "Path of the assistance file; empty = the example that the package ships, which is a dry run."),
    "dry_run": (False, "true = publish no command, whatever the file says."),
    "autostart": (True, "Configure and activate at the start; false = a lifecycle manager does it."),
}


class AssistanceNode(ManagedNode):
    """Publishes a torque for every joint at a steady rate while it is active.

    Not thread-safe: one executor of one thread spins it.

    Raises:
        InputError: a parameter is wrong.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__(NODE_NAME, **node_options)
        self.values = {name: self._declare(name, default, text) for name, (default, text) in PARAMETERS.items()}
        self._held = ExitStack()  # what ``configure`` made, to be released in reverse order
        self._is_active = False
        for sentence in unknown_overrides(self, of_topics=False):
            self.get_logger().warning(sentence)

    # transitions

    def configure(self) -> None:
        """Read the file, publish and subscribe; raises InputError for what is wrong."""
        given = self.values["config"]
        path = Path(given).expanduser() if given else share_directory() / "config" / "assistance.yaml"
        with naming_parameter("config" if given else ""):
            settings = read_assistance(path)
        settings = replace(settings, dry_run=settings.dry_run or self.values["dry_run"])
        self.controller = AssistanceController(settings)
        self._reason = ""
        self._last_step = time.monotonic()
        self._publisher = TorquePublisher(self, self.controller)
        self._held.callback(self._publisher.close)
        self._estimators = AlivePublishers(self, MuscleActivation, self.resolve_topic_name("muscle_activation"))
        self._held.callback(self._estimators.close)
        self._subscribe()
        self._repeat(1.0 / settings.rate, self._control)
        self._repeat(LOOK_PERIOD_S, self._look_for_rival)
        self._repeat(REPORT_PERIOD_S, self._publisher.report)
        self.get_logger().info(
            f"{path}{', a dry run: no commands' if settings.dry_run else ''}; torques of "
            f"{', '.join(self.controller.joints)} on {self.resolve_topic_name('~/joint_torques')}"
        )
        if not settings.deadman:
            self.get_logger().warning("'deadman' is false: this node does not see when the operator lets go")

    def activate(self) -> None:
        """Assist from now on, once everything has been right for a while."""
        self._last_step = time.monotonic()
        self.controller.start()
        self._is_active = True

    def deactivate(self) -> None:
        """Let the torque fade out, within its limits, and then publish nothing more."""
        if not self._is_active:
            return
        self.controller.stop()
        self._control()
        while any(self.controller.torques) and self.context.ok():
            time.sleep(1.0 / self.controller.settings.rate)
            self._control()
        self._publisher.wait_until_received()
        self._is_active = False

    def cleanup(self) -> None:
        """Release the topics."""
        self._held.close()

    def destroy_node(self) -> None:
        """Let the torque fade out, and destroy the node; nothing may spin it any more."""
        self.deactivate()
        self.cleanup()
        super().destroy_node()

    # input

    def _subscribe(self) -> None:
        settings = self.controller.settings
        self._take(MuscleActivation, "muscle_activation", self._receive_activation, 10, ReliabilityPolicy.RELIABLE)
        if settings.deadman:
            self._take(Bool, "deadman", self._receive_deadman, 1)
        if any(joint.angle_range for joint in settings.joints):
            self._take(JointState, "joint_states", self._receive_angles, 10)
        if settings.trust.required_sensors:
            self._take(DiagnosticArray, "/diagnostics", self._receive_diagnostics, 10)

    def _take(
        self, kind: Any, topic: str, work: Any, depth: int, reliability: Any = ReliabilityPolicy.BEST_EFFORT
    ) -> None:
        qos = QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=reliability)
        self._held.callback(self.destroy_subscription, self.create_subscription(kind, topic, work, qos))

    def _receive_activation(self, message: MuscleActivation) -> None:
        self.controller.receive_activation(message, self._now())

    def _receive_deadman(self, message: Bool) -> None:
        self.controller.receive_deadman(message.data, self._now())

    def _receive_angles(self, message: JointState) -> None:
        stamp = message.header.stamp
        self.controller.receive_angles(message.name, message.position, stamp.sec + stamp.nanosec * 1e-9, self._now())

    def _receive_diagnostics(self, message: DiagnosticArray) -> None:
        """Learn the sensors' names from the estimator: it says all of them at once."""
        for owner in self.get_publishers_info_by_topic(self.resolve_topic_name("muscle_activation")):
            if names := _sensors(message, f"{owner.node_namespace.rstrip('/')}/{owner.node_name}"):
                self.controller.receive_sensors(names)

    def _look_for_rival(self) -> None:
        estimates = self.resolve_topic_name("muscle_activation")
        self.controller.rival = self._publisher.rival() or (estimates if self._estimators.count() > 1 else "")

    # output

    def _repeat(self, period: float, work: Any) -> None:
        """Call ``work`` every ``period`` s, as long as the node is configured, and though /clock stands still."""
        timer = self.create_timer(period, work, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._held.callback(self.destroy_timer, timer)

    def _control(self) -> None:
        now = time.monotonic()
        torques = self.controller.update(self._now(), now - self._last_step)
        self._last_step = now
        if self._is_active:
            self._publisher.publish(torques)
            self._log()

    def _log(self) -> None:
        """Log what keeps assistance from full trust, when that changes."""
        if self.controller.reason != self._reason:
            self._reason = self.controller.reason
            self.get_logger().info(describe(self._reason), throttle_duration_sec=REPORT_PERIOD_S)

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _declare(self, name: str, default: Any, text: str) -> Any:
        try:
            return self.declare_parameter(name, default, ParameterDescriptor(description=text, read_only=True)).value
        except InvalidParameterTypeException:
            kind = "true or false" if isinstance(default, bool) else "text (quote what looks like a number: '5')"
            raise InputError(f"parameter '{name}' has a value of the wrong type; it takes {kind}") from None


def _sensors(message: DiagnosticArray, node: str) -> list[str]:
    """Return the sensors whose verdicts an estimator of this name reports."""
    own = [entry for entry in message.status if any(pair.key == "verdict" for pair in entry.values)]
    return [entry.name.removeprefix(f"{node}: ") for entry in own if entry.name.startswith(f"{node}: ")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C, Ctrl-Z, SIGTERM or the loss of its terminal; exit status 2 if it cannot start."""
    with unblocked_output(), stop_signals(*ENDING) as stop:
        return run_managed(NODE_NAME, AssistanceNode, _work, arguments, stop)


def _work(node: AssistanceNode, stop: list[int]) -> int:
    deaths: list[int] = []
    try:
        if node.values["autostart"]:
            node.bring_up()  # before anyone else can ask for a transition
        executor = SingleThreadedExecutor(context=node.context)
        with SpinThread(executor, node, "control", lambda: deaths.append(EXIT_DIED)):
            while not (stop or deaths or node.finalized) and node.context.ok():
                time.sleep(WAIT_S)
    finally:
        node.destroy_node()
    return deaths[0] if deaths else 0


if __name__ == "__main__":
    sys.exit(main())
