"""Watch a running estimator node: its estimates and its diagnostics."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.ros_environment import NOTHING_COMES
from imu_emg_estimator.guide.watch_panel import EstimatorView, SensorView, status_name
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.ros.command_session import rclpy_session, stop_on_interrupt
from imu_emg_estimator.ros.diagnostics import UNKNOWN_NODE
from imu_emg_estimator.ros.live_rates import LiveRates
from imu_emg_estimator.ros.node_topics import full_topic_name
from imu_emg_estimator.ros.raw_subscriptions import await_topics
from imu_emg_estimator.streaming.activation_status import STALE

ACTIVATION = "imu_emg_estimator/msg/MuscleActivation"
SPIN_TIMEOUT_S = 0.05
MAX_SILENCE_S = 1.0  # a node that runs says at least STALE, every twentieth of a second
FOREVER = math.inf


class NodeWatch:
    """What a node publishes, newest first.

    Args:
        topic: of the estimates.
        received: called with every estimate.
    """

    def __init__(self, node: Node, topic: str, received: Callable[[Any], None] = lambda message: None) -> None:
        self._node, self._topic, self._owner, self._received = node, topic, "", received
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._rates = LiveRates({topic: topic})
        self._newest: Any = None
        self._arrival = 0.0  # of it [s]
        self._diagnostics: dict[str, Any] = {}
        self._seen: Counter[str] = Counter()
        node.create_subscription(MuscleActivation, topic, self._take_estimate, 100)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    @property
    def name(self) -> str:
        """Full name of the node; the topic until the middleware has discovered it."""
        for owner in self._node.get_publishers_info_by_topic(self._topic) if not self._owner else ():
            if owner.node_name != UNKNOWN_NODE:
                self._owner = f"{owner.node_namespace.rstrip('/')}/{owner.node_name}"
        return self._owner or self._topic

    def spin(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=min(left, SPIN_TIMEOUT_S))

    def view(self) -> EstimatorView:
        """Return what is to be seen now."""
        newest = self._newest
        if newest is None:
            return EstimatorView(self.name, None, NOTHING_COMES, 0.0, math.nan, (), (), (), self._sensors(), {})
        calibration = f", calibration {newest.calibration_id}" if newest.calibration_id else ", no calibration"
        text = self._diagnostics.get(f"{self.name}: estimates")
        _, _, cause = text.message.partition(": ") if text else ("", "", "")
        view = EstimatorView(
            title=f"{self.name}, {newest.model_id}{calibration}",
            status=newest.status,
            cause=cause if newest.status else "",
            rate=self._rates.rates()[self._topic],
            age=newest.age,
            muscles=list(newest.muscle_names),
            activation=list(newest.activation),
            deviation=list(newest.activation_std),
            sensors=self._sensors(),
            seen=dict(self._seen),
        )
        return _silent(view, self.silence) if self.is_silent else view

    @property
    def silence(self) -> float:
        """Return for how long no estimate has come [s]."""
        return time.monotonic() - self._arrival

    @property
    def is_silent(self) -> bool:
        """Whether no estimate comes any more."""
        return self.silence > MAX_SILENCE_S

    def _sensors(self) -> Sequence[SensorView]:
        own = f"{self.name}: "
        return [
            _sensor(name.removeprefix(own), values, entry.message)
            for name, entry in self._diagnostics.items()
            if name.startswith(own) and "verdict" in (values := {pair.key: pair.value for pair in entry.values})
        ]

    def _take_estimate(self, message: Any) -> None:
        self._newest, self._arrival = message, time.monotonic()
        self._seen[status_name(message.status)] += 1
        self._rates.note(self._topic)
        self._received(message)

    def _take_diagnostics(self, message: Any) -> None:
        self._diagnostics |= {entry.name: entry for entry in message.status}


def _silent(view: EstimatorView, silence: float) -> EstimatorView:
    """Return what is to be seen of a node that has published nothing for so many s: its last estimate is none now."""
    none = [math.nan] * len(view.muscles)
    cause = f"no message for {silence:.0f} s; see whether the node still runs"
    return replace(view, status=STALE, cause=cause, age=math.nan, activation=none, deviation=none)


def _sensor(name: str, values: dict[str, str], message: str) -> SensorView:
    """Return a sensor by its diagnostics; what is wrong with its topic alone has the verdict ok."""
    advice = "; ".join(filter(None, (values["reason"], values["remedy"]))) or ("" if message == "OK" else message)
    return SensorView(name, float(values["rate [Hz]"]), values["verdict"], advice)


def watch_node(
    topic: str | None,
    seconds: float,
    patience: float,
    show: Callable[[EstimatorView], None],
    ros_arguments: Sequence[str] = (),
) -> EstimatorView:
    """Watch a node until Ctrl-C, or for some seconds; return what was to be seen last.

    Args:
        topic: of its estimates; None = the first in the alphabet that anybody publishes.
        seconds: ``FOREVER`` = until Ctrl-C.
        patience: how long to wait for the topic [s].
        show: called about ten times a second.

    Raises:
        InputError: nobody publishes estimates.
    """
    stopped: list[bool] = []
    with rclpy_session(ros_arguments):
        node = Node("imu_emg_watch", start_parameter_services=False)
        try:
            watch = NodeWatch(node, find_estimates(node, topic, patience))
            end = time.monotonic() + seconds
            with stop_on_interrupt(stopped):
                while not stopped and time.monotonic() < end:
                    watch.spin(min(0.1, max(end - time.monotonic(), 0.01)))
                    show(watch.view())
            return watch.view()
        finally:
            node.destroy_node()


def find_estimates(node: Node, topic: str | None, patience: float) -> str:
    """Return the full name of a topic of estimates that somebody publishes; raises InputError where nobody does."""
    wanted = full_topic_name(node, topic) if topic else None
    alive = await_topics(node, lambda alive: _estimates(alive, wanted), patience)
    if found := _estimates(alive, wanted):
        return found[0]
    where = f" on {wanted}" if wanted else ""
    raise InputError(f"nobody publishes estimates{where} within {patience:g} s; start the node, or give a bag to watch")


def _estimates(alive: dict[str, str], wanted: str | None) -> list[str]:
    return sorted(name for name, kind in alive.items() if kind == ACTIVATION and wanted in (None, name))
