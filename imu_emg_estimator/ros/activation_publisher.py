"""Publish MuscleActivation as bytes, of which a step changes only the numbers.

Source of the layout: OMG DDS-XTypes 1.3, 7.4.1, encoding version 1, as in ``signals.imu_decoder``.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState

from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.signals.imu_decoder import split_timestamp

HEADER_BYTES = 4  # before the first field
LITTLE_ENDIAN = 1  # second byte of the header
MAX_KEPT_MESSAGES = 64  # one for each combination of missing sensors
TRIAL = (1_234_567_890_123_456_789, 2, -0.625, 0.375)  # timestamp [ns], status, age [s], activation


class Message(Protocol):
    """A message whose names and ids stay while its numbers change.

    Attributes:
        activation, deviation: [muscles] float32, to be written into.
    """

    activation: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def finish(self, timestamp: int, status: int, age: float) -> bytes | MuscleActivation:
        """Return what is to be published, for an instant [ns], with a status and an age [s]."""


class ActivationPublisher:
    """Publishes estimates of one rig.

    Args:
        publisher: of MuscleActivation.
        muscles: names, in order.
        by_name: publisher of the same estimates as JointState; None = they are not wanted.
    """

    def __init__(self, publisher: Any, muscles: Sequence[str], by_name: Any = None) -> None:
        self._publisher, self._by_name = publisher, by_name
        self._muscles = list(muscles)
        self._messages: dict[tuple[str, ...], Message] = {}
        self.identify("", "", "")

    def identify(self, frame_id: str, model_id: str, calibration_id: str) -> None:
        """Set subject and model of the next messages."""
        self._identities = (frame_id, model_id, calibration_id)
        self._messages.clear()
        self._message(())

    def publish(
        self,
        timestamp: int,
        status: int,
        age: float,
        missing: tuple[str, ...],
        activation: NDArray[np.floating] | float,
        deviation: NDArray[np.floating] | float,
    ) -> None:
        """Publish one message.

        Args:
            timestamp: instant that it is for [ns].
            age: of the newest input [s].
            missing: names of the masked sensors.
            activation, deviation: [muscles], or NaN for all.
        """
        message = self._message(missing)
        message.activation[:] = activation
        message.deviation[:] = deviation
        self._publisher.publish(message.finish(timestamp, status, age))
        if self._by_name:
            self._by_name.publish(self._joint_state(timestamp, message))

    def _joint_state(self, timestamp: int, message: Message) -> JointState:
        state = JointState(
            name=self._muscles, position=message.activation.tolist(), velocity=message.deviation.tolist()
        )
        state.header.stamp.sec, state.header.stamp.nanosec = split_timestamp(timestamp)
        state.header.frame_id = self._identities[0]
        return state

    def _message(self, missing: tuple[str, ...]) -> Message:
        message = self._messages.get(missing)
        if message is None:
            if len(self._messages) == MAX_KEPT_MESSAGES:
                self._messages.clear()
            message = self._messages[missing] = make_message(self._new_message(missing))
        return message

    def _new_message(self, missing: tuple[str, ...]) -> MuscleActivation:
        frame_id, model_id, calibration_id = self._identities
        message = MuscleActivation(
            muscle_names=self._muscles,
            activation=[0.0] * len(self._muscles),
            activation_std=[0.0] * len(self._muscles),
            missing_sensors=list(missing),
            model_id=model_id,
            calibration_id=calibration_id,
        )
        message.header.frame_id = frame_id
        return message


def make_message(message: MuscleActivation) -> Message:
    """Return the message as bytes to be patched, or as it is where the middleware serialises it in an unknown way."""
    try:
        return SerialisedMessage(message)
    except (ValueError, RuntimeError):  # the latter by rclpy, for bytes that are no message
        return TypedMessage(message)


class SerialisedMessage:
    """Bytes of a MuscleActivation, made once; see Message.

    Raises:
        ValueError: its numbers are not where they should be.
    """

    def __init__(self, message: MuscleActivation) -> None:
        payload = bytearray(serialize_message(message))
        order = "<" if payload[1] == LITTLE_ENDIAN else ">"
        muscles = len(message.muscle_names)
        names_end = _after_texts(_after_text(HEADER_BYTES + 8, message.header.frame_id), message.muscle_names)
        activation = _aligned(names_end) + 4
        deviation = activation + 4 * muscles + 4
        self._status_at = deviation + 4 * muscles
        self._age_at = _aligned(_after_texts(self._status_at + 1, message.missing_sensors))
        if self._age_at + 4 > len(payload):
            raise ValueError("MuscleActivation is shorter than it should be")
        self._payload = payload
        self._timestamp, self._age = Struct(f"{order}iI"), Struct(f"{order}f")
        self.activation = np.frombuffer(payload, f"{order}f4", muscles, activation)
        self.deviation = np.frombuffer(payload, f"{order}f4", muscles, deviation)
        self._verify(message)

    def finish(self, timestamp: int, status: int, age: float) -> bytes:
        self._timestamp.pack_into(self._payload, HEADER_BYTES, *split_timestamp(timestamp))
        self._payload[self._status_at] = status
        self._age.pack_into(self._payload, self._age_at, age)
        return bytes(self._payload)

    def _verify(self, message: MuscleActivation) -> None:
        """Raise ValueError unless the middleware reads from the patched bytes what was put in."""
        timestamp, status, age, value = TRIAL
        self.activation[:], self.deviation[:] = value, -value
        typed = TypedMessage(message)
        typed.activation[:], typed.deviation[:] = value, -value
        # Not byte by byte: padding between the fields has no meaning, and differs.
        made, wanted = self.finish(timestamp, status, age), serialize_message(typed.finish(timestamp, status, age))
        if deserialize_message(made, MuscleActivation) != deserialize_message(wanted, MuscleActivation):
            raise ValueError("the numbers of MuscleActivation are not where they should be")


class TypedMessage:
    """A MuscleActivation that rclpy serialises each time; see Message."""

    def __init__(self, message: MuscleActivation) -> None:
        self._message = message
        self.activation: NDArray[np.float32] = np.zeros(len(message.muscle_names), np.float32)
        self.deviation: NDArray[np.float32] = np.zeros_like(self.activation)

    def finish(self, timestamp: int, status: int, age: float) -> MuscleActivation:
        stamp = self._message.header.stamp
        stamp.sec, stamp.nanosec = split_timestamp(timestamp)
        self._message.status, self._message.age = status, age
        self._message.activation = self.activation.tolist()
        self._message.activation_std = self.deviation.tolist()
        return self._message


def _aligned(at: int) -> int:
    """Return the next multiple of four, counted from the end of the header."""
    return at + (HEADER_BYTES - at) % 4


def _after_text(at: int, text: str) -> int:
    return _aligned(at) + 4 + len(text.encode()) + 1


def _after_texts(at: int, texts: Sequence[str]) -> int:
    at = _aligned(at) + 4
    for text in texts:
        at = _after_text(at, text)
    return at
