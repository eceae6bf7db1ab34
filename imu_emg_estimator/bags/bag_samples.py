"""The IMU and EMG samples of a bag, collected as they were received, and their clocks brought together."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags.bag_messages import EmgPacket, OddPacket, decode_packet
from imu_emg_estimator.bags.bag_reader import Bag, foreign_definition
from imu_emg_estimator.bags.message_types import IMU_TYPE
from imu_emg_estimator.bags.read_limits import MIB, Meter
from imu_emg_estimator.bags.topic_mapping import Channels, TopicMapping, match_channels
from imu_emg_estimator.errors import BagUnreadable, InputError, TopicMissing
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.grid_alignment import SECOND, Sample
from imu_emg_estimator.signals.imu_decoder import decode_frame_id, decode_imu
from imu_emg_estimator.signals.packet_timing import measured_rate
from imu_emg_estimator.signals.topic_clocks import (
    Clock,
    Instants,
    follow_clock,
    leaps,
    plausible_receipts,
    receipts_are_useless,
    reconcile,
)

MAX_IMU = 1e6  # m/s^2 or rad/s, a hundred times what sensors give; sums of larger numbers could overflow
MAX_EMG = 1e12  # in any unit
UNKNOWN_UNIT = "unknown"
# Memory that a sample takes until the end, with all that is computed from it on the way.
IMU_BYTES, PACKET_BYTES, ROW_BYTES, VALUE_BYTES = 160, 120, 24, 4


@dataclass
class ImuSamples:
    """Samples of one IMU as they came.

    Attributes:
        timestamps, receive_times: [messages] in ns.
        values: [messages * 6]; see ``samples``.
        late: number of messages that came twice or too late for the grid.
        left_out: number of messages whose instant cannot be told.
    """

    timestamps: array[int] = field(default_factory=lambda: array("q"))
    receive_times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    late: int = 0
    left_out: int = 0

    def add(self, timestamp: int, sample: Sequence[float], receive_time: int) -> None:
        self.timestamps.append(timestamp)
        self.receive_times.append(receive_time)
        self.values.extend(sample)

    def samples(self) -> NDArray[np.float64]:
        """[messages, 6]; NaN where absent, or where no sensor gives such a value."""
        samples = np.frombuffer(self.values, dtype=np.float64).reshape(-1, 6)
        return np.where(np.abs(samples) < MAX_IMU, samples, np.nan)

    @property
    def rate(self) -> float:
        """Message rate by the middle half of the timestamps [Hz]."""
        first, last = np.percentile(instants_of(self.timestamps), (25, 75))
        return len(self.timestamps) / 2 * SECOND / (last - first) if last > first else 0.0


class EmgSamples:
    """Packets of EMG as they came, of the rig's muscles only."""

    def __init__(self, bag: Bag, rig: Rig, topic: str, msgtype: str, mapping: TopicMapping) -> None:
        self.topic = topic
        self.timestamps, self.receive_times, self.counts = array("q"), array("q"), array("q")
        # Receive times on the clock of the IMUs, less the usual delay.
        self.arrivals: Instants = np.empty(0, dtype=np.int64)
        self._bag, self._rig, self._type, self._mapping = bag, rig, msgtype, mapping
        self._data = bytearray()
        self._form: EmgPacket | None = None
        self._channels: Channels | None = None

    def add(self, receive_time: int, data: bytes) -> int:
        """Add a message; returns the memory that it takes [bytes]."""
        packet = decode_packet(self._type, data, self._mapping)
        if self._form is None:
            self._begin(packet)
        elif packet.form != self._form.form:
            raise OddPacket("sample_rate, names or number of channels, unit or is_envelope change between messages")
        if not len(packet.data):
            return PACKET_BYTES
        values = packet.data[:, list(self.channels.columns)]
        values = np.where(np.abs(values) < MAX_EMG, values, np.nan).astype(np.float32)
        self._data += values.tobytes()
        self.timestamps.append(receive_time if packet.timestamp is None else packet.timestamp)
        self.receive_times.append(receive_time)
        self.counts.append(len(values))
        return PACKET_BYTES + len(values) * (ROW_BYTES + VALUE_BYTES * values.shape[1])

    def _begin(self, packet: EmgPacket) -> None:
        self._form = packet
        count = packet.data.shape[1]
        self._channels = match_channels(self._bag, self._rig, packet.names, count, self._mapping)
        if packet.field:
            self._mapping = replace(self._mapping, emg_field=packet.field)

    @property
    def form(self) -> EmgPacket:
        """First packet; all others have the same form."""
        assert self._form is not None
        return self._form

    @property
    def channels(self) -> Channels:
        assert self._channels is not None
        return self._channels

    @property
    def rate(self) -> float | None:
        """Sample rate as the messages or the user state it [Hz]."""
        return self.form.rate or self._mapping.emg_rate

    def spans(self, timestamps: Instants, receive_times: Instants) -> Instants:
        """Time from the first sample of every packet to its last, when it could be sent [ns]."""
        counts = instants_of(self.counts)
        for instants in (timestamps, receive_times):
            try:
                rate = self.rate or measured_rate(instants, counts)
            except ValueError:  # timestamps that do not advance
                continue
            return np.round((counts - 1) * (SECOND / rate)).astype(np.int64)
        return np.zeros(len(counts), dtype=np.int64)

    @property
    def is_envelope(self) -> bool | None:
        """Whether it is an envelope, as the user or the messages state."""
        given = self._mapping.emg_kind
        return self.form.is_envelope if given is None else given == "envelope"

    @property
    def unit(self) -> str:
        return self.form.unit or UNKNOWN_UNIT

    @property
    def data(self) -> NDArray[np.float32]:
        """[samples, columns]"""
        return np.frombuffer(self._data, dtype=np.float32).reshape(-1, len(self.channels.columns))


def instants_of(values: array[int]) -> Instants:
    return np.frombuffer(values, dtype=np.int64)


def decode_imu_message(data: bytes) -> tuple[int, Sample]:
    """Timestamp [ns] and sample of a serialised sensor_msgs/Imu, whose frame_id must be sound, too.

    Raises:
        ValueError: it is not.
    """
    decode_frame_id(data)
    decoded = decode_imu(data)
    assert decoded is not None
    return decoded


def undecodable(bag: Bag, topic: str, msgtype: str, fault: Exception) -> InputError:
    """Return the sentence for what decoding a message of a topic raised.

    Anything may be raised: a body of another layout can break a decoder in any way.
    """
    if isinstance(fault, InputError):
        return fault
    if isinstance(fault, OddPacket):
        return BagUnreadable(f"bag {bag.path}: on {topic} {fault}; correct what publishes it")
    return foreign_definition(bag.path, topic, msgtype)


def collect_samples(
    bag: Bag, rig: Rig, sensors: Sequence[str], topic: str, msgtype: str, mapping: TopicMapping
) -> tuple[list[ImuSamples], EmgSamples]:
    wanted = dict.fromkeys(sensors, IMU_TYPE) | {topic: msgtype}
    imus, emg = {sensor: ImuSamples() for sensor in sensors}, EmgSamples(bag, rig, topic, msgtype, mapping)
    held = 0
    for message in bag.messages(wanted):
        try:
            if message.topic == topic:
                held += emg.add(message.receive_time, message.data)
            else:
                imus[message.topic].add(*decode_imu_message(message.data), message.receive_time)
                held += IMU_BYTES
        except Exception as fault:
            raise undecodable(bag, message.topic, wanted[message.topic], fault) from None
        if held > bag.meter.limits.samples:
            raise BagUnreadable(
                f"bag {bag.path} holds more IMU and EMG samples than {bag.meter.limits.samples // MIB} MiB of memory "
                "take; cut out what is needed"
            )
    for name in wanted:
        if not len(emg.timestamps if name == topic else imus[name].timestamps):
            what = "EMG samples" if name == topic else "Imu messages"
            raise TopicMissing(f"bag {bag.path} has no {what} on {name}; record it again with what publishes it")
    return list(imus.values()), emg


def reconcile_clocks(imus: Sequence[ImuSamples], emg: EmgSamples) -> list[Clock]:
    """Bring all timestamps to the clock that most IMUs agree on; returns the clocks found, the EMG's last."""
    streams: list[ImuSamples | EmgSamples] = [*imus, emg]
    timestamps = [instants_of(stream.timestamps).copy() for stream in streams]
    receive_times = [plausible_receipts(instants_of(stream.receive_times)) for stream in streams]
    stamped = [index < len(imus) or emg.form.timestamp is not None for index in range(len(streams))]
    if all(stamped) and receipts_are_useless(timestamps[:-1], receive_times[:-1]):
        receive_times, clocks = timestamps, [Clock()] * len(streams)
        emg.arrivals = timestamps[-1] + SECOND  # not known
    else:
        given = [timestamp if there else None for timestamp, there in zip(timestamps, stamped, strict=True)]
        begun = [*receive_times[:-1], receive_times[-1] - emg.spans(timestamps[-1], receive_times[-1])]
        raw = timestamps
        timestamps, arrivals, clocks = reconcile(given, begun, range(len(imus)))
        emg.arrivals = arrivals[-1]
        leaping = [leaps(*times) for times in zip(timestamps, arrivals, strict=True)]
        if 2 * sum(leaping[:-1]) <= len(imus):  # else a clock that all share was set: ``GridAligner`` cuts there
            if leaping[-1]:
                clocks[-1], timestamps[-1] = _followed_emg(clocks[-1], timestamps[-1], arrivals[-1])
            for index, imu in enumerate(imus):
                clocks[index], timestamps[index], receive_times[index] = _followed(
                    imu, clocks[index], raw[index], timestamps[index], arrivals[index], receive_times[index]
                )
    for stream, timestamp, receive_time in zip(streams, timestamps, receive_times, strict=True):
        stream.timestamps, stream.receive_times = array("q", timestamp.tobytes()), array("q", receive_time.tobytes())
    return clocks


def _followed(
    imu: ImuSamples, clock: Clock, raw: Instants, timestamps: Instants, arrivals: Instants, receive_times: Instants
) -> tuple[Clock, Instants, Instants]:
    """Return a sensor's clock, timestamps and receive times after the live clock model; drops what it leaves out."""
    order = np.argsort(receive_times, kind="stable")
    given = raw if clock.missing == 1.0 else timestamps
    followed = follow_clock(given[order], arrivals[order])
    if followed is None:
        return clock, timestamps, receive_times
    kept = order[followed.kept]
    values = np.frombuffer(imu.values, dtype=np.float64).reshape(-1, 6)[kept]
    imu.values, imu.left_out = array("d", values.tobytes()), len(order) - len(kept)
    fault = "" if clock.missing == 1.0 else followed.fault
    return replace(clock, corrected=True, fault=fault), followed.instants[followed.kept], receive_times[kept]


def _followed_emg(clock: Clock, timestamps: Instants, arrivals: Instants) -> tuple[Clock, Instants]:
    """Return the EMG's clock and timestamps after the live clock model; arrivals where it tells nothing."""
    order = np.argsort(arrivals, kind="stable")
    followed = follow_clock(timestamps[order], arrivals[order])
    if followed is None:
        return clock, timestamps
    result = timestamps.copy()
    result[order] = np.where(followed.kept, followed.instants, arrivals[order])
    return replace(clock, corrected=True, fault=followed.fault), result


def in_order(imus: Sequence[ImuSamples], meter: Meter) -> Iterator[tuple[int, int, int, list[float]]]:
    """Sensor, timestamp [ns], receive time [ns] and sample (6,) of every message, in order of receive time."""
    receive_times = np.concatenate([instants_of(imu.receive_times) for imu in imus])
    sensors = np.repeat(np.arange(len(imus), dtype=np.int16), [len(imu.timestamps) for imu in imus])
    firsts = np.cumsum([0, *(len(imu.timestamps) for imu in imus)])
    values = [imu.samples() for imu in imus]
    order = np.argsort(receive_times, kind="stable")
    for begin in range(0, len(order), 4096):
        meter.tick()
        part = order[begin : begin + 4096]
        columns = (sensors[part].tolist(), part.tolist(), receive_times[part].tolist())
        for sensor, index, receive_time in zip(*columns, strict=True):
            row = index - int(firsts[sensor])
            yield sensor, imus[sensor].timestamps[row], receive_time, values[sensor][row].tolist()
