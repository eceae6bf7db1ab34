"""Assistance that follows muscle activation, and fades out when the estimate cannot be relied on.

Run the estimator, then: python3 assistance.py
"""

import contextlib
import math

import rclpy
from imu_emg_estimator.msg import MuscleActivation
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

PERIOD = 0.01  # s, the controller's own rate: 100 Hz
FADE_TIME = 0.2  # s from full assistance to none, and back
LARGEST_AGE = 0.15  # s; an older estimate is not acted on
TRUST = {MuscleActivation.OK: 1.0, MuscleActivation.DEGRADED: 0.5}  # share of assistance; others: none


class Assistance(Node):
    """Publishes an assistance for every muscle, 0 to 1."""

    def __init__(self) -> None:
        super().__init__("assistance")
        self._latest: MuscleActivation | None = None
        self._status = MuscleActivation.STALE
        self._gain = 0.0
        self._publisher = self.create_publisher(Float64MultiArray, "assistance", 10)
        self.create_subscription(MuscleActivation, "muscle_activation", self._on_activation, 10)
        self.create_timer(PERIOD, self._control)

    def _on_activation(self, message: MuscleActivation) -> None:
        self._status = message.status
        # Only a trusted estimate is kept: it is what fades out when the next one is not.
        if message.status in TRUST and not any(math.isnan(value) for value in message.activation):
            self._latest = message

    def _control(self) -> None:
        latest = self._latest
        if latest is None:
            return
        # A timestamp in the future is no better than an old one: one of the clocks is wrong.
        wanted = TRUST.get(self._status, 0.0) if abs(self._age(latest)) < LARGEST_AGE else 0.0
        step = PERIOD / FADE_TIME
        self._gain += min(max(wanted - self._gain, -step), step)
        values = [self._gain * min(max(value, 0.0), 1.0) for value in latest.activation]
        self._publisher.publish(Float64MultiArray(data=values))

    def _age(self, message: MuscleActivation) -> float:
        """Seconds from the instant that the estimate is for to now."""
        timestamp = message.header.stamp
        return self.get_clock().now().nanoseconds * 1e-9 - (timestamp.sec + timestamp.nanosec * 1e-9)


def main() -> None:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(Assistance())


if __name__ == "__main__":
    main()
