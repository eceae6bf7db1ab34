"""rosbag2: a wearer's Imu and Emg topics, written and read without ROS.

The reader sends every sample through the node's own GridAligner in the order of
receipt, so a calibration sees the rows that the node saw. Definitions that a bag
carries are not trusted: only the message types known here are decoded.
"""

from __future__ import annotations

import heapq
import logging
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, FloatArray, RawEmg, Recording
from imu_emg_estimator.resources import message_definition
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.alignment import SECOND, AlignmentSettings, GridAligner, GridRow
from imu_emg_estimator.signals.emg import MINIMUM_DURATION, EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.messages import imu_sample, nanoseconds

IMU_TYPE = "sensor_msgs/msg/Imu"
EMG_TYPE = "imu_emg_estimator/msg/Emg"
EMG_TOPIC = "/emg"

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
PACKET = 4  # EMG samples a message
DELAY = 2_000_000  # ns from the stamp of the last sample in a message to its receipt
SENSOR_DELAY = 100_000  # ns more for every further IMU, as on one bus

LARGEST_BAG = 16 << 30  # bytes
LONGEST = 4 * 3600.0  # s
HIGHEST_RATE = 100_000.0  # Hz
MARGIN = 5 * SECOND  # ns of EMG around the IMU data that are kept for the filter's edges
JUMP = round(AlignmentSettings().jump * SECOND)  # ns
BRIDGED = 0.025  # s; an envelope does not change in less, so that it may be interpolated over
SPARSEST, DENSEST = 0.05, 1.1  # samples received per sample that sample_rate and stamps promise

logger = logging.getLogger(__name__)


class BagUnreadable(InputError):
    """The bag is missing, empty, corrupt, or not a bag."""


class TopicMissing(InputError):
    """The bag lacks a topic, or a muscle, that the rig needs."""


class BagTooShort(InputError):
    """The bag holds too little IMU and EMG data of the same time."""


def imu_topic(sensor_name: str) -> str:
    """Topic of a sensor's Imu messages in bags that this package writes."""
    return f"/imu/{sensor_name}"


# writing


def write_bag(recording: Recording, path: Path, storage: str = "mcap") -> None:
    """Write a recording as a rosbag2 (version 9): an Imu topic per sensor and an Emg topic.

    Stamps count from ``recording.start``, taken as seconds since 1970, on the rig's grid. The EMG is
    the raw one where the recording has it, else its envelope, else there is no Emg topic. An accelerometer
    or gyroscope that is not available is marked by ``covariance[0] = -1``.

    Args:
        path: folder to create.
        storage: ``mcap`` or ``sqlite3``.

    Raises:
        InputError: the folder exists, cannot be written, or the storage is not known.
    """
    path = Path(path)
    if storage not in STORAGES:
        raise InputError(f"bag storage '{storage}' is not known; choose mcap or sqlite3")
    if path.exists():
        raise InputError(f"{path} exists already; choose another name or remove it")
    try:
        with Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
            _write_messages(writer, recording)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise InputError(
            f"bag {path} cannot be written ({error.strerror}); free space or choose another place"
        ) from None
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _write_messages(writer: Writer, recording: Recording) -> None:
    types = {imu_topic(name): IMU_TYPE for name in recording.rig.sensor_names}
    emg = _emg_to_write(recording)
    if emg is not None:
        types[EMG_TOPIC] = EMG_TYPE
    connections = {
        topic: writer.add_connection(topic, msgtype, typestore=_typestore()) for topic, msgtype in types.items()
    }
    origin = round(recording.start * SECOND)
    streams = [_imu_messages(recording, origin)]
    if emg is not None:
        streams.append(_emg_messages(emg, recording, origin))
    for receipt, topic, message in heapq.merge(*streams, key=lambda entry: entry[0]):
        writer.write(connections[topic], receipt, _typestore().serialize_cdr(message, types[topic]))


def _emg_to_write(recording: Recording) -> RawEmg | None:
    if recording.emg is not None:
        return recording.emg
    if np.isfinite(recording.envelope).any():
        return RawEmg(recording.envelope, recording.rig.rate, recording.envelope_unit)
    return None


def _imu_messages(recording: Recording, origin: int) -> Iterator[tuple[int, str, Any]]:
    names = recording.rig.sensor_names
    for index, row in enumerate(recording.imu.astype(np.float64)):
        stamp = origin + _offset(index, recording.rig.rate)
        for sensor, sample in enumerate(row):
            receipt = stamp + DELAY + sensor * SENSOR_DELAY
            yield receipt, imu_topic(names[sensor]), _imu_message(names[sensor], stamp, sample)


def _imu_message(frame: str, stamp: int, sample: NDArray[np.float64]) -> Any:
    kinds = _typestore().types
    acceleration, acceleration_covariance = _part(sample[:3])
    rate, rate_covariance = _part(sample[3:])
    return kinds[IMU_TYPE](
        header=_header(frame, stamp),
        orientation=kinds["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=_covariance(available=False),
        angular_velocity=rate,
        angular_velocity_covariance=rate_covariance,
        linear_acceleration=acceleration,
        linear_acceleration_covariance=acceleration_covariance,
    )


def _part(values: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    available = bool(np.isfinite(values).all())
    x, y, z = values.tolist() if available else (0.0, 0.0, 0.0)
    return _typestore().types["geometry_msgs/msg/Vector3"](x=x, y=y, z=z), _covariance(available)


def _covariance(available: bool) -> NDArray[np.float64]:
    """Row-major 3 x 3: all zero = not known, first element -1 = the field is absent (sensor_msgs/Imu)."""
    covariance = np.zeros(9)
    covariance[0] = 0.0 if available else -1.0
    return covariance


def _emg_messages(emg: RawEmg, recording: Recording, origin: int) -> Iterator[tuple[int, str, Any]]:
    for start in range(0, len(emg.data), PACKET):
        data = emg.data[start : start + PACKET]
        stamp = origin + _offset(start, emg.rate)
        message = _typestore().types[EMG_TYPE](
            header=_header("emg", stamp),
            sample_rate=float(emg.rate),
            channel_names=list(recording.rig.muscle_names),
            data=np.ascontiguousarray(data, dtype=np.float32).reshape(-1),
            unit=emg.unit,
            is_envelope=recording.emg is None,
        )
        yield stamp + _offset(len(data) - 1, emg.rate) + DELAY, EMG_TOPIC, message


def _header(frame: str, stamp: int) -> Any:
    kinds = _typestore().types
    seconds, nanoseconds = divmod(stamp, SECOND)
    time = kinds["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return kinds["std_msgs/msg/Header"](stamp=time, frame_id=frame)


def _offset(index: int, rate: float) -> int:
    """Instant [ns] of a sample after the first, rounded as GridAligner rounds."""
    return round(index * SECOND / rate)


@cache
def _typestore() -> Typestore:
    """The message types known here; Imu is the same in Humble, Jazzy and Kilted."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(message_definition("Emg"), EMG_TYPE))
    return store


# reading


@dataclass(frozen=True)
class _Packet:
    """One Emg message: ``data`` [samples, channels], the first sample at ``stamp`` [ns]."""

    stamp: int
    rate: float
    channels: tuple[str, ...]
    data: NDArray[np.float32]
    unit: str
    is_envelope: bool

    @property
    def format(self) -> tuple[float, tuple[str, ...], str, bool]:
        return self.rate, self.channels, self.unit, self.is_envelope


@dataclass
class _Piece:
    """What was received between two jumps of the clock."""

    rows: list[GridRow] = field(default_factory=list)
    packets: list[_Packet] = field(default_factory=list)


def read_bag(
    path: Path,
    rig: Rig,
    imu_topics: Sequence[str] | None = None,
    emg_topic: str | None = None,
    settings: EnvelopeSettings | None = None,
    subject: str = "",
) -> Recording:
    """Read a wearer's Imu and Emg topics onto the rig's grid.

    Where the stamps jump, the longest uninterrupted piece is read. An EMG channel that the bag lacks, or
    that never changes, is NaN or constant and has weight 0. EMG is not extrapolated and not invented in gaps.

    Args:
        path: rosbag2 folder, or a single .mcap or .db3 file.
        imu_topics: Imu topics in the order of the rig's sensors; None = ``/imu/<sensor>``, or the one
            Imu topic whose last part is the sensor's name.
        emg_topic: topic of the Emg messages; None = ``/emg``, or the only Emg topic.
        settings: how raw EMG becomes an envelope; not used for messages that carry an envelope.
        subject: the wearer.

    Raises:
        BagUnreadable, TopicMissing, BagTooShort, InputError: one sentence that names the fault.
    """
    path = Path(path)
    with open_bag(path) as reader:
        sensors = _imu_topics(path, reader, rig, imu_topics)
        emg = _emg_topic(path, reader, emg_topic)
        piece = _longest_piece(path, reader, rig, sensors, emg)
    stamps = np.array([row.stamp for row in piece.rows], dtype=np.int64)
    envelope, unit = _envelope(path, piece.packets, rig, stamps, settings or EnvelopeSettings())
    return Recording(
        name=path.stem if path.is_file() else path.name,
        subject=subject,
        rig=rig,
        start=float(stamps[0]) / SECOND,
        imu=np.stack([row.imu for row in piece.rows]),
        envelope=envelope,
        envelope_unit=unit,
        muscle_weight=np.array([float(_varies(column)) for column in envelope.T]),
        condition=np.full(len(stamps), UNLABELLED),
    )


@contextmanager
def open_bag(path: Path) -> Iterator[Reader]:
    """An open rosbags Reader of a bag that holds at least one message; raises BagUnreadable."""
    path = Path(path)
    _check_files(path)
    with _readable(path):
        reader = Reader(path)
        reader.open()
    try:
        if not reader.message_count:
            raise BagUnreadable(f"bag {path} holds no message; record it again")
        yield reader
    finally:
        reader.close()


def bag_topics(reader: Reader) -> dict[str, str]:
    """Type of every Imu and Emg topic that holds at least one message, by name, in alphabetical order."""
    known = [c for c in reader.connections if c.msgtype in (IMU_TYPE, EMG_TYPE) and c.msgcount]
    return {c.topic: c.msgtype for c in sorted(known, key=lambda c: c.topic)}


def bag_messages(
    reader: Reader, topics: Collection[str], start: int | None = None, stop: int | None = None
) -> Iterator[tuple[Connection, int, bytes]]:
    """Raw Imu and Emg messages of some topics in the order of receipt.

    Args:
        start: first time of receipt [ns]; None = from the beginning.
        stop: time of receipt [ns] to stop before; None = to the end.

    Yields:
        Connection, time of receipt [ns] and CDR bytes.

    Raises:
        BagUnreadable: the bag is corrupt, or its messages follow another definition than ours.
    """
    path = Path(str(reader.path))
    connections = [c for c in reader.connections if c.topic in topics and c.msgtype in (IMU_TYPE, EMG_TYPE)]
    for connection in connections:
        if connection.digest not in ("", _typestore().hash_rihs01(connection.msgtype)):
            raise _foreign(path, connection)
    with _readable(path):
        yield from reader.messages(connections, start, stop)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # corrupt bytes make the yaml, sqlite, mcap and zstd decoders raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BagUnreadable(
            f"bag {path} cannot be read ({reason}); check that it is a whole rosbag2, or record it again"
        ) from error


def _check_files(path: Path) -> None:
    with _readable(path):
        if not path.is_dir() and not path.is_file():
            raise BagUnreadable(f"bag {path} does not exist; give a rosbag2 folder, .mcap or .db3 file")
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            raise BagUnreadable(
                f"folder {path} is not a rosbag2: metadata.yaml is missing; `ros2 bag reindex` restores it"
            )
        files = list(path.iterdir()) if path.is_dir() else [path]
        if sum(file.stat().st_size for file in files) > LARGEST_BAG:
            raise BagUnreadable(f"bag {path} is larger than {LARGEST_BAG >> 30} GiB; cut out what is needed")


def _topics(reader: Reader, msgtype: str) -> list[str]:
    return [topic for topic, kind in bag_topics(reader).items() if kind == msgtype]


def _imu_topics(path: Path, reader: Reader, rig: Rig, wanted: Sequence[str] | None) -> list[str]:
    present = _topics(reader, IMU_TYPE)
    if wanted is None:
        return [_topic_of(path, name, imu_topic(name), present) for name in rig.sensor_names]
    if len(wanted) != len(rig.sensors) or len(set(wanted)) != len(wanted):
        raise InputError(
            f"{len(set(wanted))} different Imu topics are given for the {len(rig.sensors)} sensors of rig "
            f"'{rig.name}'; name one topic for each, in the order of the rig"
        )
    for topic in wanted:
        if topic not in present:
            raise TopicMissing(
                f"bag {path} has no Imu messages on {topic}; its Imu topics are {_listed(present)}: "
                "correct the names, or record the sensor"
            )
    return list(wanted)


def _topic_of(path: Path, sensor: str, expected: str, present: Sequence[str]) -> str:
    alike = [topic for topic in present if topic.rsplit("/", 1)[-1] == sensor]
    if expected in present:
        return expected
    if len(alike) == 1:
        return alike[0]
    found = "more than one topic" if alike else "no Imu messages"
    raise TopicMissing(
        f"bag {path} has {found} for sensor '{sensor}' (expected {expected}); its Imu topics are "
        f"{_listed(present)}: record the sensor, or name the topics in the order of the rig"
    )


def _emg_topic(path: Path, reader: Reader, wanted: str | None) -> str:
    present = _topics(reader, EMG_TYPE)
    if wanted in present or (wanted is None and EMG_TOPIC in present):
        return wanted or EMG_TOPIC
    if wanted is None and len(present) == 1:
        return present[0]
    on = f" on {wanted}" if wanted else ""
    fault = "has more than one Emg topic" if present and wanted is None else f"has no {EMG_TYPE} messages{on}"
    topics = _listed(present)
    raise TopicMissing(f"bag {path} {fault}; its Emg topics are {topics}: record EMG, or name its topic")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _longest_piece(path: Path, reader: Reader, rig: Rig, sensors: Sequence[str], emg: str) -> _Piece:
    aligner = GridAligner(len(rig.sensors), rig.rate)
    pieces = [_Piece()]
    for topic, message in _decoded(path, reader, [*sensors, emg]):
        if topic == emg:
            pieces[-1].packets.append(_packet(path, topic, message))
            continue
        for row in aligner.push(sensors.index(topic), nanoseconds(message.header.stamp), imu_sample(message)):
            if row.restarted and pieces[-1].rows:
                pieces.append(_Piece())
            pieces[-1].rows.append(row)
            if len(pieces[-1].rows) > LONGEST * rig.rate:
                raise InputError(f"bag {path} covers more than {LONGEST / 3600:g} h; cut out what is needed")
    longest = max(pieces, key=lambda piece: len(piece.rows))
    jumps = f", the longest of {len(pieces)} pieces between jumps of its stamps" if len(pieces) > 1 else ""
    duration = len(longest.rows) / rig.rate
    if duration < MINIMUM_DURATION:
        raise BagTooShort(
            f"bag {path} holds {duration:.1f} s of IMU data{jumps}; "
            f"record at least {MINIMUM_DURATION:g} s without a break"
        )
    if jumps:
        logger.warning("bag %s: reading %.1f s%s", path, duration, jumps)
    return longest


def _decoded(path: Path, reader: Reader, topics: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Messages of some topics, decoded by our own definitions, in the order of receipt."""
    for connection, _, raw in bag_messages(reader, topics):
        try:
            message = _typestore().deserialize_cdr(raw, connection.msgtype)
        except Exception:  # as above: a body of another layout can break the decoder in any way
            raise _foreign(path, connection) from None
        yield connection.topic, message


def _foreign(path: Path, connection: Connection) -> BagUnreadable:
    return BagUnreadable(
        f"bag {path}: the messages on {connection.topic} are corrupt or follow another definition "
        f"of {connection.msgtype}; record them with the definition of this release"
    )


def _packet(path: Path, topic: str, message: Any) -> _Packet:
    channels, rate = len(message.channel_names), float(message.sample_rate)
    if not 0 < rate <= HIGHEST_RATE:
        raise BagUnreadable(f"bag {path}: sample_rate {rate:g} on {topic} is not between 0 and {HIGHEST_RATE:g} Hz")
    if not channels or len(message.data) % channels:
        raise BagUnreadable(
            f"bag {path}: {len(message.data)} values on {topic} do not divide into {channels} channels; "
            "send them row by row"
        )
    data = np.asarray(message.data, dtype=np.float32).reshape(-1, channels)
    names = tuple(message.channel_names)
    return _Packet(nanoseconds(message.header.stamp), rate, names, data, message.unit, bool(message.is_envelope))


# EMG packets to an envelope on the grid


def _envelope(
    path: Path, packets: Sequence[_Packet], rig: Rig, stamps: NDArray[np.int64], settings: EnvelopeSettings
) -> tuple[FloatArray, str]:
    """Envelope [samples, muscles] at the stamps of the grid, and its unit."""
    earliest, latest = stamps[0] - MARGIN, stamps[-1] + MARGIN
    packets = [p for p in _since_jump_back(packets) if earliest <= p.stamp <= latest and p.data.size]
    packets.sort(key=lambda packet: packet.stamp)
    if not packets:
        raise _no_overlap(path, 0.0)
    if len({packet.format for packet in packets}) > 1:
        raise BagUnreadable(
            f"bag {path}: sample_rate, channel_names, unit or is_envelope change between Emg messages; "
            "keep them constant"
        )
    rate, names, unit, is_envelope = packets[0].format
    muscles, columns = _matching_channels(path, rig, names)
    times, data = _joined(path, packets, columns, int(stamps[0]))
    channels = data if is_envelope else _filtered(path, data, rate, settings)
    envelope = np.full((len(stamps), len(rig.muscles)), np.nan)
    for muscle, channel in zip(muscles, channels.T, strict=True):
        envelope[:, muscle] = _interpolated(times, channel, stamps, max(1.5 / rate, BRIDGED))
    covered = np.isfinite(envelope).any(axis=1).sum() / rig.rate
    if covered < MINIMUM_DURATION:
        raise _no_overlap(path, covered)
    return envelope, unit


def _since_jump_back(packets: Sequence[_Packet]) -> Sequence[_Packet]:
    """Packets received since the clock last jumped back; EMG follows a jump of the IMUs a little later."""
    for index in range(len(packets) - 1, 0, -1):
        if packets[index].stamp < packets[index - 1].stamp - JUMP:
            return packets[index:]
    return packets


def _no_overlap(path: Path, seconds: float) -> BagTooShort:
    return BagTooShort(
        f"bag {path} holds {seconds:.1f} s in which IMU and EMG stamps overlap; "
        f"record at least {MINIMUM_DURATION:g} s of both, stamped by the same clock"
    )


def _matching_channels(path: Path, rig: Rig, names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Muscles of the rig that the EMG has, and the channels they are on."""
    muscles = [index for index, name in enumerate(rig.muscle_names) if name in names]
    if not muscles:
        raise TopicMissing(
            f"bag {path} has EMG of {_listed(names)}, but rig '{rig.name}' wants "
            f"{_listed(rig.muscle_names)}; set channel_names to the names of the rig"
        )
    return muscles, [names.index(rig.muscle_names[muscle]) for muscle in muscles]


def _joined(
    path: Path, packets: Sequence[_Packet], columns: list[int], begin: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Packets laid on one regular time base [samples], values [samples, columns]; NaN where none came.

    The time base is that of the first packet from ``begin`` [ns] on, where the EMG is needed.
    """
    rate = packets[0].rate
    anchor = next((packet.stamp for packet in packets if packet.stamp >= begin), packets[0].stamp)
    starts = _starts(packets, anchor)
    ends = [start + len(packet.data) for start, packet in zip(starts, packets, strict=True)]
    first, length = min(starts), max(ends) - min(starts)
    received = sum(len(packet.data) for packet in packets)
    if not SPARSEST <= received / length <= DENSEST:
        raise BagUnreadable(
            f"bag {path} has {received} EMG samples where sample_rate and stamps promise {length}; "
            "correct sample_rate or the stamps"
        )
    data = np.full((length, len(columns)), np.nan)
    for start, end, packet in zip(starts, ends, packets, strict=True):
        data[start - first : end - first] = packet.data[:, columns]
    data[~np.isfinite(data)] = np.nan
    return anchor + np.round(np.arange(first, first + length) * SECOND / rate).astype(np.int64), data


def _starts(packets: Sequence[_Packet], anchor: int) -> list[int]:
    """Index of the first sample of every packet; 0 = at the anchor [ns].

    Stamps of packets jitter with their transport. One that is off by less than half a packet continues
    the packet before: no sample is lost, for that would be a whole packet.
    """
    starts: list[int] = []
    end, tolerance = 0, 0.0
    for packet in packets:
        start = round((packet.stamp - anchor) * packet.rate / SECOND)
        starts.append(end if abs(start - end) < tolerance else start)
        end, tolerance = starts[-1] + len(packet.data), len(packet.data) / 2
    return starts


def _filtered(path: Path, data: NDArray[np.float64], rate: float, settings: EnvelopeSettings) -> FloatArray:
    if len(data) < MINIMUM_DURATION * rate:
        raise _no_overlap(path, len(data) / rate)
    try:
        return emg_envelope(data, rate, settings)
    except InputError as error:
        raise InputError(f"bag {path}: {error}") from None


def _varies(values: FloatArray) -> bool:
    known = values[np.isfinite(values)]
    return len(known) > 0 and float(np.ptp(known)) > 0


def _interpolated(
    times: NDArray[np.int64], values: FloatArray, stamps: NDArray[np.int64], largest_gap: float
) -> NDArray[np.float64]:
    """Values at the stamps; NaN outside and between known values further apart than the gap [s]."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(stamps), np.nan)
    times, values = times[known], values[known]
    after = np.searchsorted(times, stamps)
    inside = (stamps >= times[0]) & (stamps <= times[-1])
    after = np.clip(after, 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    reached = (times[after] == stamps) | (times[after] - times[before] <= largest_gap * SECOND)
    relative = (times - times[0]).astype(np.float64)
    result = np.interp((stamps - times[0]).astype(np.float64), relative, values)
    return np.where(inside & reached, result, np.nan)
