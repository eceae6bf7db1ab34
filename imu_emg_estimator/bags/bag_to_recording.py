"""A subject's recording from a bag, and a report of what was found in it."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags.bag_errors import BagTooShort, BagUnreadable, TopicMissing
from imu_emg_estimator.bags.bag_files import Check, bag_name
from imu_emg_estimator.bags.bag_reader import Bag, foreign_definition, open_bag
from imu_emg_estimator.bags.bag_report import BagReport, EmgReport, ImuReport
from imu_emg_estimator.bags.cdr_messages import IMU_TYPE, decode_imu
from imu_emg_estimator.bags.emg_packets import EmgPacket, OddPacket, decode_packet
from imu_emg_estimator.bags.emg_to_envelope import EmgStream, GridEmg, envelope_on_grid, no_overlap
from imu_emg_estimator.bags.read_limits import MIB, BagLimits, Meter
from imu_emg_estimator.bags.topic_mapping import (
    Channels,
    TopicMapping,
    find_emg_topic,
    find_imu_topics,
    match_channels,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, FloatArray, RawEmg, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import MINIMUM_DURATION, EnvelopeSettings
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings, GridAligner
from imu_emg_estimator.signals.powerline import powerline_can_be_found
from imu_emg_estimator.signals.timestamps import (
    Clock,
    Instants,
    measured_rate,
    plausible_receipts,
    receipts_are_useless,
    reconcile,
)

AROUND = 5 * SECOND  # ns of EMG around the IMU data that are kept for the filter's edges
SPARSEST_IMU = 5.0  # Hz; slower samples are no movement, and would make rows without end
LARGEST_EMG = 1e12  # in any unit
UNKNOWN_UNIT = "unknown"
# Bytes of memory that a sample takes from reading to the end, with all that is made of it on the way.
IMU_COST, PACKET_COST, ROW_COST, VALUE_COST = 160, 120, 24, 4

logger = logging.getLogger(__name__)


def read_bag(
    path: Path,
    rig: Rig,
    imu_topics: Sequence[str] | None = None,
    emg_topic: str | None = None,
    settings: EnvelopeSettings | None = None,
    subject: str = "",
    *,
    mapping: TopicMapping | None = None,
    alignment: AlignmentSettings | None = None,
    limits: BagLimits | None = None,
    check: Check | None = None,
    keep_raw: bool = False,
) -> Recording:
    """As ``read_bag_with_report``; what is worth a note is logged as a warning.

    Args:
        imu_topics, emg_topic: short for those of ``mapping``.
    """
    mapping = mapping or TopicMapping()
    mapping = replace(mapping, imu_topics=imu_topics or mapping.imu_topics, emg_topic=emg_topic or mapping.emg_topic)
    recording, report = read_bag_with_report(
        path, rig, mapping, settings, subject, alignment=alignment, limits=limits, check=check, keep_raw=keep_raw
    )
    for note in report.notes:
        logger.warning("bag %s: %s", path, note)
    return recording


def read_bag_with_report(
    path: Path,
    rig: Rig,
    mapping: TopicMapping | None = None,
    settings: EnvelopeSettings | None = None,
    subject: str = "",
    *,
    alignment: AlignmentSettings | None = None,
    limits: BagLimits | None = None,
    check: Check | None = None,
    keep_raw: bool = False,
) -> tuple[Recording, BagReport]:
    """Read a subject's IMUs and EMG onto the rig's grid.

    Every IMU sample goes through the node's own GridAligner in the order of receipt, so a calibration sees the rows
    that the node saw. Clocks that disagree are brought to the IMUs'. Where timestamps jump, the longest uninterrupted
    piece is read. An EMG channel that the bag lacks, or that never changes, is NaN or constant and has weight 0. EMG
    is not extrapolated and not invented in gaps. powerline interference is taken out of raw EMG.

    Args:
        path: rosbag2 folder, or a single file, mcap or sqlite3, compressed or not.
        mapping: which topics and channels are which, where names and types do not tell.
        settings: how raw EMG becomes an envelope; not used for messages that carry an envelope.
        subject: the subject.
        alignment: of the node.
        limits: what the bag may cost.
        check: says whether a file may be read; see ``datasets.paths.within``.
        keep_raw: give the raw EMG, too, without what was notched out of it for the envelope.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: one sentence that names the fault.
    """
    path, mapping = Path(path), mapping or TopicMapping()
    report = BagReport(str(path))
    with open_bag(path, limits, check) as bag:
        sensors = find_imu_topics(bag, rig, mapping.imu_topics)
        topic, msgtype = find_emg_topic(bag, rig, mapping)
        imus, emg = _collect(bag, rig, sensors, topic, msgtype, mapping)
        report.notes += bag.notes
        clocks = _one_clock(imus, emg)
        piece = _longest_piece(bag, rig, imus, alignment or AlignmentSettings(), report)
    stream = _in_piece(path, emg, piece)
    grid = envelope_on_grid(
        path, stream, len(rig.muscles), emg.channels, piece.timestamps, settings or EnvelopeSettings()
    )
    report.seconds = len(piece.timestamps) / rig.rate
    report.imu = [
        ImuReport(sensor, topic, len(imu.timestamps), imu.rate, clock, imu.late)
        for sensor, topic, imu, clock in zip(rig.sensor_names, sensors, imus, clocks, strict=False)
    ]
    report.emg = _emg_report(rig, emg, msgtype, clocks[-1], grid, len(stream.data))
    report.tell()
    recording = Recording(
        name=bag_name(path),
        subject=subject,
        rig=rig,
        start=float(piece.timestamps[0]) / SECOND,
        imu=piece.imu,
        envelope=grid.envelope,
        envelope_unit=emg.unit,
        muscle_weight=np.array([float(_varies(column)) for column in grid.envelope.T]),
        condition=np.full(len(piece.timestamps), UNLABELLED),
        emg=_raw_emg(rig, emg, grid, piece.timestamps) if keep_raw and not grid.is_envelope else None,
    )
    return recording, report


@dataclass
class _Imu:
    """Samples of one IMU as they came: timestamps and receipts [messages] in ns, values [messages * 6]."""

    timestamps: array[int] = field(default_factory=lambda: array("q"))
    receipts: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    late: int = 0

    def add(self, timestamp: int, receipt: int, sample: Sequence[float]) -> None:
        self.timestamps.append(timestamp)
        self.receipts.append(receipt)
        self.values.extend(sample)

    @property
    def rate(self) -> float:
        """Messages a second, by the middle half of the timestamps [Hz]."""
        first, last = np.percentile(_instants(self.timestamps), (25, 75))
        return len(self.timestamps) / 2 * SECOND / (last - first) if last > first else 0.0


class _Emg:
    """Packets of EMG as they came, of the rig's muscles only."""

    def __init__(self, bag: Bag, rig: Rig, topic: str, msgtype: str, mapping: TopicMapping) -> None:
        self.topic = topic
        self.timestamps, self.receipts, self.counts = array("q"), array("q"), array("q")
        self.arrivals: Instants = np.empty(0, dtype=np.int64)  # receipts on the clock of the IMUs, less the usual delay
        self._bag, self._rig, self._type, self._mapping = bag, rig, msgtype, mapping
        self._data = bytearray()
        self._form: EmgPacket | None = None
        self._channels: Channels | None = None

    def add(self, receipt: int, data: bytes) -> int:
        """Take in a message; returns the bytes of memory that it costs."""
        packet = decode_packet(self._type, data, self._mapping)
        if self._form is None:
            self._begin(packet)
        elif packet.form != self._form.form:
            raise OddPacket("sample_rate, names or number of channels, unit or is_envelope change between messages")
        if not len(packet.data):
            return PACKET_COST
        values = packet.data[:, list(self.channels.columns)]
        values = np.where(np.abs(values) < LARGEST_EMG, values, np.nan).astype(np.float32)
        self._data += values.tobytes()
        self.timestamps.append(receipt if packet.timestamp is None else packet.timestamp)
        self.receipts.append(receipt)
        self.counts.append(len(values))
        return PACKET_COST + len(values) * (ROW_COST + VALUE_COST * values.shape[1])

    def _begin(self, packet: EmgPacket) -> None:
        self._form = packet
        count = packet.data.shape[1]
        self._channels = match_channels(self._bag, self._rig, packet.names, count, self._mapping)
        if packet.field:
            self._mapping = replace(self._mapping, emg_field=packet.field)

    @property
    def form(self) -> EmgPacket:
        """The first packet, which all others resemble."""
        assert self._form is not None
        return self._form

    @property
    def channels(self) -> Channels:
        assert self._channels is not None
        return self._channels

    @property
    def rate(self) -> float | None:
        """Hz, as the messages or the user say."""
        return self.form.rate or self._mapping.emg_rate

    def spans(self, timestamps: Instants, receipts: Instants) -> Instants:
        """Time [ns] from the first sample of every packet to the last, at which it could first be sent."""
        counts = _instants(self.counts)
        for instants in (timestamps, receipts):
            try:
                rate = self.rate or measured_rate(instants, counts)
            except ValueError:  # timestamps that do not advance
                continue
            return np.round((counts - 1) * (SECOND / rate)).astype(np.int64)
        return np.zeros(len(counts), dtype=np.int64)

    @property
    def is_envelope(self) -> bool | None:
        """As the messages or the user say."""
        given = self._mapping.emg_kind
        return self.form.is_envelope if given is None else given == "envelope"

    @property
    def unit(self) -> str:
        return self.form.unit or UNKNOWN_UNIT

    @property
    def data(self) -> NDArray[np.float32]:
        """[samples, columns]"""
        return np.frombuffer(self._data, dtype=np.float32).reshape(-1, len(self.channels.columns))


@dataclass(frozen=True)
class _Piece:
    """Between two jumps of the clock: timestamps [rows], imu [rows, sensors, 6], times of first and last receipt."""

    timestamps: Instants
    imu: FloatArray
    received: tuple[int, int]


def _instants(values: array[int]) -> Instants:
    return np.frombuffer(values, dtype=np.int64)


def _collect(
    bag: Bag, rig: Rig, sensors: Sequence[str], topic: str, msgtype: str, mapping: TopicMapping
) -> tuple[list[_Imu], _Emg]:
    wanted = dict.fromkeys(sensors, IMU_TYPE) | {topic: msgtype}
    imus, emg = {sensor: _Imu() for sensor in sensors}, _Emg(bag, rig, topic, msgtype, mapping)
    held = 0
    for message in bag.messages(wanted):
        try:
            if message.topic == topic:
                held += emg.add(message.receipt, message.data)
            else:
                header, sample = decode_imu(message.data)
                imus[message.topic].add(header.stamp, message.receipt, sample)
                held += IMU_COST
        except InputError:
            raise
        except OddPacket as fault:
            raise BagUnreadable(f"bag {bag.path}: on {topic} {fault}; correct what sends them") from None
        except Exception:  # a body of another layout can break a decoder in any way
            raise foreign_definition(bag.path, message.topic, wanted[message.topic]) from None
        if held > bag.meter.limits.samples:
            raise BagUnreadable(
                f"bag {bag.path} holds more IMU and EMG samples than {bag.meter.limits.samples // MIB} MiB of memory "
                "take; cut out what is needed"
            )
    for name in wanted:
        if not len(emg.timestamps if name == topic else imus[name].timestamps):
            what = "EMG samples" if name == topic else "Imu messages"
            raise TopicMissing(f"bag {bag.path} has no {what} on {name}; record it again with what sends them")
    return list(imus.values()), emg


def _one_clock(imus: Sequence[_Imu], emg: _Emg) -> list[Clock]:
    """Bring all timestamps to the clock that most IMUs agree on; returns what was found, the EMG's last."""
    streams: list[_Imu | _Emg] = [*imus, emg]
    timestamps = [_instants(stream.timestamps).copy() for stream in streams]
    receipts = [plausible_receipts(_instants(stream.receipts)) for stream in streams]
    stamped = [index < len(imus) or emg.form.timestamp is not None for index in range(len(streams))]
    if all(stamped) and receipts_are_useless(timestamps[:-1], receipts[:-1]):
        receipts, clocks = timestamps, [Clock()] * len(streams)
        emg.arrivals = timestamps[-1] + SECOND  # not known
    else:
        given = [timestamp if there else None for timestamp, there in zip(timestamps, stamped, strict=True)]
        begun = [*receipts[:-1], receipts[-1] - emg.spans(timestamps[-1], receipts[-1])]
        timestamps, arrivals, clocks = reconcile(given, begun, range(len(imus)))
        emg.arrivals = arrivals[-1]
    for stream, timestamp, receipt in zip(streams, timestamps, receipts, strict=True):
        stream.timestamps, stream.receipts = array("q", timestamp.tobytes()), array("q", receipt.tobytes())
    return clocks


def _longest_piece(bag: Bag, rig: Rig, imus: Sequence[_Imu], settings: AlignmentSettings, report: BagReport) -> _Piece:
    aligner = GridAligner(len(imus), rig.rate, settings)
    best: _Piece | None = None
    rows: list[NDArray[np.float64]] = []
    timestamps = array("q")
    received = (0, 0)
    most_rows = 1000 + rig.rate / SPARSEST_IMU * sum(len(imu.timestamps) for imu in imus)
    total = 0
    for sensor, timestamp, receipt, sample in _in_order(imus, bag.meter):
        late = aligner.late_samples
        for row in aligner.push(sensor, timestamp, sample):
            if row.restarted:
                best = _longer(best, timestamps, rows, received)
                report.pieces += 1
                rows, timestamps, received = [], array("q"), (receipt, receipt)
            rows.append(row.imu)
            timestamps.append(row.timestamp)
            total += 1
            if len(rows) > bag.meter.limits.duration * rig.rate:
                hours = bag.meter.limits.duration / 3600
                raise InputError(f"bag {bag.path} covers more than {hours:g} h; cut out what is needed")
            if total > most_rows:
                raise BagTooShort(
                    f"bag {bag.path} has IMU samples at less than {SPARSEST_IMU:g} Hz; record them as the rig does"
                )
        received = (received[0], receipt)
        imus[sensor].late += aligner.late_samples - late
    best = _longer(best, timestamps, rows, received)
    seconds = len(best.timestamps) / rig.rate
    if seconds < MINIMUM_DURATION:
        jumps = f", the longest of {report.pieces} pieces between jumps of its timestamps" if report.pieces > 1 else ""
        raise BagTooShort(
            f"bag {bag.path} holds {seconds:.1f} s of IMU data{jumps}; "
            f"record at least {MINIMUM_DURATION:g} s without a break"
        )
    return best


def _longer(
    best: _Piece | None, timestamps: array[int], rows: list[NDArray[np.float64]], received: tuple[int, int]
) -> _Piece:
    if best is not None and len(best.timestamps) >= len(rows):
        return best
    imu = np.stack(rows) if rows else np.empty((0, 1, 6))
    return _Piece(np.array(timestamps, dtype=np.int64), imu, received)


def _in_order(imus: Sequence[_Imu], meter: Meter):  # type: ignore[no-untyped-def]
    """Sensor, timestamp, receipt and sample (6,) of every message, in the order of receipt."""
    receipts = np.concatenate([_instants(imu.receipts) for imu in imus])
    sensors = np.repeat(np.arange(len(imus), dtype=np.int16), [len(imu.timestamps) for imu in imus])
    firsts = np.cumsum([0, *(len(imu.timestamps) for imu in imus)])
    values = [np.frombuffer(imu.values, dtype=np.float64).reshape(-1, 6) for imu in imus]
    order = np.argsort(receipts, kind="stable")
    for begin in range(0, len(order), 4096):
        meter.tick()
        part = order[begin : begin + 4096]
        for sensor, index, receipt in zip(sensors[part].tolist(), part.tolist(), receipts[part].tolist(), strict=True):
            row = index - int(firsts[sensor])
            yield sensor, imus[sensor].timestamps[row], receipt, values[sensor][row]


def _in_piece(path: Path, emg: _Emg, piece: _Piece) -> EmgStream:
    """The EMG that belongs to a piece, without what came before a jump back of the clock."""
    timestamps, receipts, counts = _instants(emg.timestamps), _instants(emg.receipts), _instants(emg.counts)
    near = (timestamps >= piece.timestamps[0] - AROUND) & (timestamps <= piece.timestamps[-1] + AROUND)
    near &= (receipts >= piece.received[0] - AROUND) & (receipts <= piece.received[1] + AROUND)
    order = np.argsort(receipts, kind="stable")
    chosen = _longest_run(order[near[order]], timestamps, counts)
    if not len(chosen):
        raise no_overlap(path, 0.0)
    ends = np.cumsum(counts)
    data = emg.data
    if len(chosen) < len(timestamps) or (np.diff(chosen) < 0).any():
        parts = [slice(end - count, end) for end, count in zip(ends[chosen], counts[chosen], strict=True)]
        data = np.concatenate([data[part] for part in parts])
    return EmgStream(
        timestamps=timestamps[chosen],
        arrivals=emg.arrivals[chosen],
        counts=counts[chosen],
        data=data,
        rate=emg.rate,
        is_envelope=emg.is_envelope,
    )


def _longest_run(order: NDArray[np.int64], timestamps: Instants, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of packets in the order of receipt, those between two jumps back of the timestamps that hold most samples."""
    back = np.flatnonzero(np.diff(timestamps[order]) < -SECOND) + 1
    runs = np.split(order, back)
    return max(runs, key=lambda run: counts[run].sum())


def _emg_report(rig: Rig, emg: _Emg, msgtype: str, clock: Clock, grid: GridEmg, samples: int) -> EmgReport:
    names = [rig.muscle_names[muscle] for muscle in emg.channels.muscles]
    return EmgReport(
        topic=emg.topic,
        type=msgtype,
        field=emg.form.field,
        model=emg.form.model,
        channels=dict(zip(names, emg.channels.names, strict=True)),
        kind="envelope" if grid.is_envelope else "raw",
        kind_told=emg.is_envelope is not None,
        unit=emg.unit,
        rate=grid.clock.rate,
        samples=samples,
        lost=grid.clock.lost / grid.clock.length,
        shared=grid.clock.shared,
        clock=clock,
        powerline=dict(zip(names, grid.powerline, strict=True)),
        powerline_known=not grid.is_envelope and powerline_can_be_found(grid.clock.rate),
        saturated=dict(zip(names, grid.saturated, strict=False)),
    )


def _raw_emg(rig: Rig, emg: _Emg, grid: GridEmg, timestamps: Instants) -> RawEmg:
    """Raw EMG [samples, muscles] from the first row of the grid to the last."""
    clock = grid.clock
    offset = round((int(timestamps[0]) - int(clock.instants(0, 1)[0])) * clock.rate / SECOND)
    length = round(len(timestamps) / rig.rate * clock.rate)
    data = np.full((length, len(rig.muscles)), np.nan, dtype=np.float32)
    first, last = max(offset, 0), min(offset + length, len(grid.data))
    data[first - offset : last - offset, list(emg.channels.muscles)] = grid.data[first:last]
    return RawEmg(data, clock.rate, emg.unit)


def _varies(values: FloatArray) -> bool:
    known = values[np.isfinite(values)]
    return len(known) > 0 and float(np.ptp(known)) > 0
