"""sqlite3 storage, opened so that the data and the schema of a hostile file can do nothing but be read.

Source: sqlite.org/security.html, "untrusted SQLite database files".
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imu_emg_estimator.bags.bag_messages import CDR, MAX_TIME_NS, Message, TopicInfo, full_type
from imu_emg_estimator.bags.read_limits import Meter

MAGIC = b"SQLite format 3\0"
TABLES = ("topics", "messages")
STEPS = 100_000  # of SQLite's machine between two checks of the time: some milliseconds
MAX_SCHEMA_STEPS = 2000  # of SQLite's machine to read the schema: some 200 tables and indices
CACHE_KIB = 8192
FUNCTIONS = ("length", "substr", "typeof")
MIN_VALUE_LIMIT = 1 << 20  # bytes; below, SQLite could not read the schema of a sound bag


class SqliteFile:
    """One .db3 file of any version of rosbag2.

    The tables must be ordinary ones without computed columns: a generated column makes a gigabyte of a few bytes, and
    the authoriser is not asked about the functions in it. The file is opened read-only and immutable, indices are not
    used, and the authoriser allows nothing but to select from the tables, so that no view, virtual table, function or
    other file takes part. No value longer than the largest message is loaded. (Python 3.10 cannot set SQLite's limit:
    there that holds for messages, and the memory limit of the process for names.)
    """

    def __init__(self, path: Path, meter: Meter) -> None:
        self.notes: list[str] = []
        self._meter = meter
        # Whichever thread ends the reading closes it.
        self._connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            self._restrict()
            self._columns = {table: self._columns_of(table) for table in TABLES}
        except BaseException:
            self._connection.close()
            raise
        journal = path.with_name(path.name + "-wal")
        if journal.is_file() and journal.stat().st_size:
            self.notes.append(
                f"{journal.name} beside it holds messages that its recorder did not move into the database: they were "
                f"not read; `sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'` moves them"
            )

    def topics(self) -> dict[str, TopicInfo]:
        """Topics of the file."""
        has_digest = "type_description_hash" in self._columns["topics"]
        digest = "type_description_hash" if has_digest else "''"
        max_topics, max_length = self._meter.limits.topics, self._meter.limits.name
        columns = ", ".join(
            f"substr({column}, 1, {max_length})" for column in ("name", "type", "serialization_format", digest)
        )
        rows = self._connection.execute(
            f"SELECT {columns} FROM topics NOT INDEXED LIMIT ?", (max_topics + 1,)
        ).fetchall()
        if len(rows) > max_topics:
            raise ValueError(f"it has more than {max_topics} topics")
        empty = self._connection.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is None
        topics: dict[str, TopicInfo] = {}
        for row in rows:
            name, kind, form, digest = (_text(value) for value in row)
            info = TopicInfo({full_type(kind)}, {digest} - {""}, empty, form != CDR)
            topics.setdefault(name, info).merge(info)
        return topics

    def messages(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """Messages of some topics (name: type) in the order in which they were written."""
        names = self._wanted_ids(wanted)
        marks = ",".join("?" * len(names))
        max_size = self._meter.limits.message
        # SQLite knows type and length of a blob without loading it.
        rows = self._connection.execute(
            "SELECT topic_id, timestamp, CASE WHEN typeof(data) = 'blob' AND length(data) <= ? THEN data END "
            f"FROM messages NOT INDEXED WHERE topic_id IN ({marks})",
            (max_size, *names),
        )
        for topic, receive_time, data in self._in_time(rows):
            if not isinstance(receive_time, int) or not isinstance(data, bytes) or len(data) > max_size:
                raise ValueError(f"a message has no time, or more than {max_size} bytes")
            yield Message(names[topic], min(receive_time, MAX_TIME_NS), data)

    def close(self) -> None:
        self._connection.close()

    def _in_time(self, rows: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        try:
            yield from rows
        except sqlite3.OperationalError:
            self._meter.tick()  # SQLite is interrupted when the time has run out
            raise

    def _wanted_ids(self, wanted: Mapping[str, str]) -> dict[int, str]:
        limits = self._meter.limits
        columns = ", ".join(f"substr({column}, 1, {limits.name})" for column in ("name", "type"))
        rows = self._connection.execute(f"SELECT id, {columns} FROM topics NOT INDEXED LIMIT ?", (limits.topics,))
        return {
            number: name
            for number, name, kind in rows
            if isinstance(number, int) and isinstance(kind, str) and wanted.get(name) == full_type(kind)
        }

    def _restrict(self) -> None:
        connection = self._connection
        if sys.version_info >= (3, 11):
            longest = max(self._meter.limits.message, MIN_VALUE_LIMIT)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        connection.set_progress_handler(lambda: True, MAX_SCHEMA_STEPS)
        try:
            kinds = self._kinds_of_tables()
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise ValueError("its database has far more tables and indices than a rosbag2") from None
            raise
        if kinds != [(name, "table", "CREATE TABLE ") for name in sorted(TABLES)]:
            raise ValueError("it is a database without the tables of a rosbag2")
        connection.set_authorizer(_authorise)
        connection.set_progress_handler(self._meter.out_of_time, STEPS)

    def _kinds_of_tables(self) -> list[tuple[str, str, str]]:
        """Name, type and beginning of the definition of a bag's tables. This is what makes SQLite read the schema."""
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", f"cache_size=-{CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {pragma}")
        query = "SELECT name, type, substr(sql, 1, 13) FROM sqlite_master WHERE name IN ('topics', 'messages')"
        return sorted(self._connection.execute(query))

    def _columns_of(self, table: str) -> set[str]:
        rows = self._connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        if any(hidden for *_, hidden in rows):
            raise ValueError(f"its table {table} has computed columns, which no rosbag2 has")
        return {str(row[1]) for row in rows}


def _authorise(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    """Allow selecting from the tables of a bag and nothing else; ``source`` is the view or trigger that asks."""
    allowed = source is None and (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first in TABLES)
        or (action == sqlite3.SQLITE_FUNCTION and second in FUNCTIONS)
        or (action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a name in its table of topics is not text")
    return value
