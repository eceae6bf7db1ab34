"""Replay: publish a bag's Imu and Emg topics with their own timing, where ``ros2 bag play`` is missing."""

from __future__ import annotations

import math
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock  # type: ignore[import-untyped, import-not-found, unused-ignore]
from sensor_msgs.msg import Imu

from imu_emg_estimator.bags import (
    EMG_TYPE,
    IMU_TYPE,
    BagLimits,
    BagUnreadable,
    TopicMissing,
    open_bag,
    present_topics,
)
from imu_emg_estimator.bags.bag_messages import Message
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults.fault_file import check_starts, read_faults
from imu_emg_estimator.faults.fault_kind import Fault
from imu_emg_estimator.msg import Emg
from imu_emg_estimator.ros.command_session import rclpy_session
from imu_emg_estimator.ros.faulty_replay import PlayedMessage, with_faults
from imu_emg_estimator.ros.node_topics import named_publisher
from imu_emg_estimator.signals.grid_alignment import SECOND

MESSAGES = {IMU_TYPE: Imu, EMG_TYPE: Emg}
# Reliable matches best-effort subscribers too; the depth holds a second of six IMUs at 200 Hz.
QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=2000, reliability=ReliabilityPolicy.RELIABLE)
CLOCK_PERIOD_NS = SECOND // 100  # of bag time
SECOND_PUBLISHER = ("two_publishers", "two_sensors")  # faults that need one
FLUSH = Duration(seconds=2.0)  # how long the last messages may take to reach reliable subscribers


@dataclass(frozen=True)
class ReplaySettings:
    """How a bag is played.

    Attributes:
        rate: speed, 1 = as recorded.
        loop: start again at the end, until stopped.
        start: where to begin, from the beginning of the bag [s].
        end: where to stop, from the beginning of the bag [s]; None = at its end.
        prefix: put before every topic, e.g. ``/subject1``.
        restamp: shift the timestamps so that the first one is now; else they stay as recorded.
        clock: publish ``/clock`` for nodes with use_sim_time.
        wait: how long to wait until every topic has a subscriber [s].
        faults: file of faults to put into the Imu messages, see ``fault_file``; None = none.
        more_faults: that come after those of the file; sensors are numbered in the order of the topics.
        seed: of what is random in the faults.
    """

    rate: float = 1.0
    loop: bool = False
    start: float = 0.0
    end: float | None = None
    prefix: str = ""
    restamp: bool = False
    clock: bool = False
    wait: float = 0.0
    faults: Path | None = None
    more_faults: Sequence[Fault] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"replay rate {self.rate:g} is not a positive number; 1 plays as recorded")
        if not 0 <= self.start < (math.inf if self.end is None else self.end):
            raise InputError(
                f"replay from {self.start:g} s to {self.end} s is no stretch of time; correct start or end"
            )


def replay(
    path: Path,
    settings: ReplaySettings,
    stop: threading.Event | None = None,
    context: Context | None = None,
) -> int:
    """Publish a bag; rclpy must be initialised. Returns the number of messages published.

    Args:
        stop: set it from another thread to end early.
        context: of rclpy; None = the default one.

    Raises:
        InputError: the bag cannot be read, or has no Imu or Emg messages.
    """
    with open_bag(path, BagLimits(seconds=math.inf)) as bag:
        topics = {topic: msgtype for msgtype in MESSAGES for topic in present_topics(bag, msgtype)}
        if not topics:
            raise TopicMissing(f"bag {path} has no Imu or Emg messages to replay; give a bag that has")
        return replay_messages("replay", bag, topics, settings, stop, context)


class MessageSource(Protocol):
    """A bag, or what gives messages as one does."""

    @property
    def path(self) -> object:
        """What to call it."""

    def messages_in_order(self, wanted: Mapping[str, str], /) -> Iterator[Message]:
        """Yield the messages of these topics in the order of receive time."""


def replay_messages(
    name: str,
    source: MessageSource,
    topics: Mapping[str, str],
    settings: ReplaySettings,
    stop: threading.Event | None = None,
    context: Context | None = None,
) -> int:
    """Publish what a source gives from a node of this name; otherwise as ``replay``."""
    node = rclpy.create_node(name, context=context, start_parameter_services=False)
    try:
        return _Replay(node, source, topics, settings, stop or threading.Event()).run()
    finally:
        node.destroy_node()


class _Replay:
    def __init__(
        self,
        node: Node,
        bag: MessageSource,
        topics: Mapping[str, str],
        settings: ReplaySettings,
        stop: threading.Event,
    ) -> None:
        self._node, self._bag, self._settings, self._stop = node, bag, settings, stop
        self._topics = topics
        self._publishers = {topic: self._publisher(topic, msgtype) for topic, msgtype in topics.items()}
        self._clock = node.create_publisher(Clock, "/clock", QOS) if settings.clock else None
        self._clock_due = self._shift = 0
        self._imus = [topic for topic, msgtype in topics.items() if msgtype == IMU_TYPE]
        self._faults = read_faults(settings.faults, self._imus) if settings.faults else []
        if settings.faults:
            check_starts(settings.faults, self._faults, self._played_seconds(max(f.start for f in self._faults)))
        self._faults += settings.more_faults
        doubled = [self._imus[s] for fault in self._faults if fault.kind in SECOND_PUBLISHER for s in fault.sensors]
        self._second_publishers = {topic: self._publisher(topic, IMU_TYPE) for topic in doubled}

    def run(self) -> int:
        self._await_subscribers()
        played = self._play_once()
        while self._settings.loop and played and not self._ended():
            played += self._play_once()
        if not self._ended():
            for publisher in self._publishers.values():
                publisher.wait_for_all_acked(FLUSH)
        self._node.get_logger().info(f"replayed {played} messages of {self._bag.path}")
        return played

    def _publisher(self, topic: str, msgtype: str) -> Any:
        return named_publisher(self._node, MESSAGES[msgtype], self._settings.prefix + topic, QOS)

    def _await_subscribers(self) -> None:
        deadline = time.monotonic() + self._settings.wait
        while time.monotonic() < deadline and not self._ended():
            if all(publisher.get_subscription_count() for publisher in self._publishers.values()):
                return
            self._stop.wait(0.02)

    def _ended(self) -> bool:
        return self._stop.is_set() or not self._node.context.ok()

    def _play_once(self) -> int:
        played, self._shift, self._clock_due = 0, 0, 0
        messages = self._selected()
        if self._faults:
            messages = with_faults(messages, self._imus, self._faults, self._settings.seed)
        for topic, receive_time, raw, is_second in self._in_time(messages):
            self._tick(receive_time + self._shift)
            (self._second_publishers if is_second else self._publishers)[topic].publish(raw)
            played += 1
        return played

    def _played_seconds(self, enough: float) -> float:
        """Return the time from the first message to be played to the last [s], or what is known to be enough."""
        first, seconds = None, 0.0
        for message in self._selected():
            first = message.receive_time if first is None else first
            seconds = (message.receive_time - first) / SECOND
            if seconds >= enough:
                break
        return seconds

    def _selected(self) -> Iterator[PlayedMessage]:
        """Yield what is to be played, with its timestamps shifted."""
        bag_start: int | None = None
        is_first = True
        for topic, receive_time, raw in self._bag.messages_in_order(self._topics):
            bag_start = receive_time if bag_start is None else bag_start
            elapsed = (receive_time - bag_start) / SECOND
            if elapsed < self._settings.start:
                continue
            if self._settings.end is not None and elapsed >= self._settings.end:
                return
            if is_first and self._settings.restamp:
                self._shift = self._node.get_clock().now().nanoseconds - _timestamp(self._bag.path, raw)
            is_first = False
            yield PlayedMessage(topic, receive_time, _shifted(self._bag.path, raw, self._shift) if self._shift else raw)

    def _in_time(self, messages: Iterable[PlayedMessage]) -> Iterator[PlayedMessage]:
        """Yield each message at the moment when it is due."""
        first: int | None = None
        for message in messages:
            if first is None:  # reading up to here took its own time
                began, first = time.monotonic(), message.receive_time
            due = began + (message.receive_time - first) / SECOND / self._settings.rate
            self._stop.wait(max(0.0, due - time.monotonic()))
            if self._ended():
                return
            yield message

    def _tick(self, now: int) -> None:
        if self._clock is not None and now >= self._clock_due:
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(now, SECOND)
            self._clock.publish(message)
            self._clock_due = now + CLOCK_PERIOD_NS


# The header is the first field of Imu and Emg: in CDR its timestamp follows the four bytes of encapsulation.


def _byte_order(path: object, raw: bytes) -> str:
    if len(raw) < 12:
        raise BagUnreadable(f"bag {path} holds a message that is cut short; record it again")
    return "<" if raw[1] & 1 else ">"


def _timestamp(path: object, raw: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from(_byte_order(path, raw) + "iI", raw, 4)
    return int(seconds) * SECOND + int(nanoseconds)


def _shifted(path: object, raw: bytes, shift: int) -> bytes:
    seconds, nanoseconds = divmod(_timestamp(path, raw) + shift, SECOND)
    if not -(2**31) <= seconds < 2**31:
        raise BagUnreadable(f"bag {path} holds a timestamp that cannot be shifted to now; replay it without restamp")
    return raw[:4] + struct.pack(_byte_order(path, raw) + "iI", seconds, nanoseconds) + raw[12:]


def play(path: Path, settings: ReplaySettings, ros_arguments: Sequence[str] = ()) -> None:
    """Publish a bag with an rclpy of its own; Ctrl-C and SIGTERM end it cleanly. Raises InputError as replay does."""
    with suppress(KeyboardInterrupt), rclpy_session(ros_arguments):
        replay(path, settings)
