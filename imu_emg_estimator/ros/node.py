"""The node: Imu topics in, MuscleActivation out; a thin shell around StreamingEstimator."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown
from sensor_msgs.msg import Imu

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.store import calibration_path, latest_calibration
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.resources import shipped_bundle
from imu_emg_estimator.ros import parameters
from imu_emg_estimator.ros.calibration import CalibrationServer
from imu_emg_estimator.ros.conversions import to_stamp
from imu_emg_estimator.signals.alignment import SECOND, GridAligner, GridRow
from imu_emg_estimator.signals.imu import mount_rotations, turn_mounts
from imu_emg_estimator.signals.messages import imu_sample, nanoseconds
from imu_emg_estimator.streaming.estimator import Estimate, Prepared, StreamingEstimator

NAME = "imu_emg_estimator"
WATCH_PERIOD = 0.1  # s between looks at whether input still comes
WARNING_PERIOD = 5.0  # s between repeated warnings of one kind
BAD_START = 2  # exit status


class EstimatorNode(Node):
    """Subscribes to the rig's IMUs, publishes an estimate for every step of its grid.

    Everything but ``swap`` and the read-only attributes belongs to the thread that spins it.

    Raises:
        InputError: a parameter, the bundle or the topics are wrong.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__(NAME, **node_options)
        self.settings = parameters.declare(self)
        self.base_path = self.settings.bundle or shipped_bundle()
        self.base = Bundle.load(self.base_path)
        self.running_path = self.base_path
        self._estimator = StreamingEstimator(self._bundle_at_start())
        rig = self.base.rig
        self._rotations = mount_rotations(self.settings.sensor_rotations, len(rig.sensors))
        self._aligner = GridAligner(len(rig.sensors), rig.rate, self.settings.alignment)
        self._pending: Prepared | None = None
        self._adopted = threading.Event()
        self._reported: tuple[int, tuple[str, ...]] | None = None
        self._last_arrival = time.monotonic()
        names = self._topics()
        self.topics = self._resolved(names)
        with _sound_qos_overrides():
            self._publisher = self._advertise()
            for index, topic in enumerate(names):
                self._subscribe(index, topic)
        # Steady time: with use_sim_time the ROS clock stands still together with the data.
        self.create_timer(WATCH_PERIOD, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(
            f"{self.bundle.model_id}, {self._calibration_text()}; waiting for {', '.join(self.topics)}"
        )

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._estimator.bundle

    def swap(self, bundle: Bundle, path: Path, timeout: float = 10.0) -> None:
        """Go over to another bundle of the same rig between two steps; called from any other thread.

        Raises:
            InputError: another rig, or the node did not take it within the timeout [s].
        """
        prepared = self._estimator.prepare(bundle)
        self._adopted.clear()
        self._pending = prepared
        if not self._adopted.wait(timeout):
            self._pending = None
            raise InputError("the node did not go over to the new model in time; it is stored, restart the node")
        self.running_path = path

    def _bundle_at_start(self) -> Bundle:
        subject = self.settings.subject_id
        if not subject:
            return self.base
        calibrated, remarks = latest_calibration(self.settings.calibration_directory, subject, self.base)
        for remark in remarks:
            self.get_logger().warning(remark)
        if calibrated is None:
            self.get_logger().info(f"subject '{subject}' has no calibration of this model yet")
            return self.base
        self.running_path = calibration_path(self.settings.calibration_directory, calibrated)
        return calibrated

    def _topics(self) -> Sequence[str]:
        sensors = self.base.rig.sensor_names
        topics = self.settings.imu_topics or tuple(f"imu/{sensor}" for sensor in sensors)
        if len(topics) != len(sensors):
            raise InputError(
                f"parameter 'imu_topics' names {len(topics)} topics, the bundle's rig has {len(sensors)} sensors; "
                f"give one for each of {', '.join(sensors)}, in this order"
            )
        return topics

    def _resolved(self, topics: Sequence[str]) -> list[str]:
        """Full names, after remapping."""
        try:
            resolved = [str(self.resolve_topic_name(topic)) for topic in topics]
        except RuntimeError as error:
            raise InputError(f"parameter 'imu_topics' holds a name that is not valid: {_reason(error)}") from None
        if len(set(resolved)) < len(resolved):
            raise InputError(f"two sensors share a topic ({', '.join(resolved)}); every sensor needs its own")
        return resolved

    def _advertise(self) -> Any:
        return self.create_publisher(
            MuscleActivation,
            "muscle_activation",
            QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _subscribe(self, index: int, topic: str) -> None:
        # Best effort matches every publisher; the depth bridges a busy moment without loss.
        quality = QoSProfile(
            depth=self.settings.queue_depth,
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy.BEST_EFFORT,
        )
        self.create_subscription(
            Imu,
            topic,
            partial(self._on_imu, index),
            quality,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _on_imu(self, index: int, message: Imu) -> None:
        self._last_arrival = time.monotonic()
        for row in self._aligner.push(index, nanoseconds(message.header.stamp), imu_sample(message)):
            self._step(row)

    def _step(self, row: GridRow) -> None:
        if row.restarted and self._estimator.steps:
            self.get_logger().warning("the stamps have jumped: the buffers start anew")
            self._estimator.reset()
        self._adopt_pending()
        estimate = self._estimator.step(turn_mounts(row.imu, self._rotations))
        if estimate is not None:
            delay = round(self.bundle.config.look_ahead * SECOND / self.bundle.rig.rate)
            self._publish(row.stamp - delay, row, estimate)

    def _publish(self, stamp: int, row: GridRow, estimate: Estimate) -> None:
        age = (self.get_clock().now().nanoseconds - row.newest) / SECOND
        # A step within a gap of all sensors is an extrapolation, however fresh the sample after it.
        if abs(age) > self.settings.stale_after or not np.isfinite(row.imu).any():
            self._publish_stale(stamp, age)
            return
        missing = tuple(name for name, gone in zip(self.bundle.rig.sensor_names, estimate.missing, strict=True) if gone)
        message = self._message(stamp, _status(estimate, missing), age)
        message.activation = estimate.activation.tolist()
        message.activation_std = estimate.deviation.tolist()
        message.missing_sensors = list(missing)
        self._publisher.publish(message)
        self._report(message.status, missing)

    def _publish_stale(self, stamp: int, age: float) -> None:
        message = self._message(stamp, MuscleActivation.STALE, age)
        message.activation = message.activation_std = [float("nan")] * len(message.muscle_names)
        message.missing_sensors = list(self.bundle.rig.sensor_names)
        self._publisher.publish(message)
        self._report(message.status, ())
        if abs(age) > self.settings.stale_after:
            self.get_logger().warning(
                f"the newest IMU stamp is {age:.1f} s {'old' if age > 0 else 'ahead of this clock'}: no estimate; "
                "synchronise the clocks, or set use_sim_time for a replayed bag",
                throttle_duration_sec=WARNING_PERIOD,
            )

    def _message(self, stamp: int, status: int, age: float) -> MuscleActivation:
        bundle = self.bundle
        message = MuscleActivation(
            muscle_names=list(bundle.rig.muscle_names),
            status=status,
            age=age,
            model_id=self.base.model_id,
            calibration_id=bundle.calibration_id,
        )
        message.header.stamp = to_stamp(stamp)
        message.header.frame_id = self.settings.frame_id or self.settings.subject_id or bundle.rig.name
        return message

    def _watch(self) -> None:
        """Say so when no input comes at all; estimates come from ``_on_imu`` alone."""
        self._adopt_pending()
        silent = time.monotonic() - self._last_arrival
        if silent <= self.settings.stale_after:
            return
        self._publish_stale(self.get_clock().now().nanoseconds, float("nan"))
        if silent > WARNING_PERIOD:
            self.get_logger().warning(
                f"no IMU message for {silent:.0f} s on any of {', '.join(self.topics)}; "
                "check the drivers and the topic names",
                throttle_duration_sec=WARNING_PERIOD,
            )

    def _adopt_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._estimator.adopt(pending)
            self._adopted.set()
            self.get_logger().info(f"now running with {self._calibration_text()}")

    def _report(self, status: int, missing: tuple[str, ...]) -> None:
        """Log once when the state changes."""
        if self._reported == (status, missing):
            return
        self._reported = (status, missing)
        if status == MuscleActivation.DEGRADED:
            topics = dict(zip(self.bundle.rig.sensor_names, self.topics, strict=True))
            named = ", ".join(f"{name} ({topics[name]})" for name in missing)
            self.get_logger().warning(f"DEGRADED: masked, wholly or in part: {named}")
        elif status == MuscleActivation.OUT_OF_DISTRIBUTION:
            self.get_logger().warning(
                "OUT_OF_DISTRIBUTION: the motion is unlike the training data; check that every sensor is on its "
                "place and the right way round"
            )
        elif status == MuscleActivation.OK:
            self.get_logger().info("OK: every sensor contributes")

    def _calibration_text(self) -> str:
        calibration = self.bundle.calibration
        return f"calibration {calibration.id}" if calibration else "no calibration"


def _status(estimate: Estimate, missing: tuple[str, ...]) -> int:
    """The most serious that holds: what must not be relied on, then what may be with care."""
    if estimate.out_of_distribution:
        return int(MuscleActivation.OUT_OF_DISTRIBUTION)
    if estimate.warming_up:
        return int(MuscleActivation.WARMING_UP)
    return int(MuscleActivation.DEGRADED if missing else MuscleActivation.OK)


@contextmanager
def _sound_qos_overrides() -> Iterator[None]:
    try:
        yield
    except (ParameterException, RuntimeError, ValueError) as error:
        raise InputError(f"a parameter qos_overrides cannot be used: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What rcl complains of, without its own places in source code."""
    return str(error).splitlines()[0].split(", at /")[0]


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collects Ctrl-C and SIGTERM; unlike KeyboardInterrupt they cannot get lost, or break in anywhere."""
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _initialise(arguments: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise InputError(f"the ROS arguments cannot be used: {_reason(error)}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; the exit status is 2 if it cannot start."""
    with _stop_signals() as stop:
        try:
            _initialise(arguments)
            _spin(EstimatorNode(), stop)
        except InputError as error:
            print(f"{NAME}: {error}", file=sys.stderr)
            return BAD_START
        except ExternalShutdownException:
            pass
        finally:
            try_shutdown()
    return 0


def _spin(node: EstimatorNode, stop: Sequence[int]) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with CalibrationServer(node):
            # The node's own timer ends every wait, so a signal is noticed at once.
            while not stop:
                executor.spin_once()
    finally:
        executor.shutdown()
        node.destroy_node()


if __name__ == "__main__":
    sys.exit(main())
