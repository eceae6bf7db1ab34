"""The reader of MCAP records never asks for more than the file holds, and checks every chunk."""

import io
import struct
from pathlib import Path
from zlib import crc32

import pytest
from fixtures.factories import refusal
from mcap.writer import Writer as McapWriter

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.bags.mcap_storage import (
    CHUNK,
    CHUNK_HEAD,
    MAGIC,
    RECORD_HEAD,
    SCHEMA,
    CutShort,
    McapFile,
    _Source,
)
from imu_emg_estimator.bags.read_limits import BagLimits, Meter
from imu_emg_estimator.datasets.hugadb import RIG


class Measured(io.BytesIO):
    """A file that refuses to be asked for more than it holds."""

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size <= 10
        return super().read(size)


@pytest.mark.parametrize("size", [5, 11, 1 << 62])
def test_source_refuses_to_read_or_skip_beyond_the_end(size: int) -> None:
    source = _Source(Measured(b"0123456789"), 10)
    assert source.read(6) == b"012345"
    with pytest.raises(CutShort):
        source.read(size)
    with pytest.raises(CutShort):
        source.skip(size)
    source.skip(4)
    assert source.at_end()


@pytest.mark.parametrize(("lost_bytes", "checksum"), [(1, 0), (0, 1)])
def test_read_bag_refuses_chunk_of_wrong_size_or_checksum(lost_bytes: int, checksum: int, tmp_path: Path) -> None:
    content = RECORD_HEAD.pack(0x80, 20) + bytes(20)
    crc = (crc32(content) ^ checksum) if checksum else 0
    head = CHUNK_HEAD.pack(0, 1, len(content) + lost_bytes, crc) + struct.pack("<I", 0)
    body = head + struct.pack("<Q", len(content)) + content
    (tmp_path / "bag.mcap").write_bytes(MAGIC + RECORD_HEAD.pack(CHUNK, len(body)) + body)
    with refusal("a chunk is corrupt"):
        read_bag(tmp_path / "bag.mcap", RIG)


@pytest.mark.parametrize(("encoding", "definition"), [("json", "ros2msg"), ("cdr", "jsonschema")])
def test_channel_is_read_only_as_cdr_of_a_ros_type(encoding: str, definition: str, tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    writer = McapWriter(str(path))
    writer.start(profile="ros2", library="test")
    schema = writer.register_schema("sensor_msgs/msg/Imu", definition, b"{}")
    channel = writer.register_channel("/imu/right_foot", encoding, schema)
    writer.add_message(channel, 1, b"{}", 1)
    writer.finish()
    with refusal("its Imu topics are none"):
        read_bag(path, RIG)


@pytest.mark.parametrize(("letters", "length"), [(4097, 4097), (10, 100), (10, 15)])
def test_read_bag_refuses_text_longer_than_its_record_or_any_name(letters: int, length: int, tmp_path: Path) -> None:
    body = struct.pack("<HI", 1, length) + b"a" * letters
    (tmp_path / "bag.mcap").write_bytes(MAGIC + RECORD_HEAD.pack(SCHEMA, len(body)) + body)
    with refusal("a text is longer than its record, or than any name"):
        read_bag(tmp_path / "bag.mcap", RIG)


def test_topics_of_a_whole_file_are_read_from_its_summary(whole_bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = whole_bag.glob("*.mcap")
    size = path.stat().st_size
    file = McapFile(lambda: path.open("rb"), size, Meter(path, BagLimits(), size))
    monkeypatch.setattr(file, "_scan", None)
    assert "/emg" in file.topics()
