"""Publish joint torques, in the forms that controllers of robots take."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import WrenchStamped
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import LivelinessPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from imu_emg_estimator.assistance.assistance_controller import AssistanceController
from imu_emg_estimator.assistance.assistance_settings import AssistanceSettings, JointSettings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.alive_publishers import AlivePublishers
from imu_emg_estimator.ros.node_topics import LEASE_S, rcl_reason

DEADLINE_STEPS = 5  # without a message, after which a subscriber that asked for it hears so
RECEIVED_WITHIN = Duration(seconds=0.2)


class TorquePublisher:
    """Publishes what a controller of the assistance says; close it to release the topics.

    In a dry run it publishes no command and no wrench, only the torques to look at.
    """

    def __init__(self, node: Node, controller: AssistanceController) -> None:
        settings = controller.settings
        self._node, self._controller, self._held = node, controller, ExitStack()
        try:
            self._open(settings)
        except NameValidationException as error:
            self.close()
            raise InputError(
                f"a topic cannot be named so ({rcl_reason(error).rstrip(':')}); "
                "rename the joint, or leave out its wrench_frame"
            ) from None

    def _open(self, settings: AssistanceSettings) -> None:
        period = Duration(seconds=DEADLINE_STEPS / settings.rate)
        qos = QoSProfile(
            depth=1,
            reliability=ReliabilityPolicy.RELIABLE,
            deadline=period,
            liveliness=LivelinessPolicy.AUTOMATIC,
            liveliness_lease_duration=Duration(seconds=LEASE_S),
        )
        self._torques = self._make(JointState, "~/joint_torques", qos)
        self._diagnostics = self._make(DiagnosticArray, "/diagnostics", 10)
        self._commands: Any = None
        self._commanders: AlivePublishers | None = None
        self._wrenches: list[tuple[int, JointSettings, Any]] = []
        if not settings.dry_run:
            self._commands = self._make(Float64MultiArray, "~/commands", qos)
            self._commanders = AlivePublishers(self._node, Float64MultiArray, self._commands.topic_name)
            self._held.callback(self._commanders.close)
            self._wrenches = [
                (at, joint, self._make(WrenchStamped, f"~/wrench/{joint.name}", qos))
                for at, joint in enumerate(settings.joints)
                if joint.wrench_frame
            ]

    def publish(self, torques: Sequence[float]) -> None:
        """Publish the torque of every joint [Nm]."""
        if self._commands:
            self._commands.publish(Float64MultiArray(data=torques))
        stamp = self._node.get_clock().now().to_msg()
        message = JointState(name=self._controller.joints, effort=torques)
        message.header.stamp = stamp
        self._torques.publish(message)
        for at, joint, publisher in self._wrenches:
            wrench = WrenchStamped()
            wrench.header.stamp, wrench.header.frame_id = stamp, joint.wrench_frame
            setattr(wrench.wrench.torque, joint.wrench_axis, torques[at])
            publisher.publish(wrench)

    def report(self) -> None:
        """Publish the state of the assistance on /diagnostics."""
        controller = self._controller
        values = {"share of the activation": f"{controller.share:.2f}", "dry run": str(controller.settings.dry_run)}
        torques = zip(controller.joints, controller.torques, strict=True)
        values |= {f"{name} [Nm]": f"{torque:.2f}" for name, torque in torques}
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if controller.reason else DiagnosticStatus.OK,
            name=f"{self._node.get_fully_qualified_name()}: assistance",
            message=describe(controller.reason),
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def rival(self) -> str:
        """Return the topic of the commands where another node publishes on it, too; empty = none does."""
        return str(self._commands.topic_name) if self._commanders and self._commanders.count() > 1 else ""

    def wait_until_received(self) -> None:
        """Wait until every reliable subscriber has the newest command, which is lost if the topic is closed before."""
        for publisher in (self._commands, *(wrench for _, _, wrench in self._wrenches), self._torques):
            if publisher:
                publisher.wait_for_all_acked(RECEIVED_WITHIN)

    def close(self) -> None:
        """Release the topics."""
        self._held.close()

    def _make(self, kind: Any, topic: str, qos: Any) -> Any:
        publisher = self._node.create_publisher(kind, topic, qos)
        self._held.callback(self._node.destroy_publisher, publisher)
        return publisher


def describe(reason: str) -> str:
    """Say how far assistance goes; the reason is empty where nothing limits it."""
    return f"no full trust: {reason}" if reason else "assists with full trust"
