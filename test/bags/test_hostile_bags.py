"""Hostile bags: one sentence, little memory, little time, and nothing left behind."""

import os
import re
import resource
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from fixtures.bag_forms import FORMS, Entry, Signal, emg_entries, imu_entries, in_order, write_form
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import BagLimits, BagUnreadable, open_bag, read_bag
from imu_emg_estimator.bags.mcap_storage import CHUNK, CHUNK_HEAD, MAGIC, RECORD_HEAD
from imu_emg_estimator.bags.message_types import EMG_TYPE
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording

pytestmark = pytest.mark.hostile

MIB = 1 << 20
MEMORY = 300 * MIB  # more than reading a small bag takes, less than a bomb holds
MAX_PROCESSOR_TIME_S = 10.0


@pytest.fixture(scope="module")
def recording(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 4.0)])


@pytest.fixture(scope="module")
def entries(recording: Recording) -> list[Entry]:
    assert recording.emg is not None
    emg = emg_entries(Signal(recording.emg.data, RIG.rate, RIG.muscle_names, False), 4)
    return in_order(imu_entries(recording), emg)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def in_child(work: Callable[[], object]) -> str:
    """Do something in a process that may not take much memory or time; returns the sentence of its refusal."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        try:
            work()
            answer = "nothing was refused"
        except InputError as error:
            answer = f"{type(error).__name__}: {error}"
        except BaseException as error:
            answer = f"CRASH {type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read().decode()
    _, status, usage = os.wait4(process, 0)
    assert status == 0
    assert usage.ru_utime + usage.ru_stime < MAX_PROCESSOR_TIME_S
    assert "MemoryError" not in answer
    return answer


def record(op: int, body: bytes, length: int | None = None) -> bytes:
    return RECORD_HEAD.pack(op, len(body) if length is None else length) + body


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def chunk(data: bytes, compression: str, size: int) -> bytes:
    head = CHUNK_HEAD.pack(0, 1, size, 0) + text(compression)
    return record(CHUNK, head + struct.pack("<Q", len(data)) + data)


def mcap(*records: bytes) -> bytes:
    return MAGIC + record(1, text("ros2") + text("x")) + b"".join(records)


@cache
def bomb() -> bytes:
    """Two GiB in some 200 kB."""
    return zstandard.compress(bytes(2048 * MIB), 1)


def forty_chunks() -> bytes:
    """Chunks of 60 MiB each, of a kind that readers pass over."""
    unknown = record(0x80, bytes(60 * MIB))
    return mcap(*[chunk(zstandard.compress(unknown), "zstd", len(unknown))] * 40)


def assert_refused(content: bytes, said: str, folder: Path) -> None:
    path = folder / "bag.mcap"
    path.write_bytes(content)
    answer = in_child(lambda: read_bag(path, RIG))
    assert answer.startswith("BagUnreadable: ")
    assert re.search(said, answer), answer
    assert "\n" not in answer


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: mcap(chunk(bomb(), "zstd", 2048 * MIB)), "a chunk of 2147483648 bytes is too large"),
        (lambda: mcap(chunk(bomb(), "zstd", 100)), "holds more than 100 bytes"),
        (lambda: mcap(chunk(bomb(), "zstd", 120 * MIB)), "expands to more than"),
        (lambda: mcap(chunk(lz4.frame.compress(bytes(512 * MIB)), "lz4", 100)), "holds more than 100 bytes"),
        (forty_chunks, "expands to more than"),
        (lambda: zstandard.compress(MAGIC + bytes(512 * MIB), 1), "no kind|cannot be read"),
    ],
)
def test_read_bag_refuses_mcap_bombs(content: Callable[[], bytes], said: str, tmp_path: Path) -> None:
    assert_refused(content(), said, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (mcap(record(CHUNK, b"", 1 << 62)), "holds no message|cannot be read"),
        (mcap(record(3, b"", 1 << 62)), "too large|holds no message"),
        (mcap(record(5, b"", (1 << 63) - 1)), "cannot be read|holds no message"),
        (mcap(record(0, b"")), "a record is of no kind"),
        (mcap(chunk(record(CHUNK, b""), "", 9)), "holds no message"),
        (mcap(chunk(b"\x05" + struct.pack("<Q", 1 << 60), "", 9)), "longer than the chunk"),
        (mcap(chunk(b"x", "brotli", 1)), "compression 'brotli' is not known"),
        (mcap(record(4, struct.pack("<HH", 1, 1) + struct.pack("<I", 1 << 31))), "a text is longer than its record"),
        (mcap(record(4, struct.pack("<HH", 1, 1) + struct.pack("<I", 1) + b"\xff")), "can't decode byte 0xff"),
        (zstandard.compress(mcap(record(9, b"", 1 << 62))), "holds no message"),
    ],
)
def test_read_bag_refuses_lying_lengths_in_mcap(content: bytes, said: str, tmp_path: Path) -> None:
    assert_refused(content, said, tmp_path)


def test_read_bag_refuses_compressed_message_bomb(tmp_path: Path, entries: list[Entry]) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3"])
    with closing(sqlite3.connect(path / "bag_0.db3")) as database:
        database.execute("UPDATE messages SET data = ? WHERE id = 7", (bomb(),))
        database.commit()
    assert "frame holds more than" in in_child(lambda: read_bag(path, RIG))


def test_read_bag_refuses_compressed_database_bomb(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "bag.db3.zstd"
    path.write_bytes(zstandard.compress(b"SQLite format 3\0" + bytes(256 * MIB), 1))
    assert "expands to more than" in in_child(lambda: read_bag(path, RIG))
    assert list(temporary.iterdir()) == []


def test_open_bag_removes_unpacked_database_at_once(tmp_path: Path, temporary: Path, entries: list[Entry]) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3-zstd-file"])
    with open_bag(path) as bag:
        assert list(temporary.iterdir()) == []
        assert sum(1 for _ in bag.messages({"/emg": EMG_TYPE})) > 50
    assert list(temporary.iterdir()) == []


# databases


def database(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        connection.commit()
    return path


TOPICS = "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT);"
MESSAGES = "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB);"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
ENDLESS = f"{NUMBERS}) SELECT i AS topic_id, i AS timestamp, 'x' AS data FROM n"
IMUS = "".join(
    f"INSERT INTO topics VALUES ({number}, '/imu/{name}', 'sensor_msgs/msg/Imu', 'cdr');"
    for number, name in enumerate(RIG.sensor_names)
)
EMG = f"INSERT INTO topics VALUES (99, '/emg', '{EMG_TYPE}', 'cdr');"
GIGABYTE = "hex(zeroblob(499999990))"
COMPUTED_MESSAGES = [
    f"CREATE TABLE messages(id INTEGER PRIMARY KEY, timestamp INTEGER, {columns});"
    for columns in (
        "topic_id INTEGER, data BLOB AS (zeroblob(1000000000)) VIRTUAL",
        f"topic_id INTEGER, data BLOB AS ({GIGABYTE})",
        f"topic_id INTEGER, data BLOB, notes TEXT AS ({GIGABYTE})",
        f"topic_id INTEGER, data BLOB, rest BLOB AS (length({GIGABYTE})) VIRTUAL",
        "topic_id INTEGER, data BLOB, sum INTEGER AS (topic_id + 1) STORED",
    )
]
COMPUTED_TOPICS = (
    f"CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT AS ({GIGABYTE}), type TEXT, serialization_format TEXT);"
    "INSERT INTO topics(id, type, serialization_format) VALUES (1, 'sensor_msgs/msg/Imu', 'cdr');"
)
ONE_MESSAGE = "INSERT INTO messages(topic_id, timestamp) VALUES (1, 1);"
COLUMNS = ",".join(f"q{number}" for number in range(1900))
MANY_TABLES = "".join(f"CREATE TABLE t{number}({COLUMNS});" for number in range(600))
# An index on an expression says what SQLite then need not compute; here every message is too large.
LYING_INDEX = (
    TOPICS
    + MESSAGES
    + IMUS
    + EMG
    + "INSERT INTO messages VALUES (1, 1, 5, zeroblob(9000000)); CREATE INDEX lie ON messages(topic_id, length(data));"
)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("CREATE TABLE notes(x);", "without the tables of a rosbag2"),
        (TOPICS + f"CREATE VIEW messages AS {ENDLESS};", "without the tables of a rosbag2"),
        (f"CREATE TABLE old(x); CREATE VIEW topics AS SELECT * FROM old; {MESSAGES}", "without the tables"),
        (TOPICS + "CREATE VIRTUAL TABLE messages USING fts5(topic_id, timestamp, data);", "without the tables"),
        *[
            (
                f"{TOPICS}{IMUS}{EMG}{messages}INSERT INTO messages(topic_id, timestamp) VALUES (1, 1);",
                "computed columns",
            )
            for messages in COMPUTED_MESSAGES
        ],
        (COMPUTED_TOPICS + MESSAGES + "INSERT INTO messages VALUES (1, 1, 5, x'00');", "computed columns"),
        (
            "".join(f"CREATE TABLE t{number}({COLUMNS});" for number in range(600)) + TOPICS + MESSAGES,
            "far more tables",
        ),
        (LYING_INDEX, "has no time, or more than"),
        (TOPICS + MESSAGES + IMUS + EMG + "INSERT INTO messages VALUES (1, 1, 'late', x'00');", "has no time"),
        (TOPICS + MESSAGES + IMUS + EMG + "INSERT INTO messages VALUES (1, 1, 5, 'text');", "has no time"),
        (TOPICS + MESSAGES + IMUS + EMG + "INSERT INTO messages VALUES (1, 1, 5, zeroblob(9000000));", "more than"),
        (TOPICS + MESSAGES + "INSERT INTO topics VALUES (1, x'ff', 3, 'cdr');", "is not text"),
        (
            TOPICS + MESSAGES + f"INSERT INTO topics {NUMBERS} LIMIT 20000) SELECT i, '/t' || i, 'x', 'cdr' FROM n;",
            "more than 10000 topics",
        ),
        (TOPICS + MESSAGES + IMUS + EMG, "holds no message"),
    ],
)
def test_read_bag_refuses_hostile_database(script: str, said: str, tmp_path: Path) -> None:
    path = database(tmp_path / "bag.db3", script)
    answer = in_child(lambda: read_bag(path, RIG))
    assert answer.startswith("BagUnreadable: ")
    assert said in answer, answer


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot limit the values of SQLite")
@pytest.mark.parametrize("column", ["name", "type", "serialization_format"])
def test_read_bag_refuses_huge_topic_names(column: str, tmp_path: Path) -> None:
    script = TOPICS + MESSAGES + f"UPDATE topics SET {column} = hex(zeroblob(300000000)) WHERE id = 1;"
    path = database(tmp_path / "bag.db3", script.replace(MESSAGES, MESSAGES + IMUS))
    assert "too big" in in_child(lambda: read_bag(path, RIG))


def test_read_bag_skips_huge_unwanted_messages(tmp_path: Path, entries: list[Entry], recording: Recording) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3-file"])
    script = "INSERT INTO topics VALUES (99, '/camera', 'sensor_msgs/msg/Image', 'cdr', '', '');"
    database(path, script + "INSERT INTO messages(topic_id, timestamp, data) VALUES (99, 5, zeroblob(30000000));")
    assert len(read_bag(path, RIG)) == len(recording)


def test_read_bag_changes_no_file(tmp_path: Path, entries: list[Entry]) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3-file"])
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    read_bag(path, RIG)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize("name", ["what?mode=rwc", "50%", "a#b", "a b&immutable=0", "ünï"])
def test_read_bag_odd_file_names(name: str, tmp_path: Path, entries: list[Entry], recording: Recording) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3-file"])
    path = path.rename(tmp_path / f"{name}.db3")
    assert len(read_bag(path, RIG)) == len(recording)


def test_open_bag_notes_unmerged_journal(tmp_path: Path, entries: list[Entry]) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS["sqlite3-file"])
    path.with_name(path.name + "-wal").write_bytes(bytes(100))
    with open_bag(path) as bag:
        assert "messages that its recorder did not move into the database" in bag.notes[0]


# files that are none


def test_read_bag_refuses_pipes_and_devices(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mcap")
    for path in (tmp_path / "pipe.mcap", Path("/dev/zero")):
        with refusal(path, "is not a regular file"):
            read_bag(path, RIG)
    (tmp_path / "bag").mkdir()
    os.mkfifo(tmp_path / "bag" / "metadata.yaml")
    with refusal("is not a rosbag2"):
        read_bag(tmp_path / "bag", RIG)


def test_read_bag_refuses_folder_with_too_many_files(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.mcap").touch()
    with refusal("more than 3 files"):
        read_bag(tmp_path, RIG, limits=BagLimits(files=3))


# limits


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (BagLimits(seconds=0.0), "takes longer than 0 s to read"),
        (BagLimits(samples=10_000), "more IMU and EMG samples than"),
        (BagLimits(message=100), "too large"),
        (BagLimits(topics=5), "more than 5 topics"),
    ],
)
@pytest.mark.parametrize("form", ["mcap", "sqlite3"])
def test_read_bag_keeps_limits(form: str, limits: BagLimits, said: str, tmp_path: Path, entries: list[Entry]) -> None:
    path = write_form(tmp_path / "bag", entries, FORMS[form])
    with pytest.raises(BagUnreadable) as caught:
        read_bag(path, RIG, limits=limits)
    assert said in str(caught.value) or (form == "sqlite3" and "more than 100 bytes" in str(caught.value))


def test_read_bag_refuses_sparse_imu_samples(tmp_path: Path, recording: Recording) -> None:
    """Six hundred messages whose timestamps are a second apart would make thousands of empty rows."""
    entries = imu_entries(recording)
    first = entries[0].timestamp
    sparse = [entry.stamped(first + index * 900_000_000) for index, entry in enumerate(entries)]
    emg = emg_entries(Signal(recording.envelope, RIG.rate, RIG.muscle_names, True))
    path = write_form(tmp_path / "bag", in_order(sparse, emg), FORMS["mcap"])
    with refusal(path, "at less than 5 Hz"):
        read_bag(path, RIG)
