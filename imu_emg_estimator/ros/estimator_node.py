"""EstimatorNode: Imu topics in, MuscleActivation out; a thin shell around StreamingEstimator."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu

from imu_emg_estimator.calibration.calibration_store import calibration_path, current_calibration
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.ros.activation_publisher import ActivationPublisher
from imu_emg_estimator.ros.live_counters import SensorCount, Statistics
from imu_emg_estimator.ros.parameters import declare_parameters
from imu_emg_estimator.ros.raw_subscriptions import Arrival, make_receiver
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner, GridRow, Sample
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.imu_message import imu_sample, nanoseconds
from imu_emg_estimator.signals.masked_imu_features import FloatArray, mount_rotations, turn_mounts
from imu_emg_estimator.streaming.engine import AUTO, available_engines
from imu_emg_estimator.streaming.streaming_estimator import Estimate, Prepared, StreamingEstimator
from imu_emg_estimator.utils.shipped_files import shipped_bundle

NAME = "imu_emg_estimator"
WATCH_PERIOD = 0.1  # s between looks at whether estimates still come
WARNING_PERIOD = 5.0  # s between repeated warnings of one kind
WARMING_STEPS = 5  # before the first message: first calls are slow
NAN = float("nan")


class EstimatorNode(Node):
    """Subscribes to the rig's IMUs, publishes an estimate for every step of its grid.

    The thread that calls ``work`` takes the messages, estimates and publishes; no other does. Everything else
    of the node (parameters, /clock) is served by an executor that another thread spins, unless ``spins_itself``.
    Other threads may call ``swap`` and read the attributes.

    Attributes:
        settings: values of the parameters.
        base: the subject-independent bundle, and ``base_path`` its file.
        running_path: file of the bundle in use.
        subject: the subject who is estimated; empty = not known.
        topics: full names of the Imu topics, in the order of the rig's sensors.
        statistics: what has come and gone so far.
        spins_itself: ``work`` serves the whole node.

    Raises:
        InputError: a parameter, the bundle or the topics are wrong.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__(NAME, **node_options)
        self.settings = declare_parameters(self)
        self.base_path = self.settings.bundle or shipped_bundle()
        self.base = Bundle.load(self.base_path)
        self.running_path = self.base_path
        self.subject = self.settings.subject_id
        rig = self.base.rig
        self.statistics = Statistics([SensorCount() for _ in rig.sensors])
        self._estimator = StreamingEstimator(
            self._bundle_at_start(), self.settings.engine, self.settings.engine_threads
        )
        self._rotations = mount_rotations(self.settings.sensor_rotations, len(rig.sensors))
        self._mounts_are_straight = np.array_equal(self._rotations, np.broadcast_to(np.eye(3), self._rotations.shape))
        self._aligner = GridAligner(len(rig.sensors), rig.rate, self.settings.alignment)
        self._pending: tuple[Prepared, str] | None = None
        self._adopted = threading.Event()
        self._reported: tuple[int, tuple[str, ...]] | None = None
        self._last_arrival = self._last_row = self._last_watch = time.monotonic()
        names = self._topics()
        self.topics = self._resolved(names)
        self._receiver = make_receiver(self)
        self.spins_itself = self._receiver.spins_node
        with _sound_qos_overrides():
            self._output = ActivationPublisher(self._advertise(), rig.muscle_names)
            for topic in names:
                self._subscribe(topic)
        self._identify()
        self._warm_up()
        self.get_logger().info(
            f"{self.bundle.model_id}, {self._calibration_text()}; waiting for {', '.join(self.topics)}"
        )

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._estimator.bundle

    @property
    def engine(self) -> str:
        """Name of the engine in use."""
        return available_engines()[0] if self.settings.engine == AUTO else self.settings.engine

    @property
    def late_samples(self) -> int:
        """Samples that came after their grid step was over, or twice."""
        return self._aligner.late_samples

    def work(self, stop: Sequence[object]) -> None:
        """Estimate until ``stop`` holds something, or the context is shut down."""
        while not stop and self.context.ok():
            arrivals = self._receiver.receive(WATCH_PERIOD)
            now = time.monotonic()
            if arrivals:
                self._last_arrival = now
                self._take(arrivals)
            if now - self._last_watch >= 0.9 * WATCH_PERIOD:  # a wait may end a little early
                self._last_watch = now
                self._watch(now)

    @property
    def steps(self) -> int:
        """Rows since the start, or since the clock has jumped."""
        return self._estimator.steps

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """What the subject did in the last seconds: slow statistics, and which sensors they hold; from any thread."""
        return self._estimator.motion()

    def prepare(self, bundle: Bundle) -> Prepared:
        """Another bundle of the same rig, ready to go over to; from any other thread. Raises InputError."""
        return self._estimator.prepare(bundle)

    def swap(self, prepared: Prepared, path: Path, subject: str, timeout: float) -> None:
        """Go over to another bundle, of a subject, between two steps; called from any other thread.

        Raises:
            InputError: the node did not take it within the timeout [s].
        """
        self._adopted.clear()
        self._pending = prepared, subject
        if not self._adopted.wait(timeout):
            self._pending = None
            raise InputError("the node did not go over to the new model in time; it is stored, restart the node")
        self.running_path = path

    def destroy_node(self) -> None:
        """As of any node; the thread of ``work`` must have ended."""
        self._receiver.close()
        super().destroy_node()

    # before the first message

    def _bundle_at_start(self) -> Bundle:
        subject = self.settings.subject_id
        if not subject:
            return self.base
        calibrated, remarks = current_calibration(self.settings.calibration_directory, subject, self.base)
        for remark in remarks:
            self.get_logger().warning(remark)
        if calibrated is None:
            self.get_logger().info(
                f"subject '{subject}' has no calibration of this model in use, the base model estimates; "
                "`imu-emg calibrations list` shows what is stored"
            )
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
            raise InputError(f"parameter 'imu_topics' holds a name that is not valid: {reason(error)}") from None
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

    def _subscribe(self, topic: str) -> None:
        # Best effort matches every publisher; the depth bridges a busy moment without loss.
        quality = QoSProfile(
            depth=self.settings.queue_depth,
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy.BEST_EFFORT,
        )
        self._receiver.subscribe(Imu, topic, quality)

    def _warm_up(self) -> None:
        rest = np.zeros((len(self.bundle.rig.sensors), 6))
        for _ in range(WARMING_STEPS):
            self._estimator.step(rest)
        self._estimator.reset()

    # on the way of every message

    def _take(self, arrivals: Sequence[Arrival]) -> None:
        counts, push = self.statistics.sensors, self._aligner.push
        for _, sensor, payload, sequence in arrivals:
            counts[sensor].note(sequence)
            decoded = decode_imu(payload) or self._decoded_slowly(sensor, payload)
            if decoded is None:
                continue
            timestamp, sample = decoded
            for row in push(sensor, timestamp, sample):
                self._last_row = time.monotonic()
                self._step(row)

    def _decoded_slowly(self, sensor: int, payload: bytes) -> tuple[int, Sample] | None:
        """What the message's own type makes of bytes that ``decode_imu`` does not know."""
        try:
            message: Any = deserialize_message(payload, Imu)
        except Exception as error:  # whatever the middleware raises
            self.statistics.sensors[sensor].malformed += 1
            self.get_logger().warning(
                f"a message of {len(payload)} bytes on {self.topics[sensor]} is no sensor_msgs/Imu ({reason(error)}): "
                "dropped; check what publishes there",
                throttle_duration_sec=WARNING_PERIOD,
            )
            return None
        return nanoseconds(message.header.stamp), imu_sample(message)

    def _step(self, row: GridRow) -> None:
        start = time.perf_counter()
        if row.restarted and self._estimator.steps:
            self.get_logger().warning("the timestamps have jumped: the buffers start anew")
            self._estimator.reset()
        self._adopt_pending()
        imu = row.imu if self._mounts_are_straight else turn_mounts(row.imu, self._rotations)
        estimate = self._estimator.step(imu)
        if estimate is not None:
            delay = round(self.bundle.config.look_ahead * SECOND / self.bundle.rig.rate)
            self._publish(row.timestamp - delay, row, estimate)
        self.statistics.durations.append(time.perf_counter() - start)

    def _publish(self, timestamp: int, row: GridRow, estimate: Estimate) -> None:
        age = (self.get_clock().now().nanoseconds - row.newest) / SECOND
        # A step within a gap of all sensors is an extrapolation, however fresh the sample after it.
        if abs(age) > self.settings.stale_after or (estimate.missing.all() and not np.isfinite(row.imu).any()):
            self._publish_stale(timestamp, age)
            return
        missing: tuple[str, ...] = ()
        if estimate.missing.any():
            names = self.bundle.rig.sensor_names
            missing = tuple(name for name, gone in zip(names, estimate.missing, strict=True) if gone)
        status = _status(estimate, missing)
        self._output.publish(timestamp, status, age, missing, estimate.activation, estimate.deviation)
        self.statistics.ages.append(age)
        self._note(status, missing)

    def _publish_stale(self, timestamp: int, age: float) -> None:
        self._output.publish(timestamp, MuscleActivation.STALE, age, self.bundle.rig.sensor_names, NAN, NAN)
        self._note(MuscleActivation.STALE, ())
        if abs(age) > self.settings.stale_after:
            self.get_logger().warning(
                f"the newest IMU timestamp is {age:.1f} s {'old' if age > 0 else 'ahead of this clock'}: no estimate; "
                "synchronise the clocks, or set use_sim_time for a replayed bag",
                throttle_duration_sec=WARNING_PERIOD,
            )

    def _adopt_pending(self) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        if pending is not None:
            prepared, self.subject = pending
            self._estimator.adopt(prepared)
            self._identify()
            self._adopted.set()
            self.get_logger().info(f"from now on: {self._calibration_text()}")

    def _identify(self) -> None:
        """Who is estimated, with which model."""
        frame_id = self.settings.frame_id or self.subject or self.bundle.rig.name
        self._output.identify(frame_id, self.base.model_id, self.bundle.calibration_id)

    # when nothing comes

    def _watch(self, now: float) -> None:
        """Say so when there is nothing to estimate from; estimates come from ``_step`` alone."""
        self._adopt_pending()
        if now - self._last_row <= self.settings.stale_after:
            return
        self._publish_stale(self.get_clock().now().nanoseconds, NAN)
        silent = now - self._last_arrival
        if silent > WARNING_PERIOD:
            self.get_logger().warning(
                f"no IMU message for {silent:.0f} s on any of {', '.join(self.topics)}; "
                "check the drivers and the topic names",
                throttle_duration_sec=WARNING_PERIOD,
            )

    def _note(self, status: int, missing: tuple[str, ...]) -> None:
        """Count a message; log once when the state changes."""
        self.statistics.estimates += 1
        self.statistics.status = status
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
        if calibration is None:
            return "no calibration"
        return f"calibration {calibration.id} of subject '{calibration.subject}', made {calibration.created}"


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
        raise InputError(f"a parameter qos_overrides cannot be used: {reason(error)}") from None


def reason(error: Exception) -> str:
    """What rcl complains of, without its own places in source code."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(", at /")[0]
