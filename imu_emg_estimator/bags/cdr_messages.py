"""CDR, the bytes of ROS 2 messages: the few types that a calibration reads, every length checked.

Definitions that a bag carries are not followed; what is decoded is what the types are in Humble, Jazzy and Kilted.
"""

from __future__ import annotations

import struct
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000_000  # ns
PADDING = 7  # bytes that a middleware may add at the end
NAMES = 4096  # names in one message
ABSENT = (nan, nan, nan)
LARGEST = 1e6  # m/s^2 or rad/s, a hundred times what sensors give; sums of more than these could overflow

IMU_TYPE = "sensor_msgs/msg/Imu"
EMG_TYPE = "imu_emg_estimator/msg/Emg"
ACTIVATION_TYPE = "imu_emg_estimator/msg/MuscleActivation"
JOINT_TYPE = "sensor_msgs/msg/JointState"
FLOAT32_TYPE = "std_msgs/msg/Float32MultiArray"
FLOAT64_TYPE = "std_msgs/msg/Float64MultiArray"


class Header(NamedTuple):
    """std_msgs/Header; ``stamp`` in ns."""

    stamp: int
    frame: str


class Cursor:
    """Reads one message front to back; raises ValueError or struct.error where it is not as its type says."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 4 or data[0] != 0 or data[1] not in (0, 1):
            raise ValueError("not plain CDR")
        self._data, self._at = data, 4
        self._order = "<" if data[1] else ">"

    def number(self, code: str, size: int) -> int | float:
        """A number of a struct code, aligned to its size."""
        self._align(size)
        (value,) = struct.unpack_from(self._order + code, self._data, self._at)
        self._at += size
        return value  # type: ignore[no-any-return]

    def count(self) -> int:
        """Number of entries that follow."""
        return int(self.number("I", 4))

    def text(self) -> str:
        """A string, which ends with a zero."""
        length = self.count()
        if not length:  # some writers leave the zero of an empty text out
            return ""
        end = self._at + length
        if end > len(self._data) or self._data[end - 1]:
            raise ValueError("a text is longer than its message")
        text = self._data[self._at : end - 1].decode()
        self._at = end
        return text

    def texts(self) -> tuple[str, ...]:
        """A sequence of strings."""
        count = self.count()
        if count > NAMES:
            raise ValueError(f"{count} names in one message")
        return tuple(self.text() for _ in range(count))

    def doubles(self, count: int) -> tuple[float, ...]:
        """An array of float64; faster than ``numbers`` where there are few."""
        self._align(8)
        values = struct.unpack_from(f"{self._order}{count}d", self._data, self._at)
        self._at += 8 * count
        return values

    def numbers(self, size: int) -> NDArray[np.float64]:
        """A sequence of float32 or float64."""
        count = self.count()
        if not count:
            return np.empty(0)
        self._align(size)
        values = np.frombuffer(self._data, f"{self._order}f{size}", count, self._at)
        self._at += count * size
        return values.astype(np.float64)

    def header(self) -> Header:
        """A std_msgs/Header."""
        seconds, nanoseconds = self.number("i", 4), self.number("I", 4)
        return Header(int(seconds) * SECOND + int(nanoseconds), self.text())

    def end(self) -> None:
        """The message must end here."""
        if not 0 <= len(self._data) - self._at <= PADDING:
            raise ValueError("a message is longer than its type")

    def _align(self, size: int) -> None:
        self._at += -(self._at - 4) % size


class ImuMessage(NamedTuple):
    """sensor_msgs/Imu; ``sample``: acceleration x y z [m/s^2], angular rate x y z [rad/s], NaN where absent."""

    header: Header
    sample: tuple[float, ...]


def decode_imu(data: bytes) -> ImuMessage:
    """A field whose covariance begins with -1 is absent (REP 145); it and what no sensor gives is NaN."""
    cursor = Cursor(data)
    header = cursor.header()
    values = cursor.doubles(37)  # orientation 4 + 9, angular velocity 3 + 9, linear acceleration 3 + 9
    cursor.end()
    acceleration = values[25:28] if values[28] != -1.0 else ABSENT
    rate = values[13:16] if values[16] != -1.0 else ABSENT
    return ImuMessage(header, tuple(value if abs(value) < LARGEST else nan for value in acceleration + rate))


class EmgMessage(NamedTuple):
    """imu_emg_estimator/Emg, field by field."""

    header: Header
    rate: float
    names: tuple[str, ...]
    data: NDArray[np.float64]
    unit: str
    is_envelope: bool


def decode_emg(data: bytes) -> EmgMessage:
    """imu_emg_estimator/Emg."""
    cursor = Cursor(data)
    header, rate = cursor.header(), float(cursor.number("d", 8))
    names, values, unit = cursor.texts(), cursor.numbers(4), cursor.text()
    is_envelope = bool(cursor.number("B", 1))
    cursor.end()
    return EmgMessage(header, rate, names, values, unit, is_envelope)


class ActivationMessage(NamedTuple):
    """What is read of imu_emg_estimator/MuscleActivation."""

    header: Header
    names: tuple[str, ...]
    activation: NDArray[np.float64]
    model_id: str


def decode_activation(data: bytes) -> ActivationMessage:
    """imu_emg_estimator/MuscleActivation."""
    cursor = Cursor(data)
    header, names = cursor.header(), cursor.texts()
    activation, _ = cursor.numbers(4), cursor.numbers(4)
    cursor.number("B", 1)
    cursor.texts()
    cursor.number("f", 4)
    model_id, _ = cursor.text(), cursor.text()
    cursor.end()
    return ActivationMessage(header, names, activation, model_id)


class JointMessage(NamedTuple):
    """sensor_msgs/JointState, field by field."""

    header: Header
    names: tuple[str, ...]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    effort: NDArray[np.float64]


def decode_joints(data: bytes) -> JointMessage:
    """sensor_msgs/JointState."""
    cursor = Cursor(data)
    header, names = cursor.header(), cursor.texts()
    position, velocity, effort = (cursor.numbers(8) for _ in range(3))
    cursor.end()
    return JointMessage(header, names, position, velocity, effort)


class ArrayMessage(NamedTuple):
    """std_msgs/Float32MultiArray or Float64MultiArray; ``dimensions``: label and size of each."""

    dimensions: tuple[tuple[str, int], ...]
    data: NDArray[np.float64]


def decode_array(data: bytes, size: int) -> ArrayMessage:
    """A MultiArray of numbers of ``size`` bytes."""
    cursor = Cursor(data)
    count = cursor.count()
    if count > NAMES:
        raise ValueError(f"{count} dimensions in one message")
    dimensions = []
    for _ in range(count):
        label, length = cursor.text(), cursor.count()
        cursor.count()  # stride: data are row-major
        dimensions.append((label, length))
    offset = cursor.count()
    values = cursor.numbers(size)
    cursor.end()
    if offset > len(values):
        raise ValueError("an array begins behind its end")
    return ArrayMessage(tuple(dimensions), values[offset:])
