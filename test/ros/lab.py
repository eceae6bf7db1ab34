"""A laboratory around the node: drivers that publish Imu messages, a listener, a client of calibrate."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from imu_emg_estimator.msg import CalibrationStatus, MuscleActivation
from imu_emg_estimator.srv import Calibrate, ResetCalibration
from numpy.typing import NDArray
from rcl_interfaces.srv import ListParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu
from std_srvs.srv import Trigger

from imu_emg_estimator.ros.conversions import to_stamp
from imu_emg_estimator.ros.estimator_node import EstimatorNode
from imu_emg_estimator.ros.program import serving
from imu_emg_estimator.signals.alignment import SECOND
from imu_emg_estimator.signals.messages import nanoseconds

PATIENCE = 200.0  # s; only a test that fails waits so long, or one on a machine that has no time for it
AHEAD = 100  # rows that a hurried player is ahead of the estimates: less than the node's queue holds
UNHURRIED, HOUR = 3.0, 3600.0  # s; stale_after on a machine that may be busy, and where stamps are made up


def imu_message(stamp: int, sample: Sequence[float], absent: str = "nan") -> Imu:
    """A driver's message of a sample [6].

    Args:
        absent: what is sent for NaN: ``nan``, ``inf``, or ``covariance``, zeros that are marked absent.
    """
    message = Imu()
    message.header.stamp = to_stamp(stamp)
    message.orientation_covariance[0] = -1.0
    parts = (
        (message.linear_acceleration, message.linear_acceleration_covariance, sample[:3]),
        (message.angular_velocity, message.angular_velocity_covariance, sample[3:]),
    )
    for vector, covariance, values in parts:
        if absent == "covariance" and np.isnan(values).any():
            covariance[0] = -1.0
        instead = {"nan": np.nan, "inf": np.inf, "covariance": 0.0}[absent]
        vector.x, vector.y, vector.z = (instead if np.isnan(value) else float(value) for value in values)
    return message


def grid(start: int, rows: int, rate: float) -> list[int]:
    """Stamps [ns] of the rig's grid."""
    return [start + round(index * SECOND / rate) for index in range(rows)]


class Lab:
    """Imu drivers of a rig, a listener to the estimates and a client of calibrate, on a thread of their own."""

    def __init__(self, estimator: EstimatorNode, namespace: str = "", topics: Sequence[str] = ()) -> None:
        bundle = estimator.base
        self.estimator = estimator
        self.rate = bundle.rig.rate
        self.look_ahead = bundle.config.look_ahead
        self.messages: list[MuscleActivation] = []
        self.arrivals: list[float] = []
        self.node = Node("lab", context=estimator.context, namespace=namespace)
        best_effort = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        names = topics or [f"imu/{sensor}" for sensor in bundle.rig.sensor_names]
        self.drivers = [self.node.create_publisher(Imu, name, best_effort) for name in names]
        self.node.create_subscription(MuscleActivation, "muscle_activation", self._listen, QoSProfile(depth=10000))
        self.client = self.node.create_client(Calibrate, "calibrate")
        self._free = 0  # stamp after the last one played [ns]
        self._executor = SingleThreadedExecutor(context=estimator.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> "Lab":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(timeout=5.0)
        self.node.destroy_node()

    def connect(self) -> None:
        """Wait until the node hears the drivers, and the listener the node."""
        self.wait(
            lambda: all(driver.get_subscription_count() for driver in self.drivers), "subscription to the drivers"
        )
        estimates = [p for p in self.estimator.publishers if p.topic_name.endswith("muscle_activation")]
        self.wait(lambda: estimates[0].get_subscription_count(), "subscription to the estimates")

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _listen(self, message: MuscleActivation) -> None:
        self.arrivals.append(time.monotonic())
        self.messages.append(message)

    def now(self) -> int:
        """The clock of the drivers [ns]."""
        return self.node.get_clock().now().nanoseconds

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition holds; a test that waits in vain fails."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {PATIENCE:.0f} s; {self.summary()}"
            time.sleep(0.005)

    def wait_for(self, count: int) -> list[MuscleActivation]:
        """The first ``count`` messages; waits for them."""
        self.wait(lambda: len(self.messages) >= count, f"{count} messages")
        return self.messages[:count]

    def wait_beyond(self, stamp: int) -> None:
        """Wait for a message of a later instant than the stamp [ns]."""
        self.wait(lambda: self.messages and stamps_of(self.messages[-1:])[0] > stamp, f"message after {stamp}")

    def summary(self) -> str:
        """What has come so far, for a test that fails."""
        statuses = [message.status for message in self.messages]
        return f"{len(statuses)} messages, by status { ({status: statuses.count(status) for status in statuses}) }"

    def clear(self) -> None:
        """Forget what has come so far."""
        self.messages.clear()
        self.arrivals.clear()

    def send(self, sensor: int, stamp: int, sample: Sequence[float], absent: str = "nan") -> None:
        """One sample of one sensor."""
        self.drivers[sensor].publish(imu_message(stamp, sample, absent))

    def play(
        self,
        imu: NDArray[np.floating],
        start: int | None = None,
        sensors: Sequence[int] | None = None,
        hurry: bool = False,
        absent: str = "nan",
        stop: threading.Event | None = None,
    ) -> list[int]:
        """Publish rows [samples, sensors, 6] on the rig's grid; returns their stamps [ns].

        Args:
            start: stamp of the first row [ns]; None = now, or after what was played last.
            sensors: only these.
            hurry: as fast as the node can follow; else at the rig's rate.
            absent: see ``imu_message``.
            stop: end early when it is set.
        """
        stamps = grid(max(self.now(), self._free) if start is None else start, len(imu), self.rate)
        self._free = stamps[-1] + round(SECOND / self.rate)
        began, before = time.monotonic(), len(self.messages)
        for index, (stamp, row) in enumerate(zip(stamps, imu, strict=True)):
            if stop is not None and stop.is_set():
                return stamps[:index]
            if hurry:
                self.keep_pace(before + index)
            else:
                time.sleep(max(0.0, began + index / self.rate - time.monotonic()))
            for sensor in range(len(row)) if sensors is None else sensors:
                self.send(sensor, stamp, row[sensor], absent)
        return stamps

    def keep_pace(self, count: float) -> None:
        """Wait until nearly so many estimates have come; not for ever, as some rows may lead to none."""
        deadline = time.monotonic() + 1.0
        while len(self.messages) < count - AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)

    def parameters(self) -> list[str]:
        """Names of the node's parameters, as ``ros2 param list`` asks for them."""
        names: list[str] = self.call(ListParameters, "list_parameters").result.names
        return names

    def call(self, service: Any, name: str, **fields: Any) -> Any:
        """The answer of one of the node's own services, ``~/name``."""
        client = self.node.create_client(service, f"{self.estimator.get_fully_qualified_name()}/{name}")
        assert client.wait_for_service(PATIENCE), f"the node has no service {name}"
        answer = client.call_async(service.Request(**fields))
        self.wait(answer.done, f"answer of {name}")
        self.node.destroy_client(client)
        return answer.result()

    def cancel(self) -> Trigger.Response:
        """The answer to a call of cancel_calibration."""
        return self.call(Trigger, "cancel_calibration")

    def reset(self, **fields: Any) -> ResetCalibration.Response:
        """The answer to a call of reset_calibration."""
        return self.call(ResetCalibration, "reset_calibration", **fields)

    def statuses(self) -> list[CalibrationStatus]:
        """What calibration_status says, to one who subscribes now; the list grows."""
        said: list[CalibrationStatus] = []
        name = f"{self.estimator.get_fully_qualified_name()}/calibration_status"
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(CalibrationStatus, name, said.append, latched)
        return said

    def calibrate(self, bag: Path | str, subject: str = "alice", **fields: Any) -> Any:
        """Future of a call of the service."""
        request = Calibrate.Request(bag_uri=str(bag), subject_id=subject, **fields)
        assert self.client.wait_for_service(PATIENCE), "the calibrate service is not there"
        return self.client.call_async(request)

    def calibrated(self, bag: Path | str, subject: str = "alice", **fields: Any) -> Calibrate.Response:
        """The answer to a call of the service."""
        answer = self.calibrate(bag, subject, **fields)
        self.wait(answer.done, "answer of calibrate")
        return answer.result()


def start(
    stack: ExitStack,
    context: rclpy.Context,
    namespace: str = "",
    topics: Sequence[str] = (),
    arguments: Sequence[str] = (),
    stale_after: float = UNHURRIED,
    **parameters: Any,
) -> Lab:
    """Start a node in a namespace with command line arguments, and a lab whose drivers publish on topics.

    Other keywords are parameters of the node. Both end with the stack.
    """
    node = EstimatorNode(
        context=context,
        namespace=namespace,
        cli_args=["--ros-args", *arguments],
        parameter_overrides=overrides(stale_after=stale_after, **parameters),
    )
    stack.enter_context(running(node))
    lab = stack.enter_context(Lab(node, namespace, topics))
    lab.connect()
    return lab


@contextmanager
def running(node: EstimatorNode) -> Iterator[None]:
    """A node at work, with all that serves it, as its main program does it."""
    stop: list[bool] = []
    with ThreadPoolExecutor(1) as thread:
        with serving(node):
            work = thread.submit(node.work, stop)
            try:
                yield
            finally:
                stop.append(True)
                error = work.exception(timeout=PATIENCE)
        node.destroy_node()
    assert error is None, f"the node died of {error!r}"


def overrides(**parameters: Any) -> list[Parameter]:
    """Parameters for a node's constructor."""
    return [Parameter(name, value=value) for name, value in parameters.items()]


def stamps_of(messages: Sequence[MuscleActivation]) -> list[int]:
    """Stamps [ns] of messages."""
    return [nanoseconds(message.header.stamp) for message in messages]


def activations_of(messages: Sequence[MuscleActivation]) -> NDArray[np.float64]:
    """Activations [messages, muscles]."""
    return np.array([message.activation for message in messages])


def workers(subject: str) -> list[int]:
    """Process ids of running calibrations of a subject."""
    commands = {entry.name: _command(entry) for entry in Path("/proc").glob("[0-9]*")}
    return [int(pid) for pid, command in commands.items() if f"--subject={subject}" in command]


def _command(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text().split("\0")
    except OSError:  # it has ended meanwhile
        return []
