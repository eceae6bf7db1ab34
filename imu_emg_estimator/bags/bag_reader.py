"""Bags of any form, read message by message in bounded memory: rosbag2 folders and single files, mcap and sqlite3."""

from __future__ import annotations

import errno
import heapq
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imu_emg_estimator.bags import mcap_storage as mcap
from imu_emg_estimator.bags import sqlite_storage as sqlite
from imu_emg_estimator.bags.bag_files import Check, find_files, open_count, open_regular, unreadable
from imu_emg_estimator.bags.bag_messages import Message, Storage, TopicInfo, known_digest
from imu_emg_estimator.bags.decompression import PIECE_BYTES, compression_of, decompressed, decompressing
from imu_emg_estimator.bags.read_limits import BagLimits, Meter
from imu_emg_estimator.errors import BagUnreadable, InputError

ROS_1 = b"#ROSBAG V"
HEAD_BYTES = 16  # that show what a file is
MAX_REORDERED = 4096  # messages that are held to bring them into the order of receive time
MAX_REORDERED_BYTES = 64 << 20


class Bag:
    """An open bag; use ``open_bag``.

    Attributes:
        path: folder or file.
        topics: what is known about every topic, by name.
        notes: what is unusual about the bag, and how it was handled; one sentence each.
    """

    def __init__(self, path: Path, storages: list[Storage], notes: list[str], meter: Meter) -> None:
        self.path, self.meter = path, meter
        self._storages, self._notes = storages, notes
        self.topics: dict[str, TopicInfo] = {}
        with readable(path):
            for storage in storages:
                meter.rewind()
                for name, info in storage.topics().items():
                    self.topics.setdefault(name, info).merge(info)

    @property
    def notes(self) -> list[str]:
        return self._notes + [note for storage in self._storages for note in storage.notes]

    def messages(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """Messages of some topics (name: type) in the order in which they were written, decompressed.

        Raises:
            BagUnreadable: the bag is corrupt, exceeds a limit, or was recorded with another definition of a type.
        """
        self.meter.rewind()
        for topic, msgtype in wanted.items():
            digests = self.topics[topic].digests
            if digests and known_digest(msgtype) not in digests:
                raise foreign_definition(self.path, topic, msgtype)
        with readable(self.path):
            for storage in self._storages:
                for message in storage.messages(wanted):
                    self.meter.tick()
                    if kind := compression_of(message.data):
                        data = decompressed(message.data, kind, self.meter.limits.message, self.meter)
                        message = message._replace(data=data)
                    yield message

    def first_messages(self, wanted: Mapping[str, str]) -> dict[str, Message]:
        """First message of each of some topics (name: type) that has any."""
        found: dict[str, Message] = {}
        for message in self.messages(wanted) if wanted else ():
            found.setdefault(message.topic, message)
            if len(found) == len(wanted):
                break
        return found

    def messages_in_order(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """As ``messages``, but in the order of receive time, for callers that cannot wait for the end.

        Raises:
            BagUnreadable: also where the bag is so far from that order that much of it would have to be held.
        """
        waiting: list[tuple[int, int, Message]] = []
        held, last = 0, None
        for count, message in enumerate(self.messages(wanted)):
            heapq.heappush(waiting, (message.receive_time, count, message))
            held += len(message.data)
            while len(waiting) > MAX_REORDERED or held > MAX_REORDERED_BYTES:
                earliest = heapq.heappop(waiting)[2]
                held -= len(earliest.data)
                if last is not None and earliest.receive_time < last:
                    raise BagUnreadable(
                        f"bag {self.path} is not in the order of receive time; sort it, as `mcap sort` or "
                        "`ros2 bag convert` do"
                    )
                last = earliest.receive_time
                yield earliest
        while waiting:
            yield heapq.heappop(waiting)[2]


def check_bag(path: Path, check: Check | None = None) -> None:
    """Raise as ``open_bag`` does where there is no bag, or none that may be read. Reads only the first bytes."""
    for file in find_files(Path(path), BagLimits(), check).paths:
        with readable(Path(path)):
            head = _head(file, check)
            if head and not (compression_of(head) or head.startswith((mcap.MAGIC, sqlite.MAGIC))):
                raise _not_a_bag(file, head)


@contextmanager
def open_bag(path: Path, limits: BagLimits = BagLimits(), check: Check | None = None) -> Iterator[Bag]:
    """Open a bag.

    Args:
        path: rosbag2 folder, or a single file of any name.
        limits: what reading it may take.
        check: returns where a file really lies, or refuses it; see ``bag_files.within``.

    Raises:
        BagUnreadable, InputError: one sentence that names the problem.
    """
    path = Path(path)
    files = find_files(path, limits, check)
    meter = Meter(path, limits, files.size)
    with ExitStack() as stack:
        storages = []
        with readable(path):
            for file in files.paths:
                if file.stat().st_size == 0 and len(files.paths) > 1:
                    files.notes.append(f"{file.name} is empty and was ignored")
                    continue
                storage = _open_storage(file, check, meter, stack)
                stack.callback(storage.close)
                storages.append(storage)
        if not storages:
            raise unreadable(path, "all its files are empty")
        bag = Bag(path, storages, files.notes, meter)
        if all(info.empty for info in bag.topics.values()):
            raise BagUnreadable(f"bag {path} holds no message; record it again")
        yield bag


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on corrupt bytes into one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # corrupt bytes make the sqlite, zstd and lz4 decoders raise nearly anything
        raise unreadable(path, getattr(error, "strerror", None) or error) from error


def foreign_definition(path: Path, topic: str, msgtype: str) -> BagUnreadable:
    """Error for messages that cannot be decoded."""
    return BagUnreadable(
        f"bag {path}: the messages on {topic} are corrupt or follow another definition "
        f"of {msgtype}; record them with the definition of this release"
    )


def _open_storage(file: Path, check: Check | None, meter: Meter, stack: ExitStack) -> Storage:
    head, compression = _head(file, check), None
    opener: Callable[[], BinaryIO] = partial(open_regular, file, check)
    size: int | None = file.stat().st_size
    if compression := compression_of(head):
        opener, size = partial(_decompressing, opener, compression, meter), None
        with opener() as stream:
            head = stream.read(HEAD_BYTES)
    if head.startswith(mcap.MAGIC):
        return mcap.McapFile(opener, size, meter)
    if head.startswith(sqlite.MAGIC):
        return _unpacked_database(file, opener, stack, meter) if compression else _database(file, opener, meter)
    raise _not_a_bag(file, head)


def _not_a_bag(file: Path, head: bytes) -> Exception:
    if head.startswith(ROS_1):
        return BagUnreadable(f"{file} is a bag of ROS 1; convert it, as `rosbags-convert` does")
    return ValueError("it is empty" if not head else f"{file.name} is neither MCAP nor sqlite3")


def _head(file: Path, check: Check | None) -> bytes:
    with open_regular(file, check) as stream:
        return stream.read(HEAD_BYTES)


def _decompressing(opener: Callable[[], BinaryIO], kind: str, meter: Meter) -> BinaryIO:
    return decompressing(opener(), kind, meter)


def _database(file: Path, opener: Callable[[], BinaryIO], meter: Meter) -> Storage:
    """Open a database, which SQLite does by its path, and make sure that it is the file that was checked."""
    with opener() as checked:
        before = open_count(checked)
        storage = sqlite.SqliteFile(file, meter)
        if open_count(checked) == before:
            storage.close()
            raise OSError("another file was put in its place while it was opened")
        return storage


def _unpacked_database(file: Path, opener: Callable[[], BinaryIO], stack: ExitStack, meter: Meter) -> Storage:
    """Unpack a compressed database into a private folder, which is removed as soon as the file is open."""
    with tempfile.TemporaryDirectory(prefix="imu_emg_bag_") as folder:
        target = Path(folder) / "bag.db3"
        meter.rewind()
        try:
            with opener() as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink, PIECE_BYTES)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise InputError(
                f"bag {file} cannot be unpacked in {tempfile.gettempdir()} ({error.strerror}); "
                "free space there, or set TMPDIR"
            ) from None
        return sqlite.SqliteFile(target, meter)
