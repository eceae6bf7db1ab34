"""Assistance that follows muscle activation, and fades out when the estimate is unreliable.

Run the estimator, then: python3 assistance.py
"""

import contextlib
import math

import rclpy
from imu_emg_estimator.msg import MuscleActivation
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

PERIOD_S = 0.01  # of the controller: 100 Hz
FADE_TIME_S = 0.2  # from full assistance to none, and back
MAX_AGE_S = 0.15  # older estimates are ignored
TRUST = {MuscleActivation.OK: 1.0, MuscleActivation.DEGRADED: 0.5}  # share of assistance; others: none


class Assistance(Node):
    """Publishes the assistance for every muscle, 0 to 1."""

    def __init__(self) -> None:
        super().__init__("assistance")
        self._latest: MuscleActivation | None = None
        self._trust = 0.0
        self._gain = 0.0
        self._publisher = self.create_publisher(Float64MultiArray, "assistance", 10)
        self.create_subscription(MuscleActivation, "muscle_activation", self._on_activation, 10)
        self.create_timer(PERIOD_S, self._control)

    def _on_activation(self, message: MuscleActivation) -> None:
        is_finite = all(math.isfinite(value) for value in message.activation)
        self._trust = TRUST.get(message.status, 0.0) if is_finite else 0.0
        if self._trust:  # otherwise the last trusted estimate fades out
            self._latest = message

    def _control(self) -> None:
        latest = self._latest
        if latest is None:
            return
        # A timestamp in the future is as bad as an old one: one of the clocks is wrong.
        wanted = self._trust if abs(self._age(latest)) < MAX_AGE_S else 0.0
        step = PERIOD_S / FADE_TIME_S
        self._gain += min(max(wanted - self._gain, -step), step)
        values = [self._gain * min(max(value, 0.0), 1.0) for value in latest.activation]
        self._publisher.publish(Float64MultiArray(data=values))

    def _age(self, message: MuscleActivation) -> float:
        """Return the time since the instant of the estimate [s]."""
        timestamp = message.header.stamp
        return self.get_clock().now().nanoseconds * 1e-9 - (timestamp.sec + timestamp.nanosec * 1e-9)


def main() -> None:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(Assistance())


if __name__ == "__main__":
    main()
