"""What the benchmark's ROS processes share: they run until SIGTERM, then write down what they saw."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

FIRST, READY, REPORT = "first", "ready", "report "  # beginnings of lines that the benchmark waits for
POLL_S = 0.1  # between checks of whether to stop

RELIABLE = QoSProfile(depth=10_000, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


@contextmanager
def running(name: str) -> Iterator[tuple[Node, Callable[[], bool]]]:
    """A node, and a function that says whether to go on."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node(name, start_parameter_services=False, enable_rosout=False)
    try:
        yield node, lambda: not stopped
    finally:
        node.destroy_node()
        try_shutdown()


def spin(node: Node, going: Callable[[], bool]) -> None:
    """Serve a node's subscriptions until it must stop."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while going():
        executor.spin_once(POLL_S)
    executor.shutdown()


def imu_quality(depth: int) -> QoSProfile:
    """As the estimator node subscribes."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)
