"""sqlite3 storage, opened so that neither the data nor the schema of a hostile file can do more than be read.

Source: sqlite.org/security.html, "untrusted SQLite database files".
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imu_emg_estimator.bags.read_limits import Meter
from imu_emg_estimator.bags.storage import LATEST, Message, TopicInfo, full_type

MAGIC = b"SQLite format 3\0"
TABLES = ("topics", "messages")
STEPS = 100_000  # of SQLite's machine between two looks at the clock: some milliseconds
SCHEMA_STEPS = 2000  # of SQLite's machine while it reads the schema: some 200 tables and indices
CACHE = 8192  # KiB
FUNCTIONS = ("length", "substr", "typeof")
MIN_VALUE_LIMIT = 1 << 20  # bytes; below, SQLite could not read the schema of a sound bag
FORMAT = "serialization_format"
CDR = "cdr"


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
        # Closed by whichever thread ends the reading.
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
                f"{journal.name} beside it holds messages that its recorder did not come to file: they were not read; "
                f"`sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'` files them"
            )

    def topics(self) -> dict[str, TopicInfo]:
        """Topics of the file."""
        has_digest = "type_description_hash" in self._columns["topics"]
        digest = "type_description_hash" if has_digest else "''"
        largest, longest = self._meter.limits.topics, self._meter.limits.name
        columns = ", ".join(f"substr({column}, 1, {longest})" for column in ("name", "type", FORMAT, digest))
        rows = self._connection.execute(f"SELECT {columns} FROM topics NOT INDEXED LIMIT ?", (largest + 1,)).fetchall()
        if len(rows) > largest:
            raise ValueError(f"it has more than {largest} topics")
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
        largest = self._meter.limits.message
        # SQLite knows type and length of a blob without loading it.
        rows = self._connection.execute(
            "SELECT topic_id, timestamp, CASE WHEN typeof(data) = 'blob' AND length(data) <= ? THEN data END "
            f"FROM messages NOT INDEXED WHERE topic_id IN ({marks})",
            (largest, *names),
        )
        for topic, receipt, data in self._in_time(rows):
            if not isinstance(receipt, int) or not isinstance(data, bytes) or len(data) > largest:
                raise ValueError(f"a message has no time, or more than {largest} bytes")
            yield Message(names[topic], min(receipt, LATEST), data)

    def close(self) -> None:
        self._connection.close()

    def _in_time(self, rows: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        try:
            yield from rows
        except sqlite3.OperationalError:
            self._meter.tick()  # it was this clock that interrupted
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
        connection.set_progress_handler(lambda: True, SCHEMA_STEPS)
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
        """Name, type and beginning of the definition of the tables of a bag; the first that reads the schema."""
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", f"cache_size=-{CACHE}"):
            self._connection.execute(f"PRAGMA {pragma}")
        query = "SELECT name, type, substr(sql, 1, 13) FROM sqlite_master WHERE name IN ('topics', 'messages')"
        return sorted(self._connection.execute(query))

    def _columns_of(self, table: str) -> set[str]:
        rows = self._connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        if any(hidden for *_, hidden in rows):
            raise ValueError(f"its table {table} has computed columns, which no rosbag2 has")
        return {str(row[1]) for row in rows}


def _authorise(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    """Allow to select from the tables of a bag and nothing else; ``source`` is the view or trigger that asks."""
    allowed = source is None and (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first in TABLES)
        or (action == sqlite3.SQLITE_FUNCTION and second in FUNCTIONS)
        or (action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a name in its table of topics is no text")
    return value
