"""MCAP, read record by record from front to back: chunked or not, with a summary or without.

Nothing is trusted but the order of the records, and every length is checked before that many bytes are read. The mcap
library's StreamReader, with chunks left to us and a limit on the size of records, does not hold these limits:

- It parses every index, which nobody needs: 60 MiB of message index in a compressed file of a few kB become 270 MB of
  memory and 6 s of processor time.
- Its limit applies to attachments, images and unknown records, too, and it reads them into memory: a sound bag with an
  attachment of 200 MB is refused, or held in memory. Here they are skipped at any size.
- It follows lengths of texts beyond the end of their record, and passes over records without a kind.
- A message takes it 4.4 us, against 1.3 us here.

Source: mcap.dev/spec.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from imu_emg_estimator.bags.bag_messages import CDR, MAX_TIME_NS, Message, TopicInfo, full_type
from imu_emg_estimator.bags.decompression import PIECE_BYTES, decompressed
from imu_emg_estimator.bags.read_limits import MIB, BagLimits, Meter

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = range(1, 7)
STATISTICS, DATA_END = 0x0B, 0x0F
RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
CHUNK_HEAD = struct.Struct("<QQQI")  # start, end, uncompressed size, CRC
FOOTER_BODY = struct.Struct("<QQI")  # summary start, summary offsets start, CRC of the summary
END_BYTES = RECORD_HEAD.size + FOOTER_BODY.size + len(MAGIC)  # of the footer and the closing magic
MAX_DEFINITION_BYTES = 4 * MIB  # of a schema or channel record
MAX_SUMMARY_BYTES = 64 * MIB
ROS2_SCHEMAS = ("ros2msg", "ros2idl", "omgidl", "")


class CutShort(Exception):
    """The file ends in the middle of a record: its recorder was stopped hard. What came before is sound."""


class _Channel(NamedTuple):
    topic: str
    type: str
    readable: bool  # CDR of a ROS 2 message


class McapFile:
    """One .mcap file.

    Args:
        opener: opens it at its beginning.
        size: of the file [bytes]; None = not known, since it is compressed and can only be read forwards.

    Every method raises ValueError or struct.error where the bytes make no sense.
    """

    def __init__(self, opener: Callable[[], BinaryIO], size: int | None, meter: Meter) -> None:
        self.notes: list[str] = []
        self._open, self._size = opener, size
        self._meter, self._limits = meter, meter.limits
        self._cut_short = False
        self._complete = size is not None and self._ends_with_magic(size)

    def topics(self) -> dict[str, TopicInfo]:
        """Topics from the summary, else from all channels of the file."""
        content = self._read_summary() if self._complete else None
        return (content or self._scan()).topics()

    def messages(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """Messages of some topics (name: type) in the order in which they were written.

        Of a file that was cut short, what is there is read, with a note.
        """
        yield from self._read(_Content(self._limits, wanted))
        if self._cut_short:
            self.notes.append("it ends in the middle of a record: what came before was read")

    def close(self) -> None:
        """Nothing is held open between two readings."""

    def _ends_with_magic(self, size: int) -> bool:
        if size < END_BYTES:
            return False
        with self._open() as file:
            file.seek(size - len(MAGIC))
            return file.read(len(MAGIC)) == MAGIC

    def _scan(self) -> _Content:
        content = _Content(self._limits, {}, counting=True)
        for _ in self._read(content):
            pass
        return content

    def _read_summary(self) -> _Content | None:
        """Read the summary, if there is one; that it names the wrong channels shows when messages are read."""
        assert self._size is not None
        with self._open() as file:
            source = _Source(file, self._size)
            source.seek(self._size - END_BYTES)
            op, length = source.record()
            if (op, length) != (FOOTER, FOOTER_BODY.size):
                raise ValueError("the footer is not where it should be")
            start, _, crc = FOOTER_BODY.unpack(source.read(length))
            length = self._size - END_BYTES - start
            if not start or not 0 < length <= MAX_SUMMARY_BYTES:
                return None
            source.seek(start)
            summary = source.read(length)
            if crc and crc32(source.read(RECORD_HEAD.size + 16), crc32(summary)) != crc:
                raise ValueError("the checksum of the summary is wrong")
        content = _Content(self._limits, {})
        for op, body in _records(summary):
            if op in (SCHEMA, CHANNEL, STATISTICS):
                content.define(op, body)
        return content if content.channels else None

    def _read(self, content: _Content) -> Iterator[Message]:
        """Wanted messages from the beginning to the end, or to where the file was cut short."""
        self._cut_short = False
        try:
            yield from self._read_records(content)
        except (CutShort, EOFError) as error:
            if self._complete:
                raise ValueError("a record is longer than the file") from error
            self._cut_short = True

    def _read_records(self, content: _Content) -> Iterator[Message]:
        with self._open() as file:
            source = _Source(file, self._size)
            if source.read(len(MAGIC)) != MAGIC:
                raise ValueError("it does not begin as MCAP")
            while not source.at_end():
                op, length = source.record()
                self._meter.tick()
                if op == MESSAGE:
                    yield from self._lone_message(source, content, length)
                elif op == CHUNK:
                    yield from content.messages(self._chunk(source, length))
                elif op in (SCHEMA, CHANNEL):
                    content.define(op, memoryview(source.read_at_most(length, MAX_DEFINITION_BYTES)))
                elif op in (FOOTER, DATA_END):
                    return
                else:
                    source.skip(length)
        raise CutShort

    def _lone_message(self, source: _Source, content: _Content, length: int) -> Iterator[Message]:
        """A message outside chunks; one that is not wanted is skipped."""
        head = source.read(min(length, MESSAGE_HEAD.size))
        channel, _, receive_time, _ = MESSAGE_HEAD.unpack(head)
        rest = length - len(head)
        if content.wants(channel):
            yield content.message(channel, receive_time, source.read_at_most(rest, self._limits.message))
        else:
            source.skip(rest)

    def _chunk(self, source: _Source, length: int) -> bytes | memoryview:
        """Uncompressed content of the chunk that begins here."""
        body = memoryview(source.read_at_most(length, self._limits.chunk))
        _, _, size, crc = CHUNK_HEAD.unpack_from(body)
        compression, at = _text(body, CHUNK_HEAD.size, self._limits.name)
        (compressed_size,) = struct.unpack_from("<Q", body, at)
        data: bytes | memoryview = body[at + 8 :]
        if compressed_size != len(data):
            raise ValueError("a chunk is not as long as it says")
        if size > self._limits.chunk:
            raise ValueError(f"a chunk of {size} bytes is too large")
        if compression:
            data = decompressed(data, compression, size, self._meter)
        if len(data) != size or (crc and crc32(data) != crc):
            raise ValueError("a chunk is corrupt")
        return data


class _Content:
    """Schemas and channels read so far, and which messages are wanted."""

    def __init__(self, limits: BagLimits, wanted: Mapping[str, str], counting: bool = False) -> None:
        self.channels: dict[int, _Channel] = {}
        self._schemas: dict[int, tuple[str, str]] = {}
        self._limits, self._wanted = limits, wanted
        self._chosen: set[int] = set()
        self._counted: set[int] | None = set() if counting else None  # channels that have messages

    def topics(self) -> dict[str, TopicInfo]:
        topics: dict[str, TopicInfo] = {}
        for number, channel in self.channels.items():
            empty = self._counted is not None and number not in self._counted
            info = TopicInfo({channel.type}, set(), empty, not channel.readable)
            topics.setdefault(channel.topic, info).merge(info)
        return topics

    def define(self, op: int, body: memoryview) -> None:
        """Note a schema, channel or statistics record."""
        if op == SCHEMA:
            (number,) = struct.unpack_from("<H", body)
            name, at = _text(body, 2, self._limits.name)
            encoding, _ = _text(body, at, self._limits.name)
            self._schemas[number] = (full_type(name), encoding)
        elif op == CHANNEL:
            number, schema = struct.unpack_from("<HH", body)
            topic, at = _text(body, 4, self._limits.name)
            encoding, _ = _text(body, at, self._limits.name)
            name, definition = self._schemas.get(schema, ("", ""))
            readable = encoding == CDR and definition in ROS2_SCHEMAS
            self.channels[number] = _Channel(topic, name, readable)
            self._chosen.discard(number)
            if readable and self._wanted.get(topic) == name:
                self._chosen.add(number)
        else:
            self._counted = {number for number, count in _counts(body) if count}
        if len(self.channels) + len(self._schemas) > self._limits.topics:
            raise ValueError(f"it has more than {self._limits.topics} topics and types")

    def wants(self, channel: int) -> bool:
        if channel not in self.channels:
            raise ValueError(f"a message is of channel {channel}, which was not declared before")
        if self._counted is not None:
            self._counted.add(channel)
        return channel in self._chosen

    def message(self, channel: int, receive_time: int, data: bytes) -> Message:
        return Message(self.channels[channel].topic, min(receive_time, MAX_TIME_NS), data)

    def messages(self, chunk: bytes | memoryview) -> Iterator[Message]:
        """Wanted messages of an uncompressed chunk."""
        for op, body in _records(chunk):
            if op == MESSAGE:
                channel, _, receive_time, _ = MESSAGE_HEAD.unpack_from(body)
                if self.wants(channel):
                    if len(body) > self._limits.message:
                        raise ValueError(f"a message of {len(body)} bytes is too large")
                    yield self.message(channel, receive_time, bytes(body[MESSAGE_HEAD.size :]))
            elif op in (SCHEMA, CHANNEL):
                self.define(op, body)


class _Source:
    """A file that never returns less than was asked for, and never allocates more than it holds."""

    def __init__(self, file: BinaryIO, size: int | None) -> None:
        self.file, self.size = file, size
        self._position = 0

    def seek(self, position: int) -> None:
        self._position = self.file.seek(position)

    def at_end(self) -> bool:
        return self._position == self.size

    def record(self) -> tuple[int, int]:
        """Kind and length [bytes] of the record that begins here."""
        op, length = RECORD_HEAD.unpack(self.read(RECORD_HEAD.size))
        if op == 0:
            raise ValueError("a record is of no kind")
        return op, length

    def read(self, size: int) -> bytes:
        if self.size is not None and size > self.size - self._position:
            raise CutShort
        data = self.file.read(size)
        self._position += len(data)
        if len(data) < size:
            raise CutShort
        return data

    def read_at_most(self, size: int, max_size: int) -> bytes:
        if size > max_size:
            raise ValueError(f"a record of {size} bytes is too large")
        return self.read(size)

    def skip(self, size: int) -> None:
        if self.size is not None:
            if size > self.size - self._position:
                raise CutShort
            self.seek(self._position + size)
            return
        while size:
            size -= len(self.read(min(size, PIECE_BYTES)))


def _records(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of records that follow each other in memory."""
    view, at = memoryview(data), 0
    while at < len(data):
        op, length = RECORD_HEAD.unpack_from(data, at)
        at += RECORD_HEAD.size
        if op == 0 or length > len(data) - at:
            raise ValueError("a record is of no kind, or longer than the chunk that it is in")
        yield op, view[at : at + length]
        at += length


def _text(body: memoryview, at: int, max_length: int) -> tuple[str, int]:
    """Text with its length before it, and where it ends."""
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + length
    if end > len(body) or length > max_length:
        raise ValueError("a text is longer than its record, or than any name")
    return bytes(body[at + 4 : end]).decode(), end


def _counts(body: memoryview) -> Iterator[tuple[int, int]]:
    """Channel and number of its messages, from a statistics record."""
    (length,) = struct.unpack_from("<I", body, 42)
    counts = body[46 : 46 + length]
    return struct.iter_unpack("<HQ", counts[: len(counts) // 10 * 10])
