"""How many publishers a topic has that are alive: those of a killed process stay in the graph for up to 20 s."""

from __future__ import annotations

import time
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import LivelinessPolicy, QoSProfile, ReliabilityPolicy

from imu_emg_estimator.ros.node_topics import LEASE_S

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    liveliness=LivelinessPolicy.AUTOMATIC,
    liveliness_lease_duration=Duration(seconds=LEASE_S),
)


class AlivePublishers:
    """Counts the publishers of a topic: those that offer a lease of ``LEASE_S`` or less while they keep it.

    Listens only while there seem to be several. Not thread-safe: for the executor that spins the node.
    """

    def __init__(self, node: Node, kind: Any, topic: str) -> None:
        self._node, self._kind, self._topic = node, kind, topic
        self._listener: Any = None
        self._since = 0.0  # s, when it began to listen
        self._alive: int | None = None  # of those that offer a lease; None = not known

    def count(self) -> int:
        """Return how many there are; in doubt, the dead are counted, too."""
        if self._node.count_publishers(self._topic) < 2:
            self.close()
            return 1
        if self._listener is None:
            self._listen()
        offered = [
            info.qos_profile.liveliness_lease_duration.nanoseconds
            for info in self._node.get_publishers_info_by_topic(self._topic)
        ]
        if self._alive is None or time.monotonic() - self._since < 2 * LEASE_S:
            return len(offered)
        return self._alive + sum(lease > QOS.liveliness_lease_duration.nanoseconds for lease in offered)

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._node.destroy_subscription(self._listener)
        self._listener = self._alive = None

    def _listen(self) -> None:
        events = SubscriptionEventCallbacks(liveliness=self._note, use_default_callbacks=False)
        self._since = time.monotonic()
        try:
            self._listener = self._node.create_subscription(
                self._kind, self._topic, _ignore, QOS, event_callbacks=events, raw=True
            )
        except (UnsupportedEventTypeError, RuntimeError):  # by the middleware, or by the rules of SROS 2
            self._listener = None

    def _note(self, event: Any) -> None:
        self._alive = event.alive_count


def _ignore(message: bytes) -> None:
    """Take a message for nothing but its publisher's sake."""
