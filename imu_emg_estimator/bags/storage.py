"""What every kind of storage provides: topics, and messages as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MAX_TIME_NS = (1 << 63) - 1  # what a signed 64-bit integer holds


class Message(NamedTuple):
    """One message as it was received.

    Attributes:
        topic: its name.
        receive_time: when the recorder received it [ns].
        data: CDR bytes.
    """

    topic: str
    receive_time: int
    data: bytes


@dataclass
class TopicInfo:
    """What a bag says about a topic.

    Attributes:
        types: message types, such as ``sensor_msgs/msg/Imu``; more than one only in unusual bags.
        digests: RIHS01 hashes of the types, where the bag holds them.
        empty: known to hold no message.
        foreign: its messages are not CDR but, for instance, json or protobuf.
    """

    types: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    empty: bool = False
    foreign: bool = False

    def merge(self, other: TopicInfo) -> None:
        """Add what another file of the bag says about the same topic."""
        self.types |= other.types
        self.digests |= other.digests
        self.empty &= other.empty
        self.foreign &= other.foreign


class Storage(Protocol):
    """One file of a bag."""

    notes: list[str]

    def topics(self) -> Mapping[str, TopicInfo]:
        """Topics of the file, by name."""

    def messages(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """Messages of some topics (name: type) in the order in which they were written."""

    def close(self) -> None: ...


def full_type(name: str) -> str:
    """Complete the name of a type: ``sensor_msgs/Imu``, as in ROS 1, becomes ``sensor_msgs/msg/Imu``."""
    package, _, message = name.partition("/")
    return name if "/" in message or not message else f"{package}/msg/{message}"
