"""Receive the messages of some subscriptions as bytes, on the thread that needs them.

For every message rclpy's executor builds a wait set of everything that belongs to the node, waits, and wraps the
callback into a coroutine and a task: 100 to 160 µs of processor time. Here one wait set is kept that holds only these
subscriptions, and everything that has arrived is taken at once: 15 to 25 µs a message.

The wait set and ``take_message`` of rclpy's implementation are not documented, but the same from Humble to Kilted.
Where they are missing, rclpy's executor does the work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from rclpy.callback_groups import CallbackGroup
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import SECOND

MAX_MESSAGES_AT_ONCE = 1000  # of one subscription, should they arrive faster than they can be taken
QUEUE_DEPTH = 2000  # messages of a topic that may wait: seconds, should the disk be slow
UNINTERRUPTED_NS = 200_000  # within which all topics are taken, unless the thread is interrupted; 50 µs are usual


class Arrival(NamedTuple):
    """One message.

    Attributes:
        received: when the middleware got it [ns]; 0 where it does not say.
        source: index of the subscription, in the order of subscribing.
        payload: the message in the middleware's serialisation, CDR.
        sequence: the publisher's count of its messages; None where it is not known.
    """

    received: int
    source: int
    payload: bytes
    sequence: int | None


@dataclass
class MessageCount:
    """Messages of one subscription since the start.

    Attributes:
        received: messages taken, decoded or not.
        lost: gaps in the publisher's own count, where the middleware reports it.
        malformed: messages that could not be decoded.
    """

    received: int = 0
    lost: int = 0
    malformed: int = 0
    _sequence: int | None = None

    @property
    def has_sequence(self) -> bool:
        """Whether the publisher's count is known."""
        return self._sequence is not None

    def add(self, sequence: int | None) -> None:
        """Count one message, given its number by the publisher's count."""
        self.received += 1
        if sequence is not None:
            if self._sequence is not None and sequence > self._sequence:
                self.lost += sequence - self._sequence - 1
            self._sequence = sequence


class Receiver(Protocol):
    """Subscriptions whose messages one thread takes."""

    def subscribe(self, message_type: type, topic: str, quality: QoSProfile) -> None:
        """Subscribe to one more topic; call it before the first ``receive``."""

    def receive(self, timeout: float) -> list[Arrival]:
        """Wait at most ``timeout`` seconds for messages; return them in order of arrival."""

    def close(self) -> None:
        """Destroy the subscriptions; nobody may be in ``receive``."""


def make_receiver(node: Node, is_served: bool = False) -> Receiver:
    """Make the cheapest receiver that this rclpy allows.

    Args:
        is_served: an executor serves the node, on another thread.
    """
    try:
        return WaitSetReceiver(node)
    except (AttributeError, TypeError):  # another rclpy
        return ExecutorReceiver(node, is_served)


class WaitSetReceiver:
    """Waits for these subscriptions alone and takes all that has arrived; the node's executor serves the rest."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._group = _TakenElsewhere()
        self._subscriptions: list[Subscription] = []
        self._handles: list[Any] = []
        self._takes: list[tuple[Any, type]] = []
        self._uses = ExitStack()
        self._context = self._in_use(node.context.handle)
        self._wait_set = self._new_wait_set()
        self._held: list[Arrival] = []  # arrived while ``receive`` was taking

    def subscribe(self, message_type: type, topic: str, quality: QoSProfile) -> None:
        subscription = _subscribe(self._node, message_type, topic, _never, quality, self._group)
        handle = self._in_use(subscription.handle)
        self._subscriptions.append(subscription)
        self._handles.append(handle)
        self._takes.append((handle.take_message, message_type))
        self._wait_set = self._new_wait_set()

    def receive(self, timeout: float) -> list[Arrival]:
        self._wait_set.clear_entities()
        for handle in self._handles:
            self._wait_set.add_subscription(handle)
        self._wait_set.wait(0 if self._held else int(timeout * SECOND))
        # Topics are taken one after the other. Where that is interrupted, what arrives meanwhile is held until the next
        # call: else the topics taken last would run ahead of the first ones, whose sensors would seem late.
        latest = time.time_ns() + UNINTERRUPTED_NS
        arrivals, self._held = self._held, []
        for source, (take, message_type) in enumerate(self._takes):
            for _ in range(MAX_MESSAGES_AT_ONCE):
                taken = take(message_type, True)
                if taken is None:
                    break
                payload, info = taken
                sequence = info.get("publication_sequence_number")
                arrival = Arrival(info["received_timestamp"], source, payload, sequence)
                (arrivals if arrival.received <= latest else self._held).append(arrival)
        if len(arrivals) > len(self._takes):  # a backlog: sort what was taken topic by topic
            arrivals.sort(key=itemgetter(0))
        return arrivals

    def close(self) -> None:
        self._uses.close()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _in_use(self, handle: Any) -> Any:
        """Keep a handle from being destroyed until ``close``; return it."""
        self._uses.enter_context(handle)
        return handle

    def _new_wait_set(self) -> Any:
        return rclpy_implementation.WaitSet(len(self._handles), 0, 0, 0, 0, 0, self._context)


class ExecutorReceiver:
    """Gets the messages from rclpy's own executor: that of the thread that serves the node, or else one of its own."""

    def __init__(self, node: Node, is_served: bool = False) -> None:
        self._node = node
        self._executor: SingleThreadedExecutor | None = None
        if not is_served:
            self._executor = SingleThreadedExecutor(context=node.context)
            self._executor.add_node(node)
        self._subscriptions: list[Subscription] = []
        self._arrivals: list[Arrival] = []
        self._came = threading.Condition()

    def subscribe(self, message_type: type, topic: str, quality: QoSProfile) -> None:
        keep = partial(self._keep, len(self._subscriptions))
        self._subscriptions.append(_subscribe(self._node, message_type, topic, keep, quality, None))

    def receive(self, timeout: float) -> list[Arrival]:
        if self._executor is not None:
            self._executor.spin_once(timeout_sec=timeout)
            timeout = 0.0
        with self._came:
            self._came.wait_for(lambda: self._arrivals, timeout)
            arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        if self._executor is not None:
            self._executor.shutdown()

    def _keep(self, source: int, payload: bytes) -> None:
        with self._came:
            self._arrivals.append(Arrival(0, source, payload, None))
            self._came.notify()


class _TakenElsewhere(CallbackGroup):
    """Keeps subscriptions and their events out of the wait set of the node's executor.

    Events, too: with each message Fast DDS needlessly wakes whoever waits for the subscription's events, and the
    executor then costs as much as the estimates. Diagnostics report a QoS that does not match.
    """

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


def _subscribe(
    node: Node, message_type: type, topic: str, callback: Any, quality: QoSProfile, group: CallbackGroup | None
) -> Subscription:
    return node.create_subscription(
        message_type,
        topic,
        callback,
        quality,
        callback_group=group,
        raw=True,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )


def _never(payload: bytes) -> None:
    """Do nothing: no executor calls it, see _TakenElsewhere."""


# topics of any type


class ReceivedMessage(NamedTuple):
    """One message.

    Attributes:
        topic: its name.
        receive_time: when it was received [ns since 1970].
        payload: CDR.
    """

    topic: str
    receive_time: int
    payload: bytes


class TopicStream:
    """Messages of some topics, in order of arrival; a context manager with a node of its own.

    Subscribes best effort, unless all publishers of a topic are reliable.

    Args:
        topics: type of every topic.

    Raises:
        InputError: the Python type of a topic is not installed.
    """

    def __init__(self, topics: Mapping[str, str], context: Context | None = None) -> None:
        self._names = list(topics)
        self._counts = [MessageCount() for _ in topics]
        classes = {topic: message_class(topic, msgtype) for topic, msgtype in topics.items()}
        self._node = Node("imu_emg_listener", context=context, start_parameter_services=False)
        self._receiver = make_receiver(self._node)
        for topic, kind in classes.items():
            self._receiver.subscribe(kind, topic, self._quality(topic))

    def __enter__(self) -> TopicStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receiver.close()
        self._node.destroy_node()

    @property
    def lost(self) -> dict[str, int]:
        """By topic, messages that were published but not received, as far as the middleware counts them."""
        return {name: count.lost for name, count in zip(self._names, self._counts, strict=True)}

    def take(self, timeout: float) -> list[ReceivedMessage]:
        """Messages received since the last call; waits for some, at most for the timeout [s]."""
        if not self._names:  # rclpy does not wait for nothing
            time.sleep(timeout)
            return []
        now = time.time_ns()
        taken = []
        for received, source, payload, sequence in self._receiver.receive(timeout):
            self._counts[source].add(sequence)
            taken.append(ReceivedMessage(self._names[source], received or now, payload))
        return taken

    def _quality(self, topic: str) -> QoSProfile:
        publishers = self._node.get_publishers_info_by_topic(topic)
        reliable = publishers and all(
            publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE for publisher in publishers
        )
        return QoSProfile(
            depth=QUEUE_DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        )


def alive_topics(node: Node) -> dict[str, str]:
    """Type of every topic that has a publisher."""
    return {
        topic: types[0] for topic, types in node.get_topic_names_and_types() if types and node.count_publishers(topic)
    }


def await_topics(node: Node, ready: Any, patience: float) -> dict[str, str]:
    """``alive_topics`` as soon as ``ready`` is true for them, or after the patience [s]; discovery takes time."""
    deadline = time.monotonic() + patience
    while not ready(alive := alive_topics(node)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def message_class(topic: str, msgtype: str) -> Any:
    """Python class of a message type such as ``sensor_msgs/msg/Imu``."""
    package, _, name = msgtype.partition("/msg/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise InputError(f"topic {topic} is of type {msgtype}, which is not installed; install {package}") from None
