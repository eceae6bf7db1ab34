"""Faults in the messages of a bag while it is played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults.fault_injection import inject
from imu_emg_estimator.faults.fault_kind import Fault, ImuMessage
from imu_emg_estimator.faults.transport_faults import OTHER_SEQUENCE
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.imu_encoder import encode_imu


class PlayedMessage(NamedTuple):
    """A serialised message that is due at its receive time [ns]; some come from a second publisher on the topic."""

    topic: str
    receive_time: int
    raw: bytes
    is_second: bool = False


def with_faults(
    messages: Iterable[PlayedMessage], imu_topics: Sequence[str], faults: Sequence[Fault], seed: int = 0
) -> Iterator[PlayedMessage]:
    """Yield the messages of a bag with faults in those of its Imu topics, whose order is that of the faults' sensors.

    Raises:
        InputError: a message on an Imu topic is none.
    """
    names = list(imu_topics)
    others: dict[str, int] = {}  # topics that faults do not reach

    def stream() -> Iterator[ImuMessage]:
        counts = [0] * len(names)
        for topic, receive_time, raw, _ in messages:
            if topic not in imu_topics:
                yield ImuMessage(receive_time, others.setdefault(topic, -1 - len(others)), 0, (), payload=raw)
                continue
            decoded, sensor = decode_imu(raw), names.index(topic)
            if decoded is None:
                raise InputError(f"a message on {topic} is not plain CDR of an Imu; replay the bag without faults")
            counts[sensor] += 1
            yield ImuMessage(receive_time, sensor, *decoded, counts[sensor], payload=raw)

    for message in inject(stream(), faults, seed):
        topic = names[message.sensor] if message.sensor >= 0 else list(others)[-1 - message.sensor]
        yield PlayedMessage(topic, message.arrival, _serialised(message), message.sequence >= OTHER_SEQUENCE)


def _serialised(message: ImuMessage) -> bytes:
    """Return the bytes as they were where nothing in them has changed."""
    if message.sensor < 0 or (decode_imu(message.payload) == message[2:4] and not any(message.absent)):
        return message.payload
    return encode_imu(message.timestamp, message.sample, message.absent, message.payload)
