"""Topics of any type, received as bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple

from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.raw_subscriptions import MessageCount, make_receiver

QUEUE_DEPTH = 2000  # messages of a topic that may wait: seconds, should the disk be slow
NODE = "imu_emg_listener"


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
        self._node = Node(NODE, context=context, start_parameter_services=False)
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
