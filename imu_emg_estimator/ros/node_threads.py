"""The node from its start to its end, and the threads that it has."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.calibration_services import CalibrationServer
from imu_emg_estimator.ros.diagnostics import Diagnostics
from imu_emg_estimator.ros.estimator_node import NAME, EstimatorNode, reason
from imu_emg_estimator.ros.thread_scheduling import current_threads, schedule

BAD_START = 2  # exit status
SWITCH_INTERVAL = 5e-4  # s; the thread of the data waits at most so long for the interpreter


def run(arguments: Sequence[str] | None, stop: Sequence[int]) -> int:
    """Run the node until ``stop`` holds something; returns the exit status."""
    try:
        if not stop:
            _initialise(arguments)
            _work(EstimatorNode(), stop)
    except InputError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return BAD_START
    except ExternalShutdownException:
        pass
    finally:
        try_shutdown()
    return 0


@contextmanager
def serving(node: EstimatorNode) -> Iterator[None]:
    """Everything of the node but ``work``, on threads of its own: parameters, diagnostics, calibrate."""
    Diagnostics(node)
    with ExitStack() as stack:
        if not node.spins_itself:
            stack.enter_context(_spinning(SingleThreadedExecutor(context=node.context), node))
        stack.enter_context(CalibrationServer(node))
        yield


def _initialise(arguments: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise InputError(f"the ROS arguments cannot be used: {reason(error)}") from None


def _work(node: EstimatorNode, stop: Sequence[int]) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    data_threads = current_threads()  # this one, and the middleware's that deliver to it
    try:
        with serving(node):
            for refusal in schedule(data_threads, node.settings.realtime_priority, node.settings.cpu_affinity):
                node.get_logger().warning(refusal)
            _spare_collector()
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
        executor.shutdown(timeout_sec=2.0)
        thread.join(timeout=2.0)


def _spare_collector() -> None:
    """Garbage collections need not look at what was loaded at the start, which takes tens of milliseconds."""
    gc.collect()
    gc.freeze()
