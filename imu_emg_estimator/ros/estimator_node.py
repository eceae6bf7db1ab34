"""EstimatorNode: Imu topics in, MuscleActivation out; a thin shell around LiveEstimator."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu

from imu_emg_estimator.calibration.calibration_store import calibration_path, current_calibration
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.activation_publisher import ActivationPublisher
from imu_emg_estimator.ros.node_topics import (
    checked_qos_overrides,
    create_estimate_publisher,
    imu_qos,
    imu_topic_names,
    rcl_reason,
    resolve_topics,
)
from imu_emg_estimator.ros.parameter_schema import declare_parameters
from imu_emg_estimator.ros.raw_subscriptions import Arrival, MessageCount, make_receiver
from imu_emg_estimator.signals.grid_alignment import Sample
from imu_emg_estimator.signals.imu_decoder import decode_imu, imu_sample, nanoseconds
from imu_emg_estimator.signals.masked_imu_features import FloatArray
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, OUT_OF_DISTRIBUTION, STALE
from imu_emg_estimator.streaming.engine import AUTO, available_engines
from imu_emg_estimator.streaming.live_estimator import CHECK_PERIOD_S, LiveEstimator, Output
from imu_emg_estimator.streaming.streaming_estimator import PreparedBundle
from imu_emg_estimator.utils.shipped_files import shipped_bundle

NODE_NAME = "imu_emg_estimator"
WARNING_PERIOD_S = 5.0  # between two warnings of one kind
MAX_KEPT_FIGURES = 4000


@dataclass
class NodeStatistics:
    """Counts and latest figures. One thread alone writes them, so that reading them takes no lock.

    Attributes:
        sensors: counts of messages, in the order of the rig.
        estimates: messages published since the start.
        status: of the latest one; None before.
        ages: of the latest estimates [s].
        durations: of the latest steps, from the row to its published estimate [s].
    """

    sensors: list[MessageCount]
    estimates: int = 0
    status: int | None = None
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT_FIGURES))
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT_FIGURES))


class EstimatorNode(Node):
    """Subscribes to the rig's IMUs and publishes an estimate for every step of its grid.

    The thread that calls ``work`` takes the messages, estimates and publishes; no other thread does. Another
    thread's executor serves everything else of the node (parameters, /clock), unless ``spins_itself``.
    Other threads may call ``prepare`` and ``swap``, and read the attributes.

    Attributes:
        settings: values of the parameters.
        base: the subject-independent bundle, and ``base_path`` its file.
        running_path: file of the bundle in use.
        subject: whom the estimates are for; empty = not known.
        topics: full names of the Imu topics, in the order of the rig's sensors.
        statistics: what has been received and published so far.
        spins_itself: ``work`` serves the whole node.

    Raises:
        InputError: a parameter, the bundle or a topic is wrong.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__(NODE_NAME, **node_options)
        self.settings = declare_parameters(self)
        self.base_path = self.settings.bundle or shipped_bundle()
        self.base = Bundle.load(self.base_path)
        self.running_path = self.base_path
        self.subject = self.settings.subject_id
        rig = self.base.rig
        self.statistics = NodeStatistics([MessageCount() for _ in rig.sensors])
        self._live = LiveEstimator(
            self._first_bundle(), self.settings.live, self.settings.engine, self.settings.engine_threads
        )
        self._restarts = 0
        self._pending: tuple[PreparedBundle, str] | None = None
        self._adopted = threading.Event()
        self._logged: tuple[int, tuple[str, ...]] | None = None
        self._last_arrival = self._last_check = time.monotonic()
        names = imu_topic_names(self.settings.imu_topics, rig)
        self.topics = resolve_topics(self, names)
        self._receiver = make_receiver(self)
        self.spins_itself = self._receiver.spins_node
        with checked_qos_overrides():
            self._output = ActivationPublisher(create_estimate_publisher(self), rig.muscle_names)
            for topic in names:
                self._receiver.subscribe(Imu, topic, imu_qos(self.settings.queue_depth))
        self._identify()
        self.get_logger().info(
            f"{self.bundle.model_id}, {self._describe_calibration()}; waiting for {', '.join(self.topics)}"
        )

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._live.bundle

    @property
    def engine(self) -> str:
        """Name of the engine in use."""
        return available_engines()[0] if self.settings.engine == AUTO else self.settings.engine

    @property
    def late_samples(self) -> int:
        """Samples that came after their grid step was over, or twice."""
        return self._live.late_samples

    @property
    def steps(self) -> int:
        """Rows since the start, or since the clock last jumped."""
        return self._live.steps

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return slow statistics of the last seconds' motion and which sensors they cover; for any thread."""
        return self._live.motion()

    def prepare(self, bundle: Bundle) -> PreparedBundle:
        """Prepare another bundle of the same rig for ``swap``; for any other thread. Raises InputError."""
        return self._live.prepare(bundle)

    def swap(self, prepared: PreparedBundle, path: Path, subject: str, timeout: float) -> None:
        """Switch to another bundle, of a subject, between two steps; for any other thread.

        Args:
            path: the bundle's file.
            timeout: s in which ``work`` must take it.

        Raises:
            InputError: it did not.
        """
        self._adopted.clear()
        self._pending = prepared, subject
        if not self._adopted.wait(timeout):
            self._pending = None
            raise InputError(
                "the node did not switch to the new model in time; the model is stored: restart the node to use it"
            )
        self.running_path = path

    def work(self, stop: Sequence[object]) -> None:
        """Estimate until ``stop`` holds something, or the context is shut down."""
        while not stop and self.context.ok():
            arrivals = self._receiver.receive(CHECK_PERIOD_S)
            now = time.monotonic()
            self._adopt_pending()
            if arrivals:
                self._last_arrival = now
                self._process(arrivals)
            if now - self._last_check >= 0.9 * CHECK_PERIOD_S:  # a wait may end a little early
                self._last_check = now
                self._check_input(now)

    def destroy_node(self) -> None:
        """Destroy the node; the thread of ``work`` must have ended."""
        self._receiver.close()
        super().destroy_node()

    # before the first message

    def _first_bundle(self) -> Bundle:
        """Return the calibration in use for the subject, else the base bundle."""
        subject, directory = self.settings.subject_id, self.settings.calibration_directory
        if not subject:
            return self.base
        calibrated, remarks = current_calibration(directory, subject, self.base)
        for remark in remarks:
            self.get_logger().warning(remark)
        if calibrated is None:
            self.get_logger().info(
                f"subject '{subject}' has no calibration of this model in use: the base model estimates; "
                "`imu-emg calibrations list` shows what is stored"
            )
            return self.base
        self.running_path = calibration_path(directory, calibrated)
        return calibrated

    # the path of every message

    def _process(self, arrivals: Sequence[Arrival]) -> None:
        counts, take = self.statistics.sensors, self._live.take
        clock = self._read_clock()
        for received, sensor, payload, sequence in arrivals:
            counts[sensor].add(sequence)
            decoded = decode_imu(payload) or self._deserialise(sensor, payload)
            if decoded is None:
                continue
            start, now = time.perf_counter(), clock()
            arrival = received if received and clock is time.time_ns else now
            if outputs := take(sensor, *decoded, arrival, sequence, now):
                self._publish(outputs)
                self.statistics.durations.append(time.perf_counter() - start)

    def _read_clock(self) -> Callable[[], int]:
        """Return a function that reads the node's clock [ns]: the system's, which the middleware has, or /clock."""
        clock: Any = self.get_clock()
        return (lambda: int(clock.now().nanoseconds)) if clock.ros_time_is_active else time.time_ns

    def _deserialise(self, sensor: int, payload: bytes) -> tuple[int, Sample] | None:
        """Decode bytes that ``decode_imu`` does not know with the middleware, which takes longer; None = not an Imu."""
        try:
            message: Any = deserialize_message(payload, Imu)
        except Exception as error:  # whatever the middleware raises
            self.statistics.sensors[sensor].malformed += 1
            self.get_logger().warning(
                f"dropped a message of {len(payload)} bytes on {self.topics[sensor]}: it is not a sensor_msgs/Imu "
                f"({rcl_reason(error)}); check what publishes there",
                throttle_duration_sec=WARNING_PERIOD_S,
            )
            return None
        return nanoseconds(message.header.stamp), imu_sample(message)

    def _publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self._output.publish(*output)
            if output.status != STALE:
                self.statistics.ages.append(output.age)
            self._count(output)
        if self._restarts != self._live.restarts:
            self._restarts = self._live.restarts
            self.get_logger().warning("the timestamps jumped: the buffers were reset")

    def _count(self, output: Output) -> None:
        """Count a published message; log a change of the status or of the missing sensors, and what keeps it STALE."""
        status, missing = output.status, output.missing
        self.statistics.estimates += 1
        self.statistics.status = status
        if status == STALE and not math.isnan(output.age):
            self.get_logger().warning(
                f"{self._live.cause}: no estimate; synchronise the clocks, or set use_sim_time for a replayed bag",
                throttle_duration_sec=WARNING_PERIOD_S,
            )
        if self._logged != (status, missing):
            self._logged = (status, missing)
            self._log_status(status, missing)

    def _log_status(self, status: int, missing: tuple[str, ...]) -> None:
        if status == DEGRADED:
            topics = dict(zip(self.bundle.rig.sensor_names, self.topics, strict=True))
            named = ", ".join(f"{name} ({topics[name]})" for name in missing)
            self.get_logger().warning(f"DEGRADED: masked, wholly or in part: {named}")
        elif status == OUT_OF_DISTRIBUTION:
            self.get_logger().warning(
                "OUT_OF_DISTRIBUTION: the motion is unlike the training data; check that every sensor is in its "
                "place and the right way round"
            )
        elif status == OK:
            self.get_logger().info("OK: every sensor contributes")

    # another bundle

    def _adopt_pending(self) -> None:
        """Switch to the bundle that another thread handed to ``swap``, if there is one."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        if pending is not None:
            prepared, self.subject = pending
            self._live.adopt(prepared)
            self._identify()
            self._adopted.set()
            self.get_logger().info(f"now in use: {self._describe_calibration()}")

    def _identify(self) -> None:
        """Put subject, model and calibration into the messages from now on."""
        frame_id = self.settings.frame_id or self.subject or self.bundle.rig.name
        self._output.identify(frame_id, self.base.model_id, self.bundle.calibration_id)

    def _describe_calibration(self) -> str:
        calibration = self.bundle.calibration
        if calibration is None:
            return "no calibration"
        return f"calibration {calibration.id} of subject '{calibration.subject}', made {calibration.created}"

    # without input

    def _check_input(self, now: float) -> None:
        """Publish STALE where nothing can be estimated, and warn where nothing comes at all."""
        self._publish(self._live.check(self._read_clock()()))
        silent = now - self._last_arrival
        if silent > WARNING_PERIOD_S:
            self.get_logger().warning(
                f"no IMU message for {silent:.0f} s on any of {', '.join(self.topics)}; "
                "check the drivers and the topic names",
                throttle_duration_sec=WARNING_PERIOD_S,
            )
