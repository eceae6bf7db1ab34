"""Whether the topics of a rig are there and sound, and whether an estimator runs: judged as the node would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from difflib import get_close_matches

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from imu_emg_estimator.bags import IMU_TYPE, TopicMissing
from imu_emg_estimator.bags.topic_names import listed
from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.guide.ros_environment import NOTHING_COMES
from imu_emg_estimator.guide.topic_search import find_topics
from imu_emg_estimator.guide.watch_panel import EstimatorView, status_name
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.command_session import rclpy_session
from imu_emg_estimator.ros.diagnostics import LEVELS, qos_mismatch_of
from imu_emg_estimator.ros.live_rates import LiveRates
from imu_emg_estimator.ros.node_topics import imu_topic_names, resolve_topics
from imu_emg_estimator.ros.node_watch import ACTIVATION, NodeWatch
from imu_emg_estimator.ros.raw_subscriptions import TopicStream, await_topics
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.sensor_clock import TOLERANCE_S
from imu_emg_estimator.signals.sensor_verdict import Verdict
from imu_emg_estimator.streaming.sensor_watch import SensorWatch

DISCOVERY_TIME_S = 2.0
LONG_DISCOVERY_TIME_S = 2.0  # more, where nothing was found: this computer may be busy
POLL_PERIOD_S = 0.05
SPIN_TIME_S = 0.005
OF_INTEREST = {IMU_TYPE, ACTIVATION}
OF_DIAGNOSTICS = {DiagnosticStatus.OK: Level.OK, DiagnosticStatus.WARN: Level.WARNING}


def live_findings(
    bundle: Bundle, imu_topics: Sequence[str] | None, seconds: float, ros_arguments: Sequence[str]
) -> list[Finding]:
    """Listen for some seconds to the sensors of a bundle's rig, and to an estimator.

    Args:
        imu_topics: in the order of the rig; None = as the node names them, else found by the sensors' names.

    Raises:
        InputError: ROS refuses its arguments, or the topics do not fit the rig.
    """
    with rclpy_session(ros_arguments):
        node = Node("imu_emg_doctor", start_parameter_services=False)
        try:
            return LiveTopics(node, bundle, imu_topics).findings(seconds)
        finally:
            node.destroy_node()


class LiveTopics:
    """Topics that are published, those that the node would subscribe to, and those found instead.

    Args:
        imu_topics: see ``live_findings``.
    """

    def __init__(self, node: Node, bundle: Bundle, imu_topics: Sequence[str] | None) -> None:
        self._node, self._bundle = node, bundle
        self._expected = resolve_topics(node, imu_topic_names(imu_topics, bundle.rig))
        self._alive = await_topics(node, lambda alive: False, DISCOVERY_TIME_S)
        if not OF_INTEREST & set(self._alive.values()):
            self._alive = await_topics(node, lambda alive: OF_INTEREST & set(alive.values()), LONG_DISCOVERY_TIME_S)
        self._imus = sorted(topic for topic, kind in self._alive.items() if kind == IMU_TYPE)
        self._estimates = sorted(topic for topic, kind in self._alive.items() if kind == ACTIVATION)
        self._search: list[Finding] = []
        self._topics = self._find(imu_topics is not None)
        self._watch = SensorWatch(bundle, (), TOLERANCE_S)
        self._rates: dict[str, float] = {}

    def findings(self, seconds: float) -> list[Finding]:
        """Listen, and judge."""
        estimator = NodeWatch(self._node, self._estimates[0]) if self._estimates else None
        if estimator or any(self._topics):
            self._listen(seconds, estimator)
        return [*self._sensors(), _estimator(estimator.view() if estimator else None, self._estimates)]

    def _find(self, is_given: bool) -> list[str | None]:
        """Return the topic of every sensor, None where it has none."""
        found = [topic if topic in self._imus else None for topic in self._expected]
        if is_given or None not in found:
            return found
        try:
            by_name = find_topics(self._alive, self._bundle.rig).sensors
        except TopicMissing as error:
            self._search.append(Finding("Imu topics", Level.PROBLEM, str(error)))
            return found
        return [own or (other if other not in found else None) for own, other in zip(found, by_name, strict=True)]

    def _listen(self, seconds: float, estimator: NodeWatch | None) -> None:
        sensors = {topic: index for index, topic in enumerate(self._topics) if topic}
        rates, end = LiveRates({topic: topic for topic in sensors}), time.monotonic() + seconds
        with TopicStream(dict.fromkeys(sensors, IMU_TYPE), self._node.context) as stream:
            while time.monotonic() < end:
                for topic, arrival, payload in stream.take(POLL_PERIOD_S):
                    rates.note(topic)
                    if decoded := decode_imu(payload):
                        self._watch.take(sensors[topic], *decoded, arrival, None)
                self._rates = rates.rates()
                if estimator:
                    estimator.spin(SPIN_TIME_S)
        self._watch.update(time.time_ns())

    def _sensors(self) -> list[Finding]:
        if not self._imus and not set(self._expected) & set(self._alive):
            text = "none is published, so no sensor was checked; start their drivers, and compare domain and discovery"
            return [Finding("Imu topics", Level.WARNING, text)]
        names = self._bundle.rig.sensor_names
        sensors = [self._sensor(index, name) for index, name in enumerate(names)]
        return [Finding("Imu topics", Level.OK, f"{len(self._imus)}: {listed(self._imus)}"), *self._search, *sensors]

    def _sensor(self, index: int, name: str) -> Finding:
        expected, topic, state = self._expected[index], self._topics[index], self._watch.states[index]
        if topic is None:
            return Finding(name, Level.PROBLEM, self._missing(expected))
        said, level = [f"{topic}, {self._rates[topic]:.3g} Hz (rig: {self._bundle.rig.rate:.3g} Hz)"], Level.OK
        if topic != expected:
            level = Level.WARNING
            said.append(f"the node listens to {expected}: set its parameter imu_topics, or remap")
        if not self._rates[topic]:
            level = Level.PROBLEM
            said.append(NOTHING_COMES)
        elif state.verdict is not Verdict.OK:
            level = Level.PROBLEM if state.masked else Level.WARNING
            said.append(f"{state.verdict.value}: {state.reason}; {state.remedy}")
        if mismatch := _mismatch(self._node, topic):
            level = Level.PROBLEM
            said.append(mismatch)
        return Finding(name, level, "; ".join(said))

    def _missing(self, expected: str) -> str:
        """Say that a topic is missing, and which one may be meant."""
        if kind := self._alive.get(expected):
            return f"{expected} is of type {kind}; let its driver publish {IMU_TYPE}"
        nearest = get_close_matches(expected, [topic for topic in self._imus if topic not in self._topics], 1)
        if nearest:
            return f"no topic {expected}; if it is {nearest[0]}, say so in the parameter imu_topics, or remap"
        return f"no topic {expected}; start its driver"


def _mismatch(node: Node, topic: str) -> str:
    """Return which subscriber of a topic cannot hear a publisher, and why; empty = none."""
    for subscriber in node.get_subscriptions_info_by_topic(topic):
        if reason := qos_mismatch_of(node, topic, [subscriber.qos_profile]):
            return f"{subscriber.node_name} hears nothing{reason}"
    return ""


def _estimator(view: EstimatorView | None, topics: Sequence[str]) -> Finding:
    if view is None:
        text = "none runs; to start it, ros2 launch imu_emg_estimator estimator.launch.py"
        return Finding("estimator", Level.OK, text)
    cause = f": {view.cause}" if view.cause else ""
    others = f"; also published: {listed(topics[1:])}" if topics[1:] else ""
    level = OF_DIAGNOSTICS.get(LEVELS.get(view.status, DiagnosticStatus.ERROR), Level.PROBLEM)
    return Finding("estimator", level, f"{view.title} is {status_name(view.status)}{cause}{others}")
