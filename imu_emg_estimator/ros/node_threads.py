"""The node from start to end, and its threads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rclpy.executors import SingleThreadedExecutor

from imu_emg_estimator.ros.estimator_node import NODE_NAME, EstimatorNode
from imu_emg_estimator.ros.managed_node import EXIT_DIED, run_managed
from imu_emg_estimator.ros.spin_thread import SpinThread
from imu_emg_estimator.utils.thread_scheduling import current_threads, schedule

SWITCH_INTERVAL_S = 5e-4  # the data thread waits this long at most for the interpreter


def run(arguments: Sequence[str] | None, stop: list[int]) -> int:
    """Run the node until ``stop`` holds something; return the exit status."""
    return run_managed(NODE_NAME, EstimatorNode, _work, arguments, stop)


@contextmanager
def serving(node: EstimatorNode, died: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Serve everything of the node but ``work`` on another thread; ``died`` is called should that die."""
    services = SpinThread(SingleThreadedExecutor(context=node.context), node, "services", died)
    if node.settings.autostart:
        node.bring_up()  # before anyone else can ask for a transition
    with services:
        yield


def _work(node: EstimatorNode, stop: list[int]) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    data_threads = current_threads()  # this one, and those of the middleware that deliver to it
    deaths: list[int] = []

    def end() -> None:
        deaths.append(EXIT_DIED)
        stop.append(EXIT_DIED)

    try:
        with serving(node, end):
            for refusal in schedule(data_threads, node.settings.realtime_priority, node.settings.cpu_affinity):
                node.get_logger().warning(refusal)
            node.work(stop)
    finally:
        node.destroy_node()
    return deaths[0] if deaths else 0
