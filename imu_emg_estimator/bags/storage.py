"""What every kind of storage gives: topics, and messages as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

LATEST = (1 << 63) - 1  # ns; as timestamps are kept


class Message(NamedTuple):
    """One message as it was received.

    Attributes:
        topic: its name.
        receipt: time at which the recorder received it [ns].
        data: CDR bytes.
    """

    topic: str
    receipt: int
    data: bytes


@dataclass
class TopicInfo:
    """What a bag says of a topic.

    Attributes:
        types: message types, such as ``sensor_msgs/msg/Imu``; more than one only in odd bags.
        digests: RIHS01 hashes of the types, where the bag holds them.
        empty: known to hold no message.
        foreign: its messages are not CDR but, for instance, json or protobuf.
    """

    types: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    empty: bool = False
    foreign: bool = False

    def merge(self, other: TopicInfo) -> None:
        """Take in what another file of the bag says of the same topic."""
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
    """``sensor_msgs/Imu``, as ROS 1 and some writers say, is ``sensor_msgs/msg/Imu``."""
    package, _, message = name.partition("/")
    return name if "/" in message or not message else f"{package}/msg/{message}"
