"""The node from start to end, and its threads."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.utilities import try_shutdown

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.calibration_services import CalibrationServer
from imu_emg_estimator.ros.command_session import initialise_rclpy
from imu_emg_estimator.ros.diagnostics import Diagnostics
from imu_emg_estimator.ros.estimator_node import NODE_NAME, EstimatorNode
from imu_emg_estimator.utils.thread_scheduling import current_threads, schedule

EXIT_BAD_START = 2
SWITCH_INTERVAL_S = 5e-4  # the data thread waits this long at most for the interpreter
SHUTDOWN_TIMEOUT_S = 2.0


def run(arguments: Sequence[str] | None, stop: Sequence[int]) -> int:
    """Run the node until ``stop`` holds something; return the exit status."""
    try:
        if not stop:
            initialise_rclpy(arguments)
            _work(EstimatorNode(), stop)
    except InputError as error:
        print(f"{NODE_NAME}: {error}", file=sys.stderr)
        return EXIT_BAD_START
    except ExternalShutdownException:
        pass
    finally:
        try_shutdown()
    return 0


@contextmanager
def serving(node: EstimatorNode) -> Iterator[None]:
    """Serve everything of the node but ``work`` on other threads: parameters, diagnostics, calibrate."""
    Diagnostics(node)
    with ExitStack() as stack:
        if not node.spins_itself:
            stack.enter_context(_spinning(SingleThreadedExecutor(context=node.context), node))
        stack.enter_context(CalibrationServer(node))
        yield


def _work(node: EstimatorNode, stop: Sequence[int]) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    data_threads = current_threads()  # this one, and those of the middleware that deliver to it
    try:
        with serving(node):
            for refusal in schedule(data_threads, node.settings.realtime_priority, node.settings.cpu_affinity):
                node.get_logger().warning(refusal)
            _exclude_from_collection()
            node.work(stop)
    finally:
        node.destroy_node()


@contextmanager
def _spinning(executor: Executor, node: EstimatorNode) -> Iterator[None]:
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, name="services", daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown(timeout_sec=SHUTDOWN_TIMEOUT_S)
        thread.join(timeout=SHUTDOWN_TIMEOUT_S)


def _exclude_from_collection() -> None:
    """Exclude what was loaded so far from garbage collections, which would take tens of milliseconds."""
    gc.collect()
    gc.freeze()
