"""Publish the state of the estimates, the calibration and every sensor on /diagnostics, once a second."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from imu_emg_estimator.model import sensor_drift as drift
from imu_emg_estimator.model.told_by_motion import little_told
from imu_emg_estimator.ros.raw_subscriptions import MessageCount
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming import activation_status as status
from imu_emg_estimator.streaming.drift_monitor import DriftMonitor
from imu_emg_estimator.streaming.sensor_watch import SensorReport

if TYPE_CHECKING:
    from imu_emg_estimator.ros.estimator_node import EstimatorNode

REPORT_PERIOD_S = 1.0
UNKNOWN_NODE = "_NODE_NAME_UNKNOWN_"  # what rmw calls a node, this one too, until it has discovered its name
TWO_PUBLISHERS = SensorState(  # where the middleware numbers no messages, which shows it at once
    Verdict.TWO_PUBLISHERS, "has several publishers on its topic", "stop all but one", masked=True
)
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
LEVELS = {
    None: ERROR,
    status.OK: OK,
    status.WARMING_UP: WARN,
    status.DEGRADED: WARN,
    status.STALE: ERROR,
    status.OUT_OF_DISTRIBUTION: WARN,
}


class Diagnostics:
    """Publishes from the executor that spins the node, not on the data thread; a context manager."""

    def __init__(self, node: EstimatorNode) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._last_counts = [MessageCount() for _ in node.topics]
        self._used = [(0, 0)] * len(node.topics)  # rows with the sensor, and all
        self._others = ""
        self._estimates = 0
        self._time = time.monotonic()
        self._drift = DriftMonitor()
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # with use_sim_time the ROS clock may stand still
        self._timers = [
            node.create_timer(REPORT_PERIOD_S, self._report, clock=steady),
            node.create_timer(drift.ROW_PERIOD_S, lambda: self._drift.update(node.live), clock=steady),
        ]

    def __enter__(self) -> Diagnostics:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers:
            self._node.destroy_timer(timer)
        self._node.destroy_publisher(self._publisher)

    def _report(self) -> None:
        now = time.monotonic()
        elapsed, self._time = now - self._time, now
        message = DiagnosticArray(status=[self._estimation(elapsed), self._calibration(), *self._sensors(elapsed)])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _estimation(self, elapsed: float) -> DiagnosticStatus:
        node, statistics = self._node, self._node.statistics
        # Each copied at once, as the data thread appends meanwhile.
        ages, durations = list(statistics.ages), list(statistics.durations)
        statistics.ages.clear()
        statistics.durations.clear()
        published, self._estimates = statistics.estimates - self._estimates, statistics.estimates
        level, text = LEVELS[statistics.status], self._estimates_text()
        if sentence := little_told(node.base.scores):
            level, text = max(level, WARN), f"{text}; {sentence}"
        if others := self._other_estimators():
            level, text = ERROR, f"{others} on {node.output_topic}, too: stop one, or give it a namespace; {text}"
        values = {
            "rate [Hz]": f"{published / elapsed:.1f}",
            "age p50 [ms]": f"{1e3 * percentile(ages, 0.5):.2f}",
            "age p99 [ms]": f"{1e3 * percentile(ages, 0.99):.2f}",
            "step p50 [ms]": f"{1e3 * percentile(durations, 0.5):.3f}",
            "step p99 [ms]": f"{1e3 * percentile(durations, 0.99):.3f}",
            "late samples": str(node.live.late_samples),
            "stale after [s]": f"{node.settings.stale_after:g}",
            "engine": node.engine,
            "model": node.base.model_id,
            "calibration": node.bundle.calibration_id or "none",
        }
        return _status(level, f"{node.get_fully_qualified_name()}: estimates", text, "", values)

    def _estimates_text(self) -> str:
        current = self._node.statistics.status
        if current is None:
            return "no estimate was published yet"
        cause = self._node.live.cause
        return f"{status.NAMES[current]}: {cause}" if cause else status.NAMES[current]

    def _other_estimators(self) -> str:
        """Return who else publishes estimates on this node's topic, and log it when that changes; empty = nobody."""
        node = self._node
        publishers = node.get_publishers_info_by_topic(node.output_topic)
        names = sorted(
            f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            for info in publishers
            if info.node_name != UNKNOWN_NODE
        )
        if node.get_fully_qualified_name() in names:
            names.remove(node.get_fully_qualified_name())
        others = f"{', '.join(names)} publish{'es' if len(names) == 1 else ''}" if names else ""
        if others != self._others:
            self._others = others
            if others:
                node.get_logger().error(f"{others} on {node.output_topic}, too: stop one, or give it a namespace")
            else:
                node.get_logger().info(f"nobody else publishes on {node.output_topic} any more")
        return others

    def _calibration(self) -> DiagnosticStatus:
        """Report whether the calibration still fits how the subject moves."""
        node, found, calibration = self._node, self._drift.drift, self._node.bundle.calibration
        level, text = OK, self._drift.obstacle or "the subject moves as in the calibration"
        if sentence := self._drift.message:
            level, text = WARN, sentence
        elif found is None and not self._drift.obstacle:
            text = "too little movement yet to compare with the calibration"
        values = {
            "calibration": calibration.id if calibration else "none",
            "subject": node.subject,
            "made": calibration.created if calibration else "",
            "recalibrate": str(bool(sentence)).lower(),
            "movement changed by [deviations]": f"{found.changed if found else math.nan:.2f}",
        }
        for index, name in enumerate(node.base.rig.sensor_names):
            values[f"{name} turned by [deg]"] = f"{found.turned[index] if found else math.nan:.0f}"
        return _status(level, f"{node.get_fully_qualified_name()}: calibration", text, "", values)

    def _sensors(self, elapsed: float) -> list[DiagnosticStatus]:
        names = self._node.base.rig.sensor_names
        return [self._sensor(sensor, name, elapsed) for sensor, name in enumerate(names)]

    def _sensor(self, sensor: int, name: str, elapsed: float) -> DiagnosticStatus:
        node, topic = self._node, self._node.topics[sensor]
        count, before = node.statistics.sensors[sensor], self._last_counts[sensor]
        received, lost = count.received - before.received, count.lost - before.lost
        malformed = count.malformed - before.malformed
        before.received, before.lost, before.malformed = count.received, count.lost, count.malformed
        report, publishers = node.live.report(sensor), node.count_publishers(topic)
        node.live.judge(sensor, TWO_PUBLISHERS if publishers > 1 and not count.has_sequence else GOOD)
        state, clock = report.state, report.clock
        level, text = OK, f"OK: {state.reason}" if state.reason else "OK"
        if not received:
            level, text = ERROR, f"no message on {topic}{qos_mismatch(node, topic)}"
        elif malformed:
            level, text = WARN, f"{malformed} messages on {topic} could not be decoded"
        elif publishers > 1:
            level = ERROR if state.masked else WARN
            text = f"{publishers} publishers on {topic}: every sensor needs a topic of its own"
        elif state.verdict is not Verdict.OK:
            level, text = ERROR if state.masked else WARN, f"{state.verdict.value}: {state.reason}; {state.remedy}"
        elif lost:
            level, text = WARN, f"{lost} messages on {topic} were lost in transit"
        values = {
            "rate [Hz]": f"{received / elapsed:.1f}",
            "received": str(count.received),
            "lost": str(count.lost),
            "malformed": str(count.malformed),
            "verdict": state.verdict.value,
            "reason": state.reason,
            "remedy": state.remedy,
            "masked": str(state.masked).lower(),
            "samples used [%]": f"{100 * self._share_used(sensor, report):.0f}",
            "clock offset [ms]": f"{1e3 * clock.offset:.1f}",
            "clock drift [ms/s]": f"{1e3 * clock.drift:.2f}",
            "clock policy": clock.policy.value,
            "publishers": str(publishers),
        }
        return _status(level, f"{node.get_fully_qualified_name()}: {name}", text, topic, values)

    def _share_used(self, sensor: int, report: SensorReport) -> float:
        """Return the share of the rows since the last report in which the network had the sensor."""
        used, rows = report.used - self._used[sensor][0], report.rows - self._used[sensor][1]
        self._used[sensor] = report.used, report.rows
        return used / rows if rows else 0.0


def qos_mismatch(node: Node, topic: str) -> str:
    """Return why the node's subscription cannot receive from the topic's publishers; empty = it can."""
    own = [subscription.qos_profile for subscription in node.subscriptions if subscription.topic_name == topic]
    return qos_mismatch_of(node, topic, own)


def qos_mismatch_of(node: Node, topic: str, subscribed: Sequence[QoSProfile]) -> str:
    """Return why subscriptions with these QoS cannot receive from the topic's publishers; empty = they can."""
    for profile in subscribed:
        for publisher in node.get_publishers_info_by_topic(topic):
            compatibility, why = qos_check_compatible(publisher.qos_profile, profile)
            if compatibility == QoSCompatibility.ERROR:
                return f": the QoS of {publisher.node_name} does not match ({why.strip(' ;')}); change qos_overrides"
    return ""


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of the values does not exceed; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _status(level: bytes, name: str, text: str, hardware: str, values: dict[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=text,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
