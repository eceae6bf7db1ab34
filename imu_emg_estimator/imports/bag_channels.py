"""rosbag2 as one more form: topics of IMUs and EMG as channels, each IMU named after its topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags import EMG_TYPE, IMU_TYPE, Bag, TopicMapping, open_bag, present_topics
from imu_emg_estimator.bags.bag_messages import EmgPacket, decode_packet
from imu_emg_estimator.bags.bag_samples import ImuSamples, decode_imu_message, undecodable
from imu_emg_estimator.bags.message_types import FLOAT32_TYPE, FLOAT64_TYPE, JOINT_TYPE
from imu_emg_estimator.bags.topic_names import names_of_topics
from imu_emg_estimator.imports.channels import Array, Channel, Take
from imu_emg_estimator.imports.time_columns import without_repeats
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.packet_timing import measured_rate, sample_clock
from imu_emg_estimator.signals.topic_clocks import Instants

OTHER_TYPES = (JOINT_TYPE, FLOAT32_TYPE, FLOAT64_TYPE)  # which are not only of EMG
MAX_CLOCK_DIFFERENCE_S = 1.0  # between timestamps and receipt; else timestamps are on another clock
AXES = tuple(f"{kind} {axis}" for kind in ("acc", "gyro") for axis in "xyz")


Packets = list[tuple[EmgPacket, int]]  # with the time of receipt [ns]


def read_bag_channels(path: Path) -> Take:
    """Read all Imu and Emg topics, and arrays and JointStates called EMG; raises BagUnreadable as ``open_bag`` does."""
    notes: list[str] = []
    with open_bag(path) as bag:
        imus = {topic: ImuSamples() for topic in present_topics(bag, IMU_TYPE)}
        types = dict.fromkeys(present_topics(bag, EMG_TYPE), EMG_TYPE)
        types |= {topic: own for own in OTHER_TYPES for topic in present_topics(bag, own) if "emg" in topic.lower()}
        emgs: dict[str, Packets] = {topic: [] for topic in types}
        _collect(bag, imus, emgs, types)
        names = names_of_topics(list(imus))
        channels = [
            channel for topic, imu in imus.items() for channel in _imu_channels(path, topic, names[topic], imu, notes)
        ]
        channels += [channel for topic, emg in emgs.items() for channel in _emg_channels(path, topic, emg, notes)]
        return Take(path, "bag", tuple(channels), absolute=True, notes=(*bag.notes, *notes))


def _collect(bag: Bag, imus: dict[str, ImuSamples], emgs: dict[str, Packets], types: dict[str, str]) -> None:
    wanted = dict.fromkeys(imus, IMU_TYPE) | types
    for message in bag.messages(wanted):
        try:
            if message.topic in imus:
                imus[message.topic].add(*decode_imu_message(message.data), message.receive_time)
            else:
                packet = decode_packet(types[message.topic], message.data, TopicMapping())
                emgs[message.topic].append((packet, message.receive_time))
        except Exception as fault:
            raise undecodable(bag, message.topic, wanted[message.topic], fault) from None


def _instants(topic: str, timestamps: Sequence[int], receive_times: Sequence[int], notes: list[str]) -> Instants:
    """Return timestamps [ns], or where these are on another clock the times of receipt."""
    stamped, received = np.array(timestamps, dtype=np.int64), np.array(receive_times, dtype=np.int64)
    if abs(float(np.median(received - stamped))) <= MAX_CLOCK_DIFFERENCE_S * SECOND:
        return stamped
    notes.append(f"{topic} has timestamps of another clock; its times of receipt were taken")
    return received


def _imu_channels(path: Path, topic: str, device: str, imu: ImuSamples, notes: list[str]) -> Iterator[Channel]:
    if len(imu.timestamps) < 2:
        notes.append(f"{topic} holds {len(imu.timestamps)} messages and was left out")
        return
    times = _seconds(path, topic, _instants(topic, imu.timestamps, imu.receive_times, notes), notes)
    for name, values in zip(AXES, imu.samples().T, strict=True):
        if np.isfinite(values).any():
            yield Channel(f"{device}: {name}", "m/s²" if "acc" in name else "rad/s", times, values)


def _emg_channels(path: Path, topic: str, received: Packets, notes: list[str]) -> Iterator[Channel]:
    packets = [packet for packet, _ in received]
    if not packets or not all(len(own.data) and own.form == packets[0].form for own in packets):
        notes.append(f"{topic} changes its rate, channels or unit, or has empty messages, and was left out")
        return
    first, receipts = packets[0], [receipt for _, receipt in received]
    stamps = [receipt if own.timestamp is None else own.timestamp for own, receipt in received]
    counts = np.array([len(own.data) for own in packets], dtype=np.int64)
    instants = _instants(topic, stamps, receipts, notes)
    try:
        rate = first.rate or measured_rate(instants, counts)
    except ValueError:
        notes.append(f"{topic} has timestamps that do not advance, and was left out")
        return
    clock = sample_clock(instants, np.array(receipts, dtype=np.int64), counts, rate)
    rows: NDArray[np.int64] = np.concatenate(
        [start + np.arange(count) for start, count in zip(clock.starts, counts, strict=True)]
    )
    times = _seconds(path, topic, clock.instants()[rows], notes)
    data: Array = np.concatenate([own.data for own in packets]).astype(np.float64)
    names = first.names or [str(column + 1) for column in range(data.shape[1])]
    for name, values in zip(names, data.T, strict=True):
        yield Channel(f"{'envelope' if first.is_envelope else 'emg'}_{name}", first.unit, times, values)


def _seconds(path: Path, topic: str, instants: Instants, notes: list[str]) -> Array:
    times, repeats = without_repeats(path, topic, instants / SECOND)
    notes.extend(f"{topic}: {note}" for note in repeats)
    return times
