"""NodeClock: the node's clock as the data thread reads it, and whether it runs."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node

CLOCK_TOPIC = "/clock"
MAX_STANDSTILL_S = 1.0  # of a simulated clock; with a coarser one nothing can be told of the age of input
SIMULATED_TOLERANCE_S = 0.1  # by which timestamps may be ahead of a simulated clock, which advances in steps


class NodeClock:
    """Reads the node's clock: the system's, which the middleware has, too, or the one on /clock.

    Attributes:
        is_simulated: use_sim_time is set, by the latest call of ``obstacle``: to ask rclpy takes a microsecond.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clock: Any = node.get_clock()
        self._last, self._ticked = 0, time.monotonic()
        self.is_simulated = self._uses_clock_topic()

    def read(self) -> int:
        """Return the time [ns]."""
        return int(self._clock.now().nanoseconds) if self.is_simulated else time.time_ns()

    def obstacle(self) -> str:
        """Return why the time cannot be told; empty = it can. Call it often: it sees whether the clock goes on."""
        self.is_simulated = self._uses_clock_topic()
        if not self.is_simulated:
            return ""
        now, wall = self.read(), time.monotonic()
        if now != self._last:
            self._last, self._ticked = now, wall
        if now > 0 and wall - self._ticked < MAX_STANDSTILL_S:
            return ""
        if not self._node.count_publishers(CLOCK_TOPIC):
            return f"use_sim_time is set and nobody publishes {CLOCK_TOPIC}"
        return f"use_sim_time is set and {CLOCK_TOPIC} stands still" if now > 0 else f"{CLOCK_TOPIC} has not begun"

    def _uses_clock_topic(self) -> bool:
        return bool(self._clock.ros_time_is_active)
