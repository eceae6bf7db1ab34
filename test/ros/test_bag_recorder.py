"""The recorder: what is published is in the bag, byte for byte, and everything else is said."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rclpy
from fixtures.factories import refusal

from imu_emg_estimator.bags import EMG_TYPE, IMU_TYPE, open_bag, read_bag, write_bag
from imu_emg_estimator.guide.live_samples import CaptureProgress
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.ros.bag_player import ReplaySettings, replay
from imu_emg_estimator.ros.bag_recorder import record
from imu_emg_estimator.ros.raw_subscriptions import message_class

PATIENCE = 200.0  # s; only a test that fails waits so long


@pytest.fixture(scope="module")
def source(make_recording: Callable[..., Recording], tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("source") / "walk"
    # A timestamp of 0 is none: the receive time, which depends on chance, would be used instead.
    write_bag(replace(make_recording([("walking", 6.0)]), start=1.0), path)
    return path


@pytest.fixture(scope="module")
def topics(source: Path) -> dict[str, str]:
    with open_bag(source) as bag:
        return {topic: next(iter(info.types)) for topic, info in bag.topics.items()}


@contextmanager
def played(source: Path, context: rclpy.Context, **options: Any) -> Iterator[threading.Event]:
    """Plays a bag on a thread; the event is set when it is over."""
    stop, over = threading.Event(), threading.Event()

    def play() -> None:
        replay(source, ReplaySettings(wait=PATIENCE, **options), stop, context)
        over.set()

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield over
    finally:
        stop.set()
        thread.join(PATIENCE)


def test_record_equals_replayed_bag(
    source: Path, topics: dict[str, str], rig: Rig, context: rclpy.Context, tmp_path: Path
) -> None:
    reported: list[CaptureProgress] = []
    with played(source, context) as over:
        ended: list[float] = []

        def enough() -> bool:
            if over.is_set():
                ended.append(time.monotonic())
            return bool(ended) and time.monotonic() - ended[0] > 0.5

        recorded = record(topics, tmp_path / "bag", PATIENCE, reported.append, emg="/emg", context=context, stop=enough)
    with open_bag(source) as before, open_bag(tmp_path / "bag") as after:
        for topic in topics:
            wanted = {topic: topics[topic]}
            sent = [message.data for message in before.messages_in_order(wanted)]
            assert [message.data for message in after.messages_in_order(wanted)] == sent
            assert recorded.counts[topic] == len(sent)
    assert not any(recorded.lost.values())
    assert reported[-1].emg is True
    assert max(live.rates["/imu/left_foot"] for live in reported) > 0
    assert len(read_bag(tmp_path / "bag", rig)) == len(read_bag(source, rig))


def test_record_refuses_silence(context: rclpy.Context, tmp_path: Path) -> None:
    with refusal("no message came on /silent"):
        record({"/silent": IMU_TYPE}, tmp_path / "bag", 0.3, lambda live: None, context=context)
    assert not (tmp_path / "bag").exists()


def test_record_names_missing_types(tmp_path: Path) -> None:
    assert message_class("/emg", EMG_TYPE).__name__ == "Emg"
    with refusal("/a", "my_msgs/msg/Own", "install my_msgs"):
        message_class("/a", "my_msgs/msg/Own")


# the command


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "imu_emg_estimator", "record", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--topics", "/nobody", "--wait", "0.1"], ["/nobody"]),
        (["--wait", "0.1"], ["no Imu or EMG topic"]),
        (["--topics", "a b", "--wait", "0.1"], ["not valid"]),
        (["--seconds", "-1"], ["--seconds -1"]),
    ],
)
def test_record_command_bad_input_is_one_line(arguments: Sequence[str], parts: Sequence[str], tmp_path: Path) -> None:
    answer = run("--out", str(tmp_path / "bag"), *arguments)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert all(part in answer.stderr for part in parts)
    assert not (tmp_path / "bag").exists()


def test_record_command_keeps_bag_on_ctrl_c(source: Path, context: rclpy.Context, rig: Rig, tmp_path: Path) -> None:
    with played(source, context, loop=True, restamp=True):
        process = subprocess.Popen(
            command("--out", str(tmp_path / "bag"), "--wait", "5", "--json", str(tmp_path / "figures.json")),
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        deadline = time.monotonic() + PATIENCE
        while _size(tmp_path / "bag") < 20_000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["messages"]) >= {"/emg", "/imu/left_foot"}
    with open_bag(tmp_path / "bag") as bag:
        assert bag.notes == []  # it is complete
        kinds = dict.fromkeys(figures["messages"], IMU_TYPE) | {"/emg": EMG_TYPE}
        assert len(list(bag.messages_in_order(kinds))) == sum(figures["messages"].values())


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.mcap"))
