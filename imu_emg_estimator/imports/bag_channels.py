"""rosbag2 as one more form: Imu and Emg topics as channels, each IMU named after its topic."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags import EMG_TYPE, IMU_TYPE, Bag, TopicMapping, open_bag, present_topics
from imu_emg_estimator.bags.bag_samples import ImuSamples, decode_imu_message, undecodable
from imu_emg_estimator.bags.emg_packets import EmgPacket, decode_packet
from imu_emg_estimator.bags.topic_mapping import names_of_topics
from imu_emg_estimator.imports.channels import Array, Channel, Take
from imu_emg_estimator.imports.time_columns import without_repeats
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.packet_timing import sample_clock
from imu_emg_estimator.signals.topic_clocks import Instants

MAX_CLOCK_DIFFERENCE_S = 1.0  # between timestamps and receipt; else timestamps are on another clock
AXES = tuple(f"{kind} {axis}" for kind in ("acc", "gyro") for axis in "xyz")
COMPRESSED = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")  # zstd, lz4
MAGIC = (b"\x89MCAP0\r\n", b"SQLite format 3\x00", *COMPRESSED)


@dataclass
class _EmgPackets:
    """Messages of an Emg topic."""

    timestamps: array[int] = field(default_factory=lambda: array("q"))
    receive_times: array[int] = field(default_factory=lambda: array("q"))
    packets: list[EmgPacket] = field(default_factory=list)

    def add(self, packet: EmgPacket, receive_time: int) -> None:
        self.timestamps.append(receive_time if packet.timestamp is None else packet.timestamp)
        self.receive_times.append(receive_time)
        self.packets.append(packet)


def is_bag(start: bytes) -> bool:
    """Whether a file's first bytes are those of a bag's storage."""
    return start.startswith(MAGIC)


def read_bag_channels(path: Path) -> Take:
    """Read all Imu and Emg topics; raises BagUnreadable as ``open_bag`` does."""
    notes: list[str] = []
    with open_bag(path) as bag:
        imus = {topic: ImuSamples() for topic in present_topics(bag, IMU_TYPE)}
        emgs = {topic: _EmgPackets() for topic in present_topics(bag, EMG_TYPE)}
        _collect(bag, imus, emgs)
        names = names_of_topics(list(imus))
        channels = [
            channel for topic, imu in imus.items() for channel in _imu_channels(path, topic, names[topic], imu, notes)
        ]
        channels += [channel for topic, emg in emgs.items() for channel in _emg_channels(path, topic, emg, notes)]
        return Take(path, "bag", tuple(channels), absolute=True, notes=(*bag.notes, *notes))


def _collect(bag: Bag, imus: dict[str, ImuSamples], emgs: dict[str, _EmgPackets]) -> None:
    wanted = dict.fromkeys(imus, IMU_TYPE) | dict.fromkeys(emgs, EMG_TYPE)
    for message in bag.messages(wanted):
        try:
            if message.topic in imus:
                imus[message.topic].add(*decode_imu_message(message.data), message.receive_time)
            else:
                emgs[message.topic].add(decode_packet(EMG_TYPE, message.data, TopicMapping()), message.receive_time)
        except Exception as fault:
            raise undecodable(bag, message.topic, wanted[message.topic], fault) from None


def _instants(topic: str, timestamps: array[int], receive_times: array[int], notes: list[str]) -> Instants:
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
    seconds = _instants(topic, imu.timestamps, imu.receive_times, notes) / SECOND
    times, note = without_repeats(path, topic, seconds)
    notes.extend([f"{topic}: {note}"] if note else [])
    for name, values in zip(AXES, imu.samples().T, strict=True):
        if np.isfinite(values).any():
            yield Channel(f"{device}: {name}", "m/s²" if "acc" in name else "rad/s", times, values)


def _emg_channels(path: Path, topic: str, emg: _EmgPackets, notes: list[str]) -> Iterator[Channel]:
    packets = [packet for packet in emg.packets if len(packet.data)]
    if len({packet.form for packet in packets}) != 1 or packets[0].rate is None or len(packets) != len(emg.packets):
        notes.append(f"{topic} changes its rate, channels or unit, or has empty messages, and was left out")
        return
    counts = np.array([len(packet.data) for packet in packets], dtype=np.int64)
    stamped = _instants(topic, emg.timestamps, emg.receive_times, notes)
    clock = sample_clock(stamped, np.array(emg.receive_times, dtype=np.int64), counts, packets[0].rate)
    rows: NDArray[np.int64] = np.concatenate(
        [start + np.arange(count) for start, count in zip(clock.starts, counts, strict=True)]
    )
    times, note = without_repeats(path, topic, clock.instants()[rows] / SECOND)
    notes.extend([f"{topic}: {note}"] if note else [])
    data: Array = np.concatenate([packet.data for packet in packets]).astype(np.float64)
    kind = "envelope" if packets[0].is_envelope else "emg"
    for name, values in zip(packets[0].names, data.T, strict=True):
        yield Channel(f"{kind}_{name}", packets[0].unit, times, values)
