"""EstimatorNode: Imu topics in, MuscleActivation out; a thin shell around LiveEstimator."""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu

from imu_emg_estimator.calibration.calibration_store import calibration_path, current_calibration
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.activation_publisher import ActivationPublisher
from imu_emg_estimator.ros.calibration_services import CalibrationServer, companion_node
from imu_emg_estimator.ros.diagnostics import Diagnostics
from imu_emg_estimator.ros.managed_node import ManagedNode
from imu_emg_estimator.ros.node_clock import SIMULATED_TOLERANCE_S, NodeClock
from imu_emg_estimator.ros.node_parameters import declare_parameters, naming_parameter, take_changes
from imu_emg_estimator.ros.node_statistics import NodeStatistics
from imu_emg_estimator.ros.node_topics import (
    checked_qos_overrides,
    create_estimate_publisher,
    create_named_publisher,
    imu_qos,
    imu_topic_names,
    rcl_reason,
    resolve_topics,
)
from imu_emg_estimator.ros.parameter_schema import NodeSettings
from imu_emg_estimator.ros.raw_subscriptions import Arrival, MessageCount, Receiver, make_receiver
from imu_emg_estimator.ros.risky_settings import risky_settings
from imu_emg_estimator.ros.startup_checks import unknown_overrides
from imu_emg_estimator.ros.status_log import StatusLog
from imu_emg_estimator.ros.turn_gate import TurnGate
from imu_emg_estimator.signals.grid_alignment import Sample
from imu_emg_estimator.signals.imu_decoder import decode_imu, imu_sample, nanoseconds
from imu_emg_estimator.signals.sensor_clock import TOLERANCE_S
from imu_emg_estimator.streaming.activation_status import STALE
from imu_emg_estimator.streaming.engine import EngineWarning, skipped_engines
from imu_emg_estimator.streaming.live_estimator import CHECK_PERIOD_S, LiveEstimator, Output
from imu_emg_estimator.streaming.streaming_estimator import PreparedBundle
from imu_emg_estimator.utils.garbage_collection import exclude_from_collection, return_to_collection
from imu_emg_estimator.utils.shipped_files import shipped_bundle

NODE_NAME = "imu_emg_estimator"
WARNING_PERIOD_S = 5.0  # between two warnings of one kind


class EstimatorNode(ManagedNode):
    """Subscribes to the rig's IMUs and publishes an estimate for every step of its grid.

    The thread that calls ``work`` takes the messages and estimates while the node is inactive, too, and publishes
    while it is active; no other thread does. Another thread's executor serves everything else of the node
    (transitions, parameters, /clock). Other threads may call ``prepare`` and ``swap``, and read the attributes.

    Attributes:
        settings: values of the parameters.
        is_active: estimates are published.
        base: the subject-independent bundle, and ``base_path`` its file; like all that follow, since ``configure``.
        live: the estimator in use.
        running_path: file of the bundle in use.
        subject: whom the estimates are for; empty = not known.
        topics: full names of the Imu topics, in the order of the rig's sensors.
        statistics: what has been received and published so far.

    Raises:
        InputError: a parameter is wrong.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__(NODE_NAME, **node_options)
        self.settings = declare_parameters(self)
        self.is_active = False
        self._gate = TurnGate()
        self._receiver: Receiver | None = None
        self._companion = companion_node(self)
        take_changes(self, lambda: self.settings, lambda: self._receiver is not None, self._use)
        self._warn(unknown_overrides(self, of_topics=False))
        self._held = ExitStack()  # what ``configure`` made, to be released in reverse order

    # transitions

    def configure(self) -> None:
        """Load the bundle, warm up, subscribe and serve; raises InputError for what is wrong."""
        self.base_path = self.settings.bundle or shipped_bundle()
        with naming_parameter("bundle" if self.settings.bundle else ""):
            self.base = Bundle.load(self.base_path)
        self.subject = self.settings.subject_id
        rig = self.base.rig
        self._warn(risky_settings(self.settings, rig.rate))
        self.statistics = NodeStatistics([MessageCount() for _ in rig.sensors])
        self._timing = NodeClock(self)
        bundle, self.running_path = self._bundle_of(self.settings)
        warnings.simplefilter("ignore", EngineWarning)  # the log says it
        self.live = self._make_live(bundle, self.settings)
        self._warn(skipped_engines())
        self._restarts = 0
        self._last_check = time.monotonic()
        names = imu_topic_names(self.settings.imu_topics, rig)
        self.topics = resolve_topics(self, names)
        with checked_qos_overrides(self):
            self._publisher = create_estimate_publisher(self)
            self._held.callback(self.destroy_publisher, self._publisher)
            by_name = create_named_publisher(self) if self.settings.plot_by_name else None
            if by_name:
                self._held.callback(self.destroy_publisher, by_name)
            receiver = make_receiver(self, is_served=True)
            self._held.callback(self._close_receiver, receiver)
            for topic in names:
                receiver.subscribe(Imu, topic, imu_qos(self.settings.queue_depth))
        self._output = ActivationPublisher(self._publisher, rig.muscle_names, by_name)
        self._log = StatusLog(
            self._say, [f"{name} ({topic})" for name, topic in zip(rig.sensor_names, self.topics, strict=True)]
        )
        self._identify()
        self._held.enter_context(Diagnostics(self))
        self._calibrations = self._held.enter_context(CalibrationServer(self, self._companion))
        self._warn(unknown_overrides(self, of_topics=True))
        exclude_from_collection()
        self._receiver = receiver  # from here on ``work`` uses all of it
        self.get_logger().info(
            f"{self.bundle.model_id}, {self._describe_calibration()}; waiting for {', '.join(self.topics)}"
        )

    def activate(self) -> None:
        """Publish from the next estimate on."""
        self.is_active = True

    def deactivate(self) -> None:
        """Publish a last STALE, so that a controller need not wait for its deadline, and then nothing."""
        with self._gate.change():
            was_active, self.is_active = self.is_active, False
            if was_active and self.context.ok():
                now = self._timing.read()
                self._output.publish(now, STALE, math.nan, self.bundle.rig.sensor_names, math.nan, math.nan)

    def cleanup(self) -> None:
        """End a running calibration, and release the topics and services."""
        self._held.close()
        return_to_collection()

    def _close_receiver(self, receiver: Receiver) -> None:
        with self._gate.change():
            self._receiver = None
            receiver.close()

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self.live.bundle

    @property
    def engine(self) -> str:
        """Name of the engine in use."""
        return self.live.engine_name

    @property
    def output_topic(self) -> str:
        """Full name of the topic of the estimates."""
        return str(self.resolve_topic_name("muscle_activation"))

    def prepare(self, bundle: Bundle) -> PreparedBundle:
        """Prepare another bundle of the same rig for ``swap``; for any other thread. Raises InputError."""
        return self.live.prepare(bundle)

    def swap(self, prepared: PreparedBundle, path: Path, subject: str, timeout: float) -> None:
        """Switch to another bundle, of a subject, between two steps; for any other thread.

        Args:
            path: the bundle's file.
            timeout: s in which ``work`` must take it.

        Raises:
            InputError: it did not.
        """
        try:
            with self._gate.change(timeout):
                self.live.adopt(prepared)
                self.subject = subject
                self._identify()
        except TimeoutError:
            raise InputError(
                "the node did not switch to the new model in time; the model is stored: restart the node to use it"
            ) from None
        self.running_path = path
        self.get_logger().info(f"now in use: {self._describe_calibration()}")

    def work(self, stop: Sequence[object]) -> None:
        """Estimate until ``stop`` holds something, the node is shut down, or its context is."""
        try:
            while not stop and not self.finalized and self.context.ok():
                with self._gate.turn():
                    if self._receiver is not None:
                        self._take_turn(self._receiver)
                if self._receiver is None:
                    time.sleep(CHECK_PERIOD_S)
        finally:
            self.deactivate()

    def destroy_node(self) -> None:
        """Destroy the node; the thread of ``work`` must have ended."""
        self.cleanup()
        self._companion.destroy_node()
        super().destroy_node()

    # settings

    def _use(self, settings: NodeSettings) -> None:
        """Use other settings from the next step on; raises InputError where they do not fit."""
        before = self.settings
        if self._receiver is None:
            self.settings = settings
            return
        with self._calibrations.idle():
            subject, bundle, path, live = self.subject, self.bundle, self.running_path, self.live
            if settings.subject_id != before.subject_id:
                subject, (bundle, path) = settings.subject_id, self._bundle_of(settings)
            if bundle is not self.bundle or _estimates_otherwise(settings, before):
                live = self._make_live(bundle, settings)
            with self._gate.change():
                self.settings, self.subject, self.running_path, self.live = settings, subject, path, live
                self._restarts = live.restarts
                self._identify()
        rate = self.base.rig.rate
        known = risky_settings(before, rate)
        self._warn(risk for risk in risky_settings(settings, rate) if risk not in known)

    def _make_live(self, bundle: Bundle, settings: NodeSettings) -> LiveEstimator:
        tolerance = SIMULATED_TOLERANCE_S if self._timing.is_simulated else TOLERANCE_S
        return LiveEstimator(bundle, settings.live(tolerance), settings.engine, settings.engine_threads)

    def _bundle_of(self, settings: NodeSettings) -> tuple[Bundle, Path]:
        """Return the calibration in use for the subject, else the base bundle, and its file."""
        subject, directory = settings.subject_id, settings.calibration_directory
        if not subject:
            return self.base, self.base_path
        with naming_parameter("subject_id"):
            calibrated, remarks = current_calibration(directory, subject, self.base)
        self._warn(remarks)
        if calibrated is None:
            self.get_logger().info(
                f"subject '{subject}' has no calibration of this model in use: the base model estimates; "
                "`imu-emg calibrations list` shows what is stored"
            )
            return self.base, self.base_path
        return calibrated, calibration_path(directory, calibrated)

    def _warn(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self.get_logger().warning(sentence)

    # the path of every message

    def _take_turn(self, receiver: Receiver) -> None:
        arrivals = receiver.receive(CHECK_PERIOD_S)
        obstacle = self._timing.obstacle()
        if self._timing.was_set():
            self.live.forget_clocks()
        if arrivals:
            self._process(arrivals, not obstacle)
        now = time.monotonic()
        if now - self._last_check >= 0.9 * CHECK_PERIOD_S:  # a wait may end a little early
            self._last_check = now
            self._check_input(obstacle)

    def _process(self, arrivals: Sequence[Arrival], has_time: bool) -> None:
        counts, plausible, read = self.statistics.sensors, self.settings.plausible, self._timing.read
        is_simulated = self._timing.is_simulated
        for received, sensor, payload, sequence in arrivals:
            counts[sensor].add(sequence)
            decoded = decode_imu(payload, plausible) or self._deserialise(sensor, payload)
            if decoded is None or not has_time:
                continue
            start, now = time.perf_counter(), read()
            arrival = received if received and not is_simulated else now
            try:
                outputs = self.live.take(sensor, *decoded, arrival, sequence, now)
            except Exception:  # none is known; but a robot must not lose its estimates to one message
                self._log_fault(traceback.format_exc())
                continue
            if outputs:
                self._publish(outputs)
                self.statistics.durations.append(time.perf_counter() - start)

    def _log_fault(self, trace: str) -> None:
        self.get_logger().error(
            f"a message could not be used, which is a fault of this node; please report it: {trace}",
            throttle_duration_sec=WARNING_PERIOD_S,
        )

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
        return nanoseconds(message.header.stamp), imu_sample(message, self.settings.plausible)

    def _publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs if self.is_active else ():
            self._output.publish(*output)
            if output.status != STALE:
                self.statistics.ages.append(output.age)
            self._count(output)
        if self._restarts != self.live.restarts:
            self._restarts = self.live.restarts
            self.get_logger().warning(
                "all timestamps jumped: the buffers were reset", throttle_duration_sec=WARNING_PERIOD_S
            )

    def _count(self, output: Output) -> None:
        """Count a published message, and log what it changes."""
        self.statistics.estimates += 1
        self.statistics.status = output.status
        self._log.note(output.status, self.live.cause, self.live.states, time.monotonic())

    def _say(self, text: str, is_warning: bool) -> None:
        if is_warning:  # two places: rclpy refuses another severity from the same one
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)

    # another bundle

    def _identify(self) -> None:
        """Put subject, model and calibration into the messages from now on."""
        frame_id = self.settings.frame_id or self.subject or self.bundle.rig.name
        self._output.identify(frame_id, self.bundle.model_id, self.bundle.calibration_id)

    def _describe_calibration(self) -> str:
        calibration = self.bundle.calibration
        if calibration is None:
            return "no calibration"
        return f"calibration {calibration.id} of subject '{calibration.subject}', made {calibration.created}"

    # without input

    def _check_input(self, obstacle: str) -> None:
        """Publish STALE where nothing can be estimated."""
        now = self._timing.read()
        self._publish([self.live.fail(now, obstacle)] if obstacle else self.live.check(now))
        self._publisher.assert_liveliness()


def _estimates_otherwise(settings: NodeSettings, before: NodeSettings) -> bool:
    return (settings.live(0.0), settings.engine, settings.engine_threads) != (
        before.live(0.0),
        before.engine,
        before.engine_threads,
    )
