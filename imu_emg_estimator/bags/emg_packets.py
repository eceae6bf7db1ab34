"""EMG messages of every type that is understood, as packets of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags import cdr_messages as cdr

HIGHEST_RATE = 100_000.0  # Hz
MAX_CHANNELS = 1024
SAMPLE_WORDS = ("sample", "samples", "time")
FIELDS = ("effort", "position", "velocity")


class Hints(Protocol):
    """What of a TopicMapping matters here."""

    @property
    def emg_field(self) -> str | None: ...

    def channel_names(self) -> tuple[str, ...] | None: ...


class OddPacket(ValueError):
    """A message that can be decoded but makes no sense; the text goes into a sentence."""


@dataclass(frozen=True)
class EmgPacket:
    """Some samples of EMG.

    Attributes:
        timestamp: of the first sample [ns]; None = the type has no header.
        rate: Hz; None = the type does not say.
        names: of the channels; empty = the type does not say.
        data: [samples, channels].
        unit: empty = the type does not say.
        is_envelope: None = the type does not say.
        field: of JointState, where the values come from.
        model: of MuscleActivation, the bundle that estimated the values; empty = they are measured.
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
    """The samples of one message.

    Raises:
        OddPacket: the message makes no sense.
        ValueError, struct.error: it is not of the type.
    """
    return _DECODERS[msgtype](data, hints)


def _emg(data: bytes, hints: Hints) -> EmgPacket:
    message = cdr.decode_emg(data)
    if not 0 < message.rate <= HIGHEST_RATE:
        raise OddPacket(f"sample_rate {message.rate:g} is not between 0 and {HIGHEST_RATE:g} Hz")
    rows = _rows(message.data, len(message.names))
    return EmgPacket(message.header.stamp, message.rate, message.names, rows, message.unit, message.is_envelope)


def _activation(data: bytes, hints: Hints) -> EmgPacket:
    message = cdr.decode_activation(data)
    if len(message.activation) != len(message.names):
        raise OddPacket(f"{len(message.activation)} activations do not belong to {len(message.names)} muscles")
    rows = _rows(message.activation, len(message.names))
    return EmgPacket(message.header.stamp, None, message.names, rows, "fraction", True, model=message.model_id)


def _joints(data: bytes, hints: Hints) -> EmgPacket:
    """Activation is an effort. Where that is not filled in, the position is taken, and at last the velocity."""
    message = cdr.decode_joints(data)
    filled = [field for field in FIELDS if len(getattr(message, field)) == len(message.names) > 0]
    meant = [field for field in filled if np.nan_to_num(getattr(message, field)).any()]
    field = hints.emg_field or (meant or filled or FIELDS[:1])[0]
    if field not in filled:
        raise OddPacket(f"{len(message.names)} names do not go with {len(getattr(message, field))} values of {field}")
    rows = _rows(getattr(message, field), len(message.names))
    return EmgPacket(message.header.stamp, None, message.names, rows, field=field)


def _array(data: bytes, hints: Hints, size: int) -> EmgPacket:
    """Names are the labels of the dimensions, or given.

    Two dimensions are samples and channels, in either order where their labels say so. The label of the channels
    can list their names, divided by commas; else each channel has a dimension of its own.
    """
    message = cdr.decode_array(data, size)
    given = hints.channel_names()
    sizes = [length for _, length in message.dimensions]
    labels = [label for label, _ in message.dimensions]
    if len(sizes) == 2 and sizes[0] * sizes[1] == len(message.data) > 0:
        rows = message.data.reshape(sizes)
        if labels[1].lower() in SAMPLE_WORDS:
            rows, labels = rows.T, labels[::-1]
        return EmgPacket(None, None, _split(labels[1], rows.shape[1]), _bounded(rows))
    if len(labels) > 1 and len(labels) == len(message.data):
        return EmgPacket(None, None, tuple(labels), _bounded(message.data[None]))
    names = _split(labels[0], sizes[0]) if labels else ()
    channels = len(given or names) or len(message.data)
    return EmgPacket(None, None, names, _rows(message.data, channels))


def _split(label: str, count: int) -> tuple[str, ...]:
    names = tuple(name.strip() for name in label.split(","))
    return names if len(names) == count and all(names) else ()


def _rows(values: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    if not channels or len(values) % channels:
        raise OddPacket(f"{len(values)} values do not divide into {channels} channels")
    return _bounded(values.reshape(-1, channels))


def _bounded(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if rows.shape[1] > MAX_CHANNELS:
        raise OddPacket(f"{rows.shape[1]} channels are more than {MAX_CHANNELS}")
    return rows


_DECODERS: dict[str, Callable[[bytes, Hints], EmgPacket]] = {
    cdr.EMG_TYPE: _emg,
    cdr.ACTIVATION_TYPE: _activation,
    cdr.JOINT_TYPE: _joints,
    cdr.FLOAT32_TYPE: lambda data, hints: _array(data, hints, 4),
    cdr.FLOAT64_TYPE: lambda data, hints: _array(data, hints, 8),
}
