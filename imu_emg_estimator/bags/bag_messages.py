"""Messages of bags as every storage provides them, and their types by own definitions: a bag's are not trusted.

Imu, JointState and the arrays are the same in Humble, Jazzy and Kilted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.utils.shipped_files import message_definition

IMU_TYPE = "sensor_msgs/msg/Imu"
EMG_TYPE = "imu_emg_estimator/msg/Emg"
ACTIVATION_TYPE = "imu_emg_estimator/msg/MuscleActivation"
JOINT_TYPE = "sensor_msgs/msg/JointState"
FLOAT32_TYPE = "std_msgs/msg/Float32MultiArray"
FLOAT64_TYPE = "std_msgs/msg/Float64MultiArray"
CDR = "cdr"  # the encoding of ROS 2 messages, as bags name it
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


@cache
def typestore() -> Typestore:
    """Types of ROS 2 and this package."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for msgtype in (EMG_TYPE, ACTIVATION_TYPE):
        store.register(get_types_from_msg(message_definition(msgtype.rsplit("/", 1)[-1]), msgtype))
    return store


def deserialise(data: bytes, msgtype: str) -> Any:
    """A message from its CDR bytes.

    Raises:
        ValueError, rosbags.serde.SerdeError: the bytes are not of the type.
    """
    return typestore().deserialize_cdr(data, msgtype)


@cache
def known_digest(msgtype: str) -> str:
    """RIHS01 hash of a type by the definition used here (REP 2016)."""
    return typestore().hash_rihs01(msgtype)
