"""Messages of bags as every storage provides them, decoded by own definitions: a bag's are not trusted.

EMG messages of every supported type become packets of samples. Imu, JointState and the arrays are the same in Humble,
Jazzy and Kilted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.bags.message_types import ACTIVATION_TYPE, EMG_TYPE, FLOAT32_TYPE, FLOAT64_TYPE, JOINT_TYPE
from imu_emg_estimator.recording import MAX_SIGNAL_RATE_HZ
from imu_emg_estimator.signals.imu_decoder import nanoseconds
from imu_emg_estimator.utils.shipped_files import message_definition

CDR = "cdr"  # the encoding of ROS 2 messages, as bags name it
MAX_TIME_NS = (1 << 63) - 1  # what a signed 64-bit integer holds
MAX_CHANNELS = 1024
SAMPLE_WORDS = ("sample", "samples", "time")
JOINT_FIELDS = ("effort", "position", "velocity")


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


class Hints(Protocol):
    """The part of a TopicMapping that matters here."""

    @property
    def emg_field(self) -> str | None: ...

    def channel_names(self) -> tuple[str, ...] | None: ...


class OddPacket(ValueError):
    """A message that can be decoded but makes no sense; the text becomes part of a sentence."""


@dataclass(frozen=True)
class EmgPacket:
    """Some samples of EMG.

    Attributes:
        timestamp: of the first sample [ns]; None = the type has no header.
        rate: Hz; None = the type does not state it.
        names: of the channels; empty = the type does not state them.
        data: [samples, channels].
        unit: empty = the type does not state it.
        is_envelope: None = the type does not state it.
        field: of JointState, where the values come from.
        model: of MuscleActivation, id of the bundle that estimated the values; empty = they are measured.
    """

    timestamp: int | None
    rate: float | None
    names: tuple[str, ...]
    data: NDArray[np.float64]
    unit: str = ""
    is_envelope: bool | None = None
    field: str = ""
    model: str = ""

    @property
    def form(self) -> tuple[object, ...]:
        """What must be the same in all messages of a topic."""
        return self.rate, self.names, self.data.shape[1], self.unit, self.is_envelope


def decode_packet(msgtype: str, data: bytes, hints: Hints) -> EmgPacket:
    """Decode the samples of one message.

    Raises:
        OddPacket: the message makes no sense.
        Exception: it is not of the type; corrupt bytes make the decoder raise nearly anything.
    """
    return _READERS[msgtype](deserialise(data, msgtype), hints)


def _emg(message: Any, hints: Hints) -> EmgPacket:
    rate, names = message.sample_rate, tuple(message.channel_names)
    if not 0 < rate <= MAX_SIGNAL_RATE_HZ:
        raise OddPacket(f"sample_rate {rate:g} is not between 0 and {MAX_SIGNAL_RATE_HZ:g} Hz")
    rows = _rows(message.data, len(names))
    return EmgPacket(nanoseconds(message.header.stamp), rate, names, rows, message.unit, message.is_envelope)


def _activation(message: Any, hints: Hints) -> EmgPacket:
    names = tuple(message.muscle_names)
    if len(message.activation) != len(names):
        raise OddPacket(f"{len(message.activation)} activations do not belong to {len(names)} muscles")
    rows = _rows(message.activation, len(names))
    timestamp = nanoseconds(message.header.stamp)
    return EmgPacket(timestamp, None, names, rows, "fraction", True, model=message.model_id)


def _joints(message: Any, hints: Hints) -> EmgPacket:
    """Activation is an effort. Where that is not filled in, the position is used, then the velocity."""
    names = tuple(message.name)
    filled = [field for field in JOINT_FIELDS if len(getattr(message, field)) == len(names) > 0]
    meant = [field for field in filled if np.nan_to_num(getattr(message, field)).any()]
    field = hints.emg_field or (meant or filled or JOINT_FIELDS[:1])[0]
    if field not in filled:
        raise OddPacket(f"{len(names)} names do not go with {len(getattr(message, field))} values of {field}")
    rows = _rows(getattr(message, field), len(names))
    return EmgPacket(nanoseconds(message.header.stamp), None, names, rows, field=field)


def _array(message: Any, hints: Hints) -> EmgPacket:
    """Channels are named by the labels of the dimensions, or by the user.

    Two dimensions are samples and channels, in either order if their labels say so. The label of the channels
    can list their names, separated by commas; else each channel has a dimension of its own.
    """
    offset = message.layout.data_offset
    if offset > len(message.data):
        raise ValueError("an array begins beyond its end")
    data, given = message.data[offset:], hints.channel_names()
    sizes = [dimension.size for dimension in message.layout.dim]
    labels = [dimension.label for dimension in message.layout.dim]
    if len(sizes) == 2 and sizes[0] * sizes[1] == len(data) > 0:
        rows = data.reshape(sizes)
        if labels[1].lower() in SAMPLE_WORDS:
            rows, labels = rows.T, labels[::-1]
        return EmgPacket(None, None, _split(labels[1], rows.shape[1]), _bounded(rows))
    if len(labels) > 1 and len(labels) == len(data):
        return EmgPacket(None, None, tuple(labels), _bounded(data[None]))
    names = _split(labels[0], sizes[0]) if labels else ()
    channels = len(given or names) or len(data)
    return EmgPacket(None, None, names, _rows(data, channels))


def _split(label: str, count: int) -> tuple[str, ...]:
    names = tuple(name.strip() for name in label.split(","))
    return names if len(names) == count and all(names) else ()


def _rows(values: NDArray[np.floating[Any]], channels: int) -> NDArray[np.float64]:
    if not channels or len(values) % channels:
        raise OddPacket(f"{len(values)} values do not divide into {channels} channels")
    return _bounded(values.reshape(-1, channels))


def _bounded(rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    if rows.shape[1] > MAX_CHANNELS:
        raise OddPacket(f"{rows.shape[1]} channels are more than {MAX_CHANNELS}")
    return rows.astype(np.float64)


_READERS: dict[str, Callable[[Any, Hints], EmgPacket]] = {
    EMG_TYPE: _emg,
    ACTIVATION_TYPE: _activation,
    JOINT_TYPE: _joints,
    FLOAT32_TYPE: _array,
    FLOAT64_TYPE: _array,
}
