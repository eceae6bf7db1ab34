"""Estimates as bytes: the same as the message's own type gives, whatever is in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fixtures.ros_lab import to_timestamp
from imu_emg_estimator.msg import MuscleActivation
from rclpy.serialization import deserialize_message, serialize_message

from imu_emg_estimator.ros import activation_publisher as activation
from imu_emg_estimator.ros.activation_publisher import (
    ActivationPublisher,
    SerialisedMessage,
    TypedMessage,
    make_message,
)
from imu_emg_estimator.signals.imu_decoder import LATEST

NAMES = ["", "a", "vastus_lateralis_right", "Wadenmuskel_außen"]


class Published(list[Any]):
    """A publisher that keeps what it is given, as messages."""

    def publish(self, message: Any) -> None:
        is_bytes = isinstance(message, bytes)
        self.append(deserialize_message(message, MuscleActivation) if is_bytes else serialised(message))


def serialised(message: MuscleActivation) -> MuscleActivation:
    """What arrives of a message."""
    return deserialize_message(serialize_message(message), MuscleActivation)


def message_of(generator: np.random.Generator, muscles: int) -> MuscleActivation:
    """Names of all lengths, so that the numbers lie at all places."""

    def names(count: int) -> list[str]:
        return [str(generator.choice(NAMES)) for _ in range(count)]

    frame, model, calibration = names(3)
    message = MuscleActivation(
        muscle_names=names(muscles),
        activation=[0.0] * muscles,
        activation_std=[0.0] * muscles,
        missing_sensors=names(int(generator.integers(0, 4))),
        model_id=model,
        calibration_id=calibration,
    )
    message.header.frame_id = frame
    return message


@pytest.mark.parametrize("muscles", [1, 2, 11])
def test_serialised_message_equals_typed_message(muscles: int) -> None:
    generator = np.random.default_rng(muscles)
    for _ in range(100):
        message = message_of(generator, muscles)
        patched = make_message(message)
        assert isinstance(patched, SerialisedMessage)
        for _ in range(3):  # nothing of the step before remains
            timestamp, status, age = int(generator.integers(LATEST)), int(generator.integers(5)), generator.normal()
            values = generator.standard_normal((2, muscles)).astype(np.float32)
            patched.activation[:], patched.deviation[:] = values
            message.header.stamp = to_timestamp(timestamp)
            message.status, message.age = status, age
            message.activation, message.activation_std = values.tolist()
            finished = patched.finish(timestamp, status, age)
            wanted = serialize_message(message)
            assert len(finished) == len(wanted)
            assert deserialize_message(finished, MuscleActivation) == deserialize_message(wanted, MuscleActivation)


def test_serialised_message_bytes_are_independent() -> None:
    patched = make_message(message_of(np.random.default_rng(0), 2))
    patched.activation[:] = 1.0
    first = patched.finish(1, 0, 0.5)
    patched.activation[:] = 2.0
    patched.finish(2, 1, 0.6)
    assert deserialize_message(first, MuscleActivation).activation.tolist() == [1.0, 1.0]


def publish_some(publisher: ActivationPublisher) -> None:
    publisher.identify("alice", "model-1", "")
    publisher.publish(10, 0, 0.1, (), np.array([0.1, 0.2]), np.array([1.0, 2.0]))
    publisher.publish(20, 2, 0.2, ("left_foot",), np.array([0.3, 0.4]), np.array([3.0, 4.0]))
    publisher.publish(-5, 3, float("nan"), ("left_foot", "right_foot"), float("nan"), float("nan"))
    publisher.identify("bob", "model-1", "bobs")
    publisher.publish(LATEST + 1, 0, 0.3, (), np.array([0.5, 0.6]), np.array([5.0, 6.0]))


@pytest.fixture
def expected() -> list[MuscleActivation]:
    """What ``publish_some`` publishes."""
    nan = [float("nan")] * 2
    rows: Sequence[Any] = [
        ("alice", 10, 0, 0.1, [], [0.1, 0.2], [1.0, 2.0], ""),
        ("alice", 20, 2, 0.2, ["left_foot"], [0.3, 0.4], [3.0, 4.0], ""),
        ("alice", 0, 3, float("nan"), ["left_foot", "right_foot"], nan, nan, ""),
        ("bob", LATEST, 0, 0.3, [], [0.5, 0.6], [5.0, 6.0], "bobs"),
    ]
    messages = []
    for frame, timestamp, status, age, missing, mean, deviation, calibration in rows:
        message = MuscleActivation(muscle_names=["a", "b"], activation=mean, activation_std=deviation, status=status)
        message.header.frame_id, message.header.stamp = frame, to_timestamp(timestamp)
        message.missing_sensors, message.age = missing, age
        message.model_id, message.calibration_id = "model-1", calibration
        messages.append(serialised(message))
    return messages


@pytest.mark.parametrize("bytes_are_known", [True, False])
def test_publisher_fills_every_field(
    bytes_are_known: bool, expected: list[MuscleActivation], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not bytes_are_known:  # a middleware that serialises in another way
        monkeypatch.setattr(activation, "HEADER_BYTES", 8)
        assert isinstance(make_message(message_of(np.random.default_rng(0), 2)), TypedMessage)
    published = Published()
    publish_some(ActivationPublisher(published, ["a", "b"]))
    assert [repr(message) for message in published] == [repr(message) for message in expected]  # NaN is itself here


def test_publisher_bounds_kept_messages() -> None:
    publisher = ActivationPublisher(Published(), ["a"])
    for number in range(3 * activation.MAX_KEPT_MESSAGES):
        publisher.publish(0, 2, 0.0, (f"sensor_{number}",), 0.0, 0.0)
    assert len(publisher._messages) <= activation.MAX_KEPT_MESSAGES
