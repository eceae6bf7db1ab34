"""Bags in every form that a lab may have: the same messages in other files, EMG of other types, and defects."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import yaml
import zstandard
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from numpy.typing import NDArray

from imu_emg_estimator.datasets.bag.cdr import (
    ACTIVATION_TYPE,
    EMG_TYPE,
    FLOAT32_TYPE,
    FLOAT64_TYPE,
    IMU_TYPE,
    JOINT_TYPE,
)
from imu_emg_estimator.datasets.bag.definitions import known_digest, typestore
from imu_emg_estimator.recording import Recording

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
DELAY = 3_000_000  # ns from a message's last sample to its receipt
TYPES = typestore()
EMG_TOPIC = "/emg"


@dataclass(frozen=True)
class Entry:
    """A message before it is written; ``stamp`` None = its type has no header."""

    receipt: int
    topic: str
    type: str
    message: Any

    @property
    def data(self) -> bytes:
        return bytes(TYPES.serialize_cdr(self.message, self.type))

    @property
    def stamp(self) -> int:
        stamp = self.message.header.stamp
        return int(stamp.sec) * SECOND + int(stamp.nanosec)

    def stamped(self, stamp: int) -> "Entry":
        time = TYPES.types["builtin_interfaces/msg/Time"](sec=stamp // SECOND, nanosec=stamp % SECOND)
        header = replace(self.message.header, stamp=time)
        return replace(self, message=replace(self.message, header=header))


def header(stamp: int, frame: str = "") -> Any:
    time = TYPES.types["builtin_interfaces/msg/Time"](sec=stamp // SECOND, nanosec=stamp % SECOND)
    return TYPES.types["std_msgs/msg/Header"](stamp=time, frame_id=frame)


# messages


def imu_entries(recording: Recording, topics: Sequence[str] | None = None) -> list[Entry]:
    """Imu messages of a recording from START on."""
    rig = recording.rig
    topics = topics or [f"/imu/{name}" for name in rig.sensor_names]
    entries = []
    for index, row in enumerate(recording.imu.astype(np.float64)):
        stamp = START + round(index * SECOND / rig.rate)
        for sensor, sample in enumerate(row):
            receipt = stamp + DELAY + sensor * 100_000
            entries.append(
                Entry(receipt, topics[sensor], IMU_TYPE, imu_message(rig.sensor_names[sensor], stamp, sample))
            )
    return entries


def imu_message(frame: str, stamp: int, sample: NDArray[np.float64]) -> Any:
    vector, covariance = TYPES.types["geometry_msgs/msg/Vector3"], [np.zeros(9) for _ in range(3)]
    covariance[0][0] = -1.0
    parts = []
    for half, values in enumerate((sample[3:], sample[:3])):
        if not np.isfinite(values).all():
            covariance[1 + half][0], values = -1.0, np.zeros(3)
        parts.append(vector(*(float(value) for value in values)))
    return TYPES.types[IMU_TYPE](
        header(stamp, frame),
        TYPES.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
        covariance[0], parts[0], covariance[1], parts[1], covariance[2],
    )  # fmt: skip


@dataclass(frozen=True)
class Signal:
    """EMG to be sent: [samples, channels] at ``rate`` Hz from START on, with the names of its channels."""

    data: NDArray[np.float64]
    rate: float
    names: tuple[str, ...]
    is_envelope: bool
    unit: str = "mV"


def emg_entries(signal: Signal, packet: int = 1, topic: str = EMG_TOPIC) -> list[Entry]:
    """Emg messages."""

    def message(stamp: int, rows: NDArray[np.float64]) -> Any:
        values = np.ascontiguousarray(rows, dtype=np.float32).reshape(-1)
        return TYPES.types[EMG_TYPE](
            header(stamp, "amplifier"), signal.rate, list(signal.names), values, signal.unit, signal.is_envelope
        )

    return _packets(signal, packet, topic, EMG_TYPE, message)


def activation_entries(signal: Signal, model_id: str = "", topic: str = "/activation") -> list[Entry]:
    """MuscleActivation messages, measured ones if ``model_id`` is empty."""

    def message(stamp: int, rows: NDArray[np.float64]) -> Any:
        values = np.ascontiguousarray(rows[0], dtype=np.float32)
        return TYPES.types[ACTIVATION_TYPE](
            header(stamp), list(signal.names), values, values * 0, 0, [], 0.0, model_id, "",
        )  # fmt: skip

    return _packets(signal, 1, topic, ACTIVATION_TYPE, message)


def joint_entries(signal: Signal, field: str = "effort", topic: str = "/emg/joints") -> list[Entry]:
    """JointState messages with the EMG in one field."""

    def message(stamp: int, rows: NDArray[np.float64]) -> Any:
        values = np.ascontiguousarray(rows[0])
        fields = {name: values if name == field else np.empty(0) for name in ("position", "velocity", "effort")}
        return TYPES.types[JOINT_TYPE](header=header(stamp), name=list(signal.names), **fields)

    return _packets(signal, 1, topic, JOINT_TYPE, message)


def array_entries(
    signal: Signal, bits: int, packet: int = 1, named: bool = True, topic: str = "/emg/raw"
) -> list[Entry]:
    """Float32MultiArray or Float64MultiArray messages, samples by channels; ``named``: the label lists the muscles."""
    msgtype = {32: FLOAT32_TYPE, 64: FLOAT64_TYPE}[bits]
    dimension, layout = (TYPES.types[f"std_msgs/msg/MultiArray{part}"] for part in ("Dimension", "Layout"))

    def message(stamp: int, rows: NDArray[np.float64]) -> Any:
        samples, channels = rows.shape
        label = ",".join(signal.names) if named else "channels"
        dimensions = [dimension("samples", samples, samples * channels), dimension(label, channels, channels)]
        values = rows.reshape(-1).astype(np.float32 if bits == 32 else np.float64)
        return TYPES.types[msgtype](layout=layout(dim=dimensions, data_offset=0), data=values)

    return _packets(signal, packet, topic, msgtype, message)


def _packets(
    signal: Signal, packet: int, topic: str, msgtype: str, message: Callable[[int, NDArray[np.float64]], Any]
) -> list[Entry]:
    entries = []
    for first in range(0, len(signal.data), packet):
        rows = signal.data[first : first + packet]
        stamp = START + round(first * SECOND / signal.rate)
        receipt = stamp + round((len(rows) - 1) * SECOND / signal.rate) + DELAY + 700_000
        entries.append(Entry(receipt, topic, msgtype, message(stamp, rows)))
    return entries


def in_order(*streams: Iterable[Entry]) -> list[Entry]:
    return sorted((entry for stream in streams for entry in stream), key=lambda entry: entry.receipt)


# files


@dataclass(frozen=True)
class Form:
    """How messages become files.

    Attributes:
        storage: ``mcap`` or ``sqlite3``, as `ros2 bag record` and rosbags write them; ``foxglove`` for an MCAP
            library's own writer with its chunks, CRCs, attachments and channels of other encodings.
        chunks: of MCAP: '', 'lz4' or 'zstd'; None = no chunks, as the preset ``fastwrite`` writes.
        summary: whether the MCAP has one.
        compression: ``file`` or ``message``, as rosbag2 compresses; '' = not.
        kind: of that compression: ``zstd`` or ``lz4``.
        files: the bag is split into so many.
        metadata: version of metadata.yaml; 0 = there is none.
        single: the storage file alone is the bag.
        schema: of sqlite3, version of the tables.
    """

    storage: str = "mcap"
    chunks: str | None = "zstd"
    summary: bool = True
    compression: str = ""
    kind: str = "zstd"
    files: int = 1
    metadata: int = 9
    single: bool = False
    schema: int = 4


FORMS = {
    "mcap": Form(),
    "mcap-plain-chunks": Form(chunks="", metadata=8),
    "mcap-lz4-chunks": Form(chunks="lz4"),
    "mcap-fastwrite": Form(chunks=None, metadata=5),
    "mcap-fastwrite-file": Form(chunks=None, summary=False, single=True),
    "mcap-file": Form(single=True),
    "mcap-zstd-file": Form(chunks="", compression="file", metadata=5),
    "mcap-lz4-file": Form(chunks="", compression="file", kind="lz4"),
    "mcap-zstd-single-file": Form(chunks="", compression="file", single=True),
    "mcap-zstd-message": Form(compression="message"),
    "mcap-split": Form(files=3),
    "mcap-split-without-metadata": Form(files=3, metadata=0),
    "foxglove-zstd": Form(storage="foxglove", single=True),
    "foxglove-lz4": Form(storage="foxglove", chunks="lz4", single=True),
    "foxglove-without-summary": Form(storage="foxglove", summary=False, single=True),
    "foxglove-without-chunks": Form(storage="foxglove", chunks=None, summary=False, single=True),
    "sqlite3": Form(storage="sqlite3"),
    "sqlite3-file": Form(storage="sqlite3", single=True),
    "sqlite3-humble": Form(storage="sqlite3", schema=3, metadata=5),
    "sqlite3-foxy": Form(storage="sqlite3", schema=2, metadata=4),
    "sqlite3-zstd-file": Form(storage="sqlite3", compression="file", metadata=5),
    "sqlite3-zstd-message": Form(storage="sqlite3", compression="message", metadata=5),
    "sqlite3-lz4-message": Form(storage="sqlite3", compression="message", kind="lz4"),
    "sqlite3-split-zstd": Form(storage="sqlite3", compression="file", files=2),
    "sqlite3-without-metadata": Form(storage="sqlite3", metadata=0, files=2),
}


def write_form(folder: Path, entries: Sequence[Entry], form: Form) -> Path:
    """Write messages, in the order given, as a bag in a folder that does not exist yet; returns the bag's path."""
    folder.mkdir()
    suffix = ".db3" if form.storage == "sqlite3" else ".mcap"
    ends = np.linspace(0, len(entries), form.files + 1).astype(int)
    paths = []
    for number, (first, last) in enumerate(pairwise(ends)):
        path = folder / f"{folder.name}_{number}{suffix}"
        chosen = entries if form.files == 1 else entries[first:last]
        if form.storage == "sqlite3":
            _write_sqlite(path, chosen, form)
        else:
            _write_mcap(path, chosen, form)
        paths.append(_compressed_file(path, form) if form.compression == "file" else path)
    if form.metadata and not form.single:
        _write_metadata(folder, paths, entries, form)
    return paths[0] if form.single else folder


def _payload(entry: Entry, form: Form) -> bytes:
    if form.compression != "message":
        return entry.data
    return lz4.frame.compress(entry.data) if form.kind == "lz4" else zstandard.compress(entry.data)


def _compressed_file(path: Path, form: Form) -> Path:
    target = path.with_name(f"{path.name}.{form.kind}")
    opener = lz4.frame.open if form.kind == "lz4" else zstandard.open
    with path.open("rb") as source, opener(target, "wb") as sink:
        shutil.copyfileobj(source, sink)
    path.unlink()
    return target


def _write_mcap(path: Path, entries: Sequence[Entry], form: Form) -> None:
    compressions = {"": CompressionType.NONE, "lz4": CompressionType.LZ4, "zstd": CompressionType.ZSTD}
    foxglove = form.storage == "foxglove"
    writer = McapWriter(
        str(path), chunk_size=1 << 16,
        compression=compressions[form.chunks or ""], use_chunking=form.chunks is not None,
        use_statistics=form.summary, use_summary_offsets=form.summary, repeat_schemas=form.summary,
        repeat_channels=form.summary, enable_crcs=foxglove, enable_data_crcs=foxglove,
    )  # fmt: skip
    writer.start(profile="" if foxglove else "ros2", library="test")
    channels: dict[str, int] = {}
    others: list[int] = []
    if foxglove:
        schema = writer.register_schema("foxglove.Log", "jsonschema", b"{}")
        others.append(writer.register_channel("/log", "json", schema))
        schema = writer.register_schema("foxglove.SceneUpdate", "protobuf", bytes(range(64)))
        others.append(writer.register_channel("/scene", "protobuf", schema))
        writer.add_attachment(START, START, "notes.txt", "text/plain", b"electrodes on at nine")
        writer.add_metadata("session", {"operator": "A"})
    for index, entry in enumerate(entries):
        if entry.topic not in channels:
            definition, _ = TYPES.generate_msgdef(entry.type, ros_version=2)
            schema = writer.register_schema(entry.type, "ros2msg", definition.encode())
            channels[entry.topic] = writer.register_channel(
                entry.topic, "cdr", schema, {"offered_qos_profiles": "- history: 1\n  depth: 5\n"}
            )
        receipt = entry.receipt
        writer.add_message(channels[entry.topic], receipt, _payload(entry, form), receipt)
        if others and index % 50 == 0:
            for other in others:
                writer.add_message(other, receipt, json.dumps({"message": index}).encode(), receipt)
    writer.finish()


def _write_sqlite(path: Path, entries: Sequence[Entry], form: Form) -> None:
    """Tables as of schema 2 (Foxy, Galactic), 3 (Humble) and 4 (Iron and later)."""
    database = sqlite3.connect(path)
    digest = ", type_description_hash TEXT NOT NULL" if form.schema >= 4 else ""
    database.executescript(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
        f"serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL{digest});"
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, "
        "data BLOB NOT NULL); CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
    )
    if form.schema >= 3:
        database.executescript(
            "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);"
            "CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);"
        )
        database.execute("INSERT INTO schema VALUES (?, ?)", (form.schema, "humble" if form.schema == 3 else "jazzy"))
    topics: dict[str, int] = {}
    for entry in entries:
        if entry.topic not in topics:
            topics[entry.topic] = len(topics) + 1
            row = [topics[entry.topic], entry.topic, entry.type, "cdr", ""]
            row += [known_digest(entry.type)] if form.schema >= 4 else []
            database.execute(f"INSERT INTO topics VALUES ({','.join('?' * len(row))})", row)
        database.execute(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)",
            (topics[entry.topic], entry.receipt, _payload(entry, form)),
        )
    database.commit()
    database.close()


def _write_metadata(folder: Path, paths: Sequence[Path], entries: Sequence[Entry], form: Form) -> None:
    """metadata.yaml of a version: 4 is Foxy's, 5 Humble's, 8 Iron's and Jazzy's first, 9 Jazzy's and Kilted's."""
    counts: dict[tuple[str, str], int] = {}
    for entry in entries:
        counts[entry.topic, entry.type] = counts.get((entry.topic, entry.type), 0) + 1
    first, last = min(entry.receipt for entry in entries), max(entry.receipt for entry in entries)
    topics = []
    for (topic, kind), count in counts.items():
        described: dict[str, Any] = {"name": topic, "type": kind, "serialization_format": "cdr"}
        described["offered_qos_profiles"] = [] if form.metadata >= 9 else ""
        if form.metadata >= 7:
            described["type_description_hash"] = known_digest(kind)
        topics.append({"topic_metadata": described, "message_count": count})
    information: dict[str, Any] = {
        "version": form.metadata,
        "storage_identifier": "sqlite3" if form.storage == "sqlite3" else "mcap",
        "duration": {"nanoseconds": last - first},
        "starting_time": {"nanoseconds_since_epoch": first},
        "message_count": len(entries),
        "topics_with_message_count": topics,
        "compression_format": form.kind if form.compression else "",
        "compression_mode": form.compression.upper(),
        "relative_file_paths": [path.name for path in paths],
    }
    if form.metadata >= 5:
        part = {"starting_time": {"nanoseconds_since_epoch": first}, "duration": {"nanoseconds": last - first}}
        information["files"] = [{"path": path.name, **part, "message_count": 0} for path in paths]
    if form.metadata >= 6:
        information["custom_data"] = None
    if form.metadata >= 8:
        information["ros_distro"] = "jazzy"
    text = yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False)
    (folder / "metadata.yaml").write_text(text)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
