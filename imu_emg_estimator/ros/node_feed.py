"""NodeFeed: what a running node publishes, for the page of ``imu-emg view``, whose buttons call its services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node

from imu_emg_estimator.bags.message_types import EMG_TYPE
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.msg import CalibrationStatus, Emg
from imu_emg_estimator.recording import MAX_SIGNAL_RATE_HZ
from imu_emg_estimator.ros.calibration_status import LATCHED
from imu_emg_estimator.ros.command_session import rclpy_session, stop_on_interrupt
from imu_emg_estimator.ros.guide_calibrator import NodeCalibrator, find_estimator
from imu_emg_estimator.ros.node_calls import call_calibrate, call_cancel, call_reset, muscle_lines
from imu_emg_estimator.ros.node_topics import full_topic_name
from imu_emg_estimator.ros.node_watch import NodeWatch, find_estimates
from imu_emg_estimator.ros.raw_subscriptions import alive_topics
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import nanoseconds
from imu_emg_estimator.view.body_places import figure_of_names
from imu_emg_estimator.view.emg_level import EmgLevel
from imu_emg_estimator.view.live_history import LiveHistory
from imu_emg_estimator.view.page_server import Action, serving

SHOW_PERIOD_S = 0.1
SEARCH_S = 3.0  # for the node's services
MAX_CLOCK_OFFSET_NS = SECOND  # of the EMG; beyond, it counts as of now
STATES = ("idle", "running", "succeeded", "failed", "cancelled")  # of CalibrationStatus, by value
Call = Callable[[NodeCalibrator, Mapping[str, Any]], dict[str, Any]]


class NodeFeed:
    """Fills a history with what a node publishes; ``actions`` call its services.

    Args:
        topic: of the estimates; None = the first in the alphabet, as soon as there is one.
        emg_topic: None = the first of type Emg.

    Raises:
        InputError: a topic is not a valid name.
    """

    def __init__(self, node: Node, topic: str | None, emg_topic: str | None, history: LiveHistory) -> None:
        self._node, self._history = node, history
        self._topic, self._emg_topic = (name and full_topic_name(node, name) for name in (topic, emg_topic))
        self._watch: NodeWatch | None = None
        self._muscles: list[str] = []
        self._levels: dict[tuple[str, ...], EmgLevel] = {}  # by channels
        self._newest = 0  # instant of the newest estimate [ns]
        self._sources: dict[str, tuple[str, Any]] = {}  # topics and subscriptions beside those of the watch
        self._calls: dict[str, threading.Thread] = {}
        calls: dict[str, Call] = {
            "calibrate": _calibrate,
            "cancel": lambda calibrator, fields: call_cancel(calibrator),
            "reset": lambda calibrator, fields: call_reset(calibrator, "", "", bool(fields.get("previous"))),
        }
        self.actions: Mapping[str, Action] = {name: self._action(name, call) for name, call in calls.items()}
        history.show(kind="node", silent=True, rescaled=None)

    def step(self) -> None:
        """Take what comes for a while, and show it."""
        if self._watch is None:
            with suppress(InputError):
                self._watch = NodeWatch(
                    self._node, find_estimates(self._node, self._topic, SHOW_PERIOD_S), self._receive
                )
            return
        self._watch.spin(SHOW_PERIOD_S)
        view = self._watch.view()
        figure = figure_of_names([own.name for own in view.sensors])
        self._history.show(view=view.to_dict(), silent=self._watch.is_silent, figure=figure)
        self._subscribe(
            "calibration", CalibrationStatus, f"{self._watch.name}/calibration_status", self._receive_status
        )
        if "emg" not in self._sources:
            found = sorted(name for name, kind in alive_topics(self._node).items() if kind == EMG_TYPE)
            if topic := next((name for name in found if self._emg_topic in (None, name)), None):
                self._subscribe("emg", Emg, topic, self._receive_emg)

    def _subscribe(self, what: str, kind: Any, topic: str, receive: Callable[[Any], None]) -> None:
        """Subscribe to a topic, unless that is done; the node may have got another name."""
        known, old = self._sources.get(what, ("", None))
        if known != topic:
            if old is not None:
                self._node.destroy_subscription(old)
            qos = LATCHED if kind is CalibrationStatus else 100
            self._sources[what] = topic, self._node.create_subscription(kind, topic, receive, qos)

    def _receive(self, message: Any) -> None:
        if list(message.muscle_names) != self._muscles:
            self._muscles, self._levels = list(message.muscle_names), {}
            self._history.begin()
        self._newest = nanoseconds(message.header.stamp)
        self._history.show(masked=list(message.missing_sensors))
        self._history.estimate(self._newest, message.status, list(message.activation), list(message.activation_std))

    def _receive_status(self, message: Any) -> None:
        state = STATES[message.state] if message.state < len(STATES) else str(message.state)
        names = ("subject_id", "phase", "fraction", "seconds_left", "calibration_id", "message")
        self._history.show(calibration={"state": state} | {name: getattr(message, name) for name in names})

    def _receive_emg(self, message: Any) -> None:
        channels, rate = tuple(message.channel_names), message.sample_rate
        if not (channels and 0 < rate <= MAX_SIGNAL_RATE_HZ and len(message.data) % len(channels) == 0):
            return
        if self._watch is None or self._watch.is_silent:  # nothing to compare with
            return
        if channels not in self._levels:
            self._levels = {channels: EmgLevel(self._muscles, channels)}
            self._history.show(rescaled=[True] * len(self._muscles))
        data = np.array(message.data, dtype=float).reshape(-1, len(channels))
        timestamp = nanoseconds(message.header.stamp)
        if abs(timestamp - self._newest) > MAX_CLOCK_OFFSET_NS:
            timestamp = self._newest
        for instant, level in self._levels[channels].take(timestamp, rate, data, message.is_envelope):
            self._history.emg(instant, level.tolist())

    def _action(self, name: str, call: Call) -> Action:
        def act(fields: Mapping[str, Any]) -> None:
            if (running := self._calls.get(name)) and running.is_alive():
                raise InputError(f"the node has not answered the last call of {name} yet; wait for it")
            if self._watch is None:
                raise InputError("no node is seen yet; start it")
            self._history.show(answer=None)
            self._calls[name] = threading.Thread(
                target=self._call, args=(name, call, fields, self._watch.name), name=name, daemon=True
            )
            self._calls[name].start()

        return act

    def _call(self, name: str, call: Call, fields: Mapping[str, Any], owner: str) -> None:
        """Call a service from a node, and a thread, of its own: a calibration takes a minute, and may be cancelled."""
        node = Node(f"imu_emg_view_{name}", context=self._node.context, start_parameter_services=False)
        try:
            calibrator = find_estimator(node, SEARCH_S, owner)
            if calibrator is None:
                raise InputError(f"{owner} does not offer its services; see whether it still runs")
            answer = call(calibrator, fields)
        except InputError as error:
            answer = {"success": False, "message": str(error)}
        except Exception:
            if self._node.context.ok():
                raise
            return  # rclpy ended meanwhile
        finally:
            node.destroy_node()
        answer = {"action": name, "lines": []} | answer
        self._history.show(answer={key: answer[key] for key in ("action", "success", "message", "lines")})


def _calibrate(node: NodeCalibrator, fields: Mapping[str, Any]) -> dict[str, Any]:
    bag, subject = _text(fields, "bag"), _text(fields, "subject")
    if not bag:
        raise InputError("the path of the bag is missing; give that of a rosbag2 folder or file")
    path, dry_run = str(Path(bag).expanduser().absolute()), bool(fields.get("dry_run"))
    answer = call_calibrate(node, [path], subject, "", 0.0, dry_run, "", lambda progress: None)
    return answer | {"lines": muscle_lines(answer)}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def view_node(
    topic: str | None, emg_topic: str | None, port: int | None, say: Callable[[str], None], ros_arguments: Sequence[str]
) -> None:
    """Serve the page of a node until Ctrl-C.

    Args:
        topic, emg_topic: see ``NodeFeed``.
        port: see ``PageServer``.
        say: called with the address.
    """
    stopped: list[bool] = []
    history = LiveHistory()
    with rclpy_session(ros_arguments):
        node = Node("imu_emg_view", start_parameter_services=False)
        try:
            feed = NodeFeed(node, topic, emg_topic, history)
            with serving(history, feed.actions, port) as server, stop_on_interrupt(stopped):
                say(server.url)
                while not stopped:
                    feed.step()
        finally:
            node.destroy_node()
