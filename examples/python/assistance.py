"""Assistance that follows muscle activation, and fades out when the estimate cannot be relied on.

Run the estimator, then: python3 assistance.py
"""

import contextlib
import time

import rclpy
from imu_emg_estimator.msg import MuscleActivation
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from imu_emg_estimator.activation_gate import ActivationGate

PERIOD_S = 0.01  # of the controller: 100 Hz
MUSCLES = ["vastus_lateralis_right", "vastus_lateralis_left"]  # of the shipped model


class Assistance(Node):
    """Publishes the assistance for every muscle, 0 to 1."""

    def __init__(self) -> None:
        super().__init__("assistance")
        self._gate = ActivationGate(self.declare_parameter("muscles", MUSCLES).value)
        self._last_step = time.monotonic()
        self._publisher = self.create_publisher(Float64MultiArray, "assistance", 10)
        self.create_subscription(MuscleActivation, "muscle_activation", self._receive, 10)
        # A timer, since an estimator that has died sends nothing, and one that /clock cannot stop.
        self.create_timer(PERIOD_S, self._control, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _receive(self, message: MuscleActivation) -> None:
        self._gate.receive(message, self._now())

    def _control(self) -> None:
        now = time.monotonic()
        assistance = self._gate.update(self._now(), now - self._last_step)
        self._last_step = now
        self._publisher.publish(Float64MultiArray(data=assistance))
        if self._gate.reason:
            self.get_logger().info(f"no full trust: {self._gate.reason}", throttle_duration_sec=1.0)

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9


def main() -> None:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(Assistance())


if __name__ == "__main__":
    main()
