"""Bags that are written while their messages come: whole, cut short by a kill, and on a disk that is full."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import refusal
from rosbags.highlevel import AnyReader

from imu_emg_estimator.bags import IMU_TYPE, open_bag, read_bag, write_bag
from imu_emg_estimator.bags import live_bag_writer as live_module
from imu_emg_estimator.bags.live_bag_writer import LiveBag
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig

WRITES_FOR_EVER = """
import sys, time
from pathlib import Path
from imu_emg_estimator.bags import live_bag_writer as live
live.SYNC_PERIOD_S = 0.05
with live.LiveBag(Path(sys.argv[1]), {"/imu": "sensor_msgs/msg/Imu"}) as bag:
    number = 0
    while True:
        bag.write("/imu", 10**18 + number * 10**7, bytes.fromhex(sys.argv[2]))
        number += 1
        if number % 100 == 0:
            print(number, flush=True)
            time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def messages(
    make_recording: Any, tmp_path_factory: Any
) -> tuple[Recording, Path, dict[str, str], list[tuple[str, int, bytes]]]:
    """A recording, its bag, the topics of the bag and its messages."""
    recording = make_recording([("walking", 8.0)])
    path = tmp_path_factory.mktemp("bag") / "source"
    write_bag(recording, path)
    with open_bag(path) as bag:
        topics = {topic: next(iter(info.types)) for topic, info in bag.topics.items()}
        return recording, path, topics, [tuple(message) for message in bag.messages_in_order(topics)]


def test_live_bag_counts_messages(messages: Any, rig: Rig, tmp_path: Path) -> None:
    _, source, topics, entries = messages
    with LiveBag(tmp_path / "live", topics) as bag:
        for entry in entries:
            bag.write(*entry)
    assert sum(bag.counts.values()) == len(entries)
    ours, theirs = read_bag(tmp_path / "live", rig), read_bag(source, rig)
    np.testing.assert_array_equal(ours.imu, theirs.imu)
    np.testing.assert_array_equal(ours.envelope, theirs.envelope)
    with AnyReader([tmp_path / "live"]) as reader:  # another reader, which goes by the index
        assert reader.message_count == len(entries)
        assert [(c.topic, t, bytes(d)) for c, t, d in reader.messages()] == entries


def test_live_bag_survives_kill(messages: Any, tmp_path: Path) -> None:
    payload = next(data for _, _, data in messages[3])
    command = [sys.executable, "-c", WRITES_FOR_EVER, str(tmp_path / "cut"), payload.hex()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    written = 0
    while written < 3000:
        written = int(process.stdout.readline())
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "metadata.yaml").exists()
    with open_bag(tmp_path / "cut") as bag:
        receive_times = [message.receive_time for message in bag.messages_in_order({"/imu": IMU_TYPE})]
    assert receive_times == [10**18 + number * 10**7 for number in range(len(receive_times))]
    assert len(receive_times) >= 2000


@pytest.mark.parametrize("share", [0.1, 0.37, 0.61, 0.83, 0.999])
def test_live_bag_cut_anywhere_is_read(
    messages: Any, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "SYNC_PERIOD_S", 0.0)
    _, _, topics, entries = messages
    entries = entries[:200]
    with LiveBag(tmp_path / "live", topics) as bag:
        for entry in entries:
            bag.write(*entry)
    (tmp_path / "live" / "metadata.yaml").unlink()
    file = tmp_path / "live" / "live.mcap"
    os.truncate(file, int(share * file.stat().st_size))
    with open_bag(tmp_path / "live") as bag:
        read = [tuple(message) for message in bag.messages_in_order(topics)]
    assert read == entries[: len(read)]
    assert len(read) > 0.9 * share * len(entries) - 10


def test_live_bag_cut_before_first_message_is_refused(messages: Any, tmp_path: Path) -> None:
    _, _, topics, entries = messages
    with LiveBag(tmp_path / "live", topics) as bag:
        bag.write(*entries[0])
    (tmp_path / "live" / "metadata.yaml").unlink()
    os.truncate(tmp_path / "live" / "live.mcap", 60)
    with refusal("live"), open_bag(tmp_path / "live"):
        pass


def test_live_bag_memory_is_bounded(messages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "SYNC_PERIOD_S", 0.0)
    _, _, topics, entries = messages
    entries = entries[:200]
    with LiveBag(tmp_path / "live", topics) as bag:
        for entry in entries:
            bag.write(*entry)
            assert bag._writer.storage.chunk.bio.tell() < 4096


def test_live_bag_without_messages_leaves_no_folder(tmp_path: Path) -> None:
    with LiveBag(tmp_path / "empty", {"/imu": IMU_TYPE}):
        pass
    assert not (tmp_path / "empty").exists()


def test_live_bag_keeps_messages_on_interrupt(messages: Any, tmp_path: Path) -> None:
    _, _, topics, entries = messages
    with pytest.raises(KeyboardInterrupt), LiveBag(tmp_path / "live", topics) as bag:  # noqa: PT012
        for entry in entries[:50]:
            bag.write(*entry)
        raise KeyboardInterrupt
    with open_bag(tmp_path / "live") as bag:
        assert len(list(bag.messages_in_order(topics))) == 50
        assert bag.notes == []


def test_live_bag_refuses_existing_folder(tmp_path: Path) -> None:
    with refusal(tmp_path, "exists already"):
        LiveBag(tmp_path, {"/imu": IMU_TYPE})


def test_live_bag_refuses_unknown_type(tmp_path: Path) -> None:
    with refusal("/a", "my_msgs/msg/Own", "ros2 bag record"):
        LiveBag(tmp_path / "bag", {"/a": "my_msgs/msg/Own"})
    assert not (tmp_path / "bag").exists()


def test_live_bag_full_disk_is_one_sentence(messages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, topics, entries = messages

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with refusal("live", "No space left"), LiveBag(tmp_path / "live", topics) as bag:
        bag.write(*entries[0])
        monkeypatch.setattr(live_module, "SYNC_PERIOD_S", 0.0)
        monkeypatch.setattr(os, "fsync", full)
        bag.write(*entries[1])
