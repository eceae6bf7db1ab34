"""Bags that cannot be read: one sentence that names the problem."""

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from fixtures.composed_bags import (
    TYPES,
    Entry,
    compose,
    entries,
)
from fixtures.factories import refusal
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from imu_emg_estimator.bags import (
    EMG_TOPIC,
    EMG_TYPE,
    BagLimits,
    BagUnreadable,
    read_bag,
    read_bag_with_report,
    write_bag,
)
from imu_emg_estimator.bags.bag_messages import Message
from imu_emg_estimator.bags.bag_reader import Bag
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording


def test_read_bag_refuses_missing_and_empty_bags(tmp_path: Path) -> None:
    with pytest.raises(BagUnreadable, match=r"nowhere does not exist"):
        read_bag(tmp_path / "nowhere", RIG)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagUnreadable, match=r"holds neither a readable metadata\.yaml nor an \.mcap or \.db3 file"):
        read_bag(tmp_path / "empty", RIG)
    (tmp_path / "empty.mcap").touch()
    with pytest.raises(BagUnreadable, match=r"cannot be read"):
        read_bag(tmp_path / "empty.mcap", RIG)
    (tmp_path / "notes.txt").write_text("not a bag")
    with pytest.raises(BagUnreadable, match=r"notes\.txt cannot be read"):
        read_bag(tmp_path / "notes.txt", RIG)
    with pytest.raises(BagUnreadable, match=r"nul.* cannot be read|does not exist"):
        read_bag(tmp_path / "nul\0", RIG)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_read_bag_refuses_bag_without_messages(tmp_path: Path, storage: StoragePlugin) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=storage) as writer:
        writer.add_connection(EMG_TOPIC, EMG_TYPE, typestore=TYPES)
    with pytest.raises(BagUnreadable, match=r"holds no message"):
        read_bag(tmp_path / "bag", RIG)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_read_bag_refuses_truncated_database(recording: Recording, tmp_path: Path, share: float) -> None:
    write_bag(recording, tmp_path / "bag", "sqlite3")
    (file,) = (tmp_path / "bag").glob("*.db3")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    for path in (tmp_path / "bag", file):
        with pytest.raises(BagUnreadable, match=r"cannot be read|are corrupt"):
            read_bag(path, RIG)


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_read_bag_refuses_random_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(random.Random(0).randbytes(100_000))
    with pytest.raises(BagUnreadable, match=r"cannot be read"):
        read_bag(path, RIG)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_read_bag_corrupt_bytes_give_one_sentence(recording: Recording, tmp_path: Path, storage: str) -> None:
    write_bag(recording.slice(0, 150), tmp_path / "whole", storage)
    rng = random.Random(2)
    for _ in range(15):  # thousands in test_bag_fuzz.py
        shutil.rmtree(tmp_path / "bag", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "bag")
        file = rng.choice(sorted((tmp_path / "bag").iterdir()))
        content = bytearray(file.read_bytes())
        for _ in range(rng.choice([1, 30, 3000])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        file.write_bytes(content)
        answer = refusal_of(tmp_path / "bag")
        assert answer is None or (str(tmp_path / "bag") in answer and "\n" not in answer)


def refusal_of(path: Path) -> str | None:
    try:
        read_bag(path, RIG)
    except InputError as error:
        return str(error)
    return None


def test_read_bag_ignores_unreadable_metadata(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    """An empty one is what a power cut leaves; the messages are in the other file."""
    for content in ("", "[]", "relative_file_paths:", ": : :", "!!python/object/apply:os.system [ls]", "[" * 100_000):
        shutil.rmtree(tmp_path / "bag", ignore_errors=True)
        shutil.copytree(whole_bag, tmp_path / "bag")
        (tmp_path / "bag" / "metadata.yaml").write_text(content)
        read, report = read_bag_with_report(tmp_path / "bag", RIG)
        np.testing.assert_array_equal(read.imu, recording.imu)
        assert "metadata.yaml names no files" in report.notes[0]


@pytest.mark.parametrize("other", ["walk_2.mcap", "walk_2.db3", "walk_2.mcap.zstd"])
def test_read_bag_names_files_that_metadata_does_not(whole_bag: Path, tmp_path: Path, other: str) -> None:
    shutil.copytree(whole_bag, tmp_path / "bag")
    (tmp_path / "bag" / other).write_bytes(b"")
    _, report = read_bag_with_report(tmp_path / "bag", RIG)
    assert report.notes[0].startswith(f"1 of 2 files were not read, for metadata.yaml does not name them: {other};")


def test_read_bag_refuses_bag_that_is_too_large(whole_bag: Path) -> None:
    with pytest.raises(BagUnreadable, match=r"is larger than"):
        read_bag(whole_bag, RIG, limits=BagLimits(size=1000))


FOREIGN_EMG = "std_msgs/Header header\nuint32 sequence\nfloat64[] samples\n"


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("single_file", [False, True])
def test_read_bag_refuses_emg_of_another_definition(
    whole_bag: Path, tmp_path: Path, storage: StoragePlugin, single_file: bool
) -> None:
    foreign = get_typestore(Stores.ROS2_JAZZY)
    foreign.register(get_types_from_msg(FOREIGN_EMG, EMG_TYPE))
    messages: list[Entry] = []
    for receive_time, topic, kind, message in entries(whole_bag):
        if topic == EMG_TOPIC:
            message = foreign.types[EMG_TYPE](header=message.header, sequence=1, samples=np.arange(8.0))
        messages.append((receive_time, topic, kind, message))
    path = compose(tmp_path / "bag", messages, types=foreign, storage_plugin=storage)
    if single_file:
        (path,) = (file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    with pytest.raises(
        BagUnreadable, match=r"/emg are corrupt or follow another definition of imu_emg_estimator/msg/Emg"
    ):
        read_bag(path, RIG)


class Scrambled(Bag):
    """Messages at 1, 2, 3 ..., and one at 0 after so many of them."""

    def __init__(self, before: int, data: bytes) -> None:
        self.path = Path("bag")
        self._times, self._data = [*range(1, before + 1), 0], data

    def messages(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        return (Message("/imu", time, self._data) for time in self._times)


@pytest.mark.parametrize(("before", "size"), [(4096, 0), (64, 1 << 20)])
def test_messages_are_put_in_order_over_4096_or_64_mib(before: int, size: int) -> None:
    data = bytes(size)
    times = [message.receive_time for message in Scrambled(before, data).messages_in_order({})]
    assert times == list(range(before + 1))
    with refusal("is not in the order of receive time"):
        list(Scrambled(before + 1, data).messages_in_order({}))
