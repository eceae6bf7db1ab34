"""NodeClock: the node's clock as the data thread reads it, and whether it runs."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node

CLOCK_TOPIC = "/clock"
MAX_STANDSTILL_S = 1.0  # of a simulated clock; with a coarser one nothing can be told of the age of input
MIN_STEP_NS = 50_000_000  # of the system's clock; a smaller one is slewed, or within what jitter allows
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
        self._ahead: int | None = self._ahead_of_steady()

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

    def was_set(self) -> bool:
        """Whether the clock was set since the last call, as by NTP, or is another one now: what it said before is void.

        That of a simulation may be set at will: its bags and drivers are.
        """
        before, self._ahead = self._ahead, self._ahead_of_steady()
        if before is None or self._ahead is None:
            return before is not self._ahead
        return abs(self._ahead - before) > MIN_STEP_NS

    def _ahead_of_steady(self) -> int | None:
        """Return by how much the system's clock is ahead of one that is never set [ns]; None = it is simulated."""
        return None if self.is_simulated else time.time_ns() - time.monotonic_ns()

    def _uses_clock_topic(self) -> bool:
        return bool(self._clock.ros_time_is_active)
