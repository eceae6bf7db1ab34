"""Replay: every message of a bag comes again, unchanged and in its own time, and Ctrl-C ends it."""

import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fixtures.factories import RecordingFactory
from imu_emg_estimator.msg import Emg
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Reader, Writer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu

from imu_emg_estimator.bags import EMG_TOPIC, imu_topic, open_bag, write_bag
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros import bag_player
from imu_emg_estimator.ros.bag_player import ReplaySettings, replay

SECONDS = 4.0
TOPICS = [imu_topic(name) for name in RIG.sensor_names]
PATIENCE = 200.0  # s; on a busy machine processes start slowly
SECOND = 1_000_000_000  # ns


@pytest.fixture(scope="module")
def bag(make_recording: RecordingFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "walk"
    write_bag(make_recording([("walking", SECONDS)]), path)
    return path


def recorded(bag: Path) -> dict[str, list[bytes]]:
    messages: dict[str, list[bytes]] = {topic: [] for topic in [*TOPICS, EMG_TOPIC]}
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages():
            messages[connection.topic].append(raw)
    return messages


def timestamp(raw: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("<iI", raw, 4)
    return int(seconds) * SECOND + int(nanoseconds)


@dataclass
class Listener:
    """Messages received by topic, and instants on /clock [ns]."""

    messages: dict[str, list[bytes]] = field(default_factory=lambda: {topic: [] for topic in [*TOPICS, EMG_TOPIC]})
    clock: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(len(received) for received in self.messages.values())

    def take(self, topic: str, raw: bytes) -> None:
        self.messages[topic].append(bytes(raw))


@contextmanager
def listening(
    context: rclpy.Context, prefix: str = "", reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
) -> Iterator[Listener]:
    """A subscriber to all topics of the bag, on a thread of its own."""
    listener = Listener()
    node = rclpy.create_node("listener", context=context)
    qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5000, reliability=reliability)
    for topic in [*TOPICS, EMG_TOPIC]:
        kind = Emg if topic == EMG_TOPIC else Imu
        node.create_subscription(kind, prefix + topic, lambda raw, t=topic: listener.take(t, raw), qos, raw=True)
    node.create_subscription(
        Clock, "/clock", lambda m: listener.clock.append(m.clock.sec * SECOND + m.clock.nanosec), qos
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    try:
        yield listener
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()


def await_truth(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def await_count(listener: Listener, count: int) -> None:
    await_truth(lambda: listener.count >= count)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "imu_emg_estimator", "replay", *map(str, arguments)]


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_replay_publishes_messages_unchanged_in_order(
    bag: Path, context: rclpy.Context, reliability: ReliabilityPolicy
) -> None:
    """Played 3.4 times as fast: six IMUs at 200 Hz."""
    expected = recorded(bag)
    with listening(context, reliability=reliability) as listener:
        played = replay(bag, ReplaySettings(rate=3.4, wait=PATIENCE), context=context)
        await_count(listener, played)
    assert played == sum(len(messages) for messages in expected.values())
    assert listener.messages == expected


class SimulatedTime(threading.Event):
    """A clock that only waiting advances; ``ends`` are the instants at which waiting ended [s]."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.ends: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        self.ends.append(self.now)
        return False


@pytest.mark.parametrize("rate", [1.0, 2.0])
def test_replay_keeps_timing(bag: Path, context: rclpy.Context, rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_bag(bag) as opened:
        types = {topic: next(iter(info.types)) for topic, info in opened.topics.items()}
        received = np.array([message.receive_time for message in opened.messages_in_order(types)])
    clock = SimulatedTime()
    monkeypatch.setattr(bag_player, "time", clock)
    assert replay(bag, ReplaySettings(rate=rate), stop=clock, context=context) == len(received)
    np.testing.assert_allclose(np.array(clock.ends) - 1000.0, (received - received[0]) / SECOND / rate, atol=1e-6)


def test_replay_takes_as_long_as_the_recording(bag: Path, context: rclpy.Context) -> None:
    began = time.monotonic()
    replay(bag, ReplaySettings(rate=2.0), context=context)
    assert time.monotonic() - began > 0.95 * SECONDS / 2.0


def test_replay_restamp_shifts_timestamps_only(bag: Path, context: rclpy.Context) -> None:
    expected = recorded(bag)
    with listening(context) as listener:
        before = time.time_ns()
        played = replay(bag, ReplaySettings(rate=4.0, restamp=True, wait=PATIENCE), context=context)
        after = time.time_ns()
        await_count(listener, played)
    shifts = set()
    for topic, messages in expected.items():
        assert len(listener.messages[topic]) == len(messages)
        for old, new in zip(messages, listener.messages[topic], strict=True):
            shifts.add(timestamp(new) - timestamp(old))
            assert new[:4] + new[12:] == old[:4] + old[12:]
    assert len(shifts) == 1
    assert before <= timestamp(listener.messages[TOPICS[0]][0]) <= after


def test_replay_start_end_prefix_and_clock(bag: Path, context: rclpy.Context) -> None:
    expected = recorded(bag)
    settings = ReplaySettings(rate=2.0, start=1.0, end=2.0, prefix="/subject1", clock=True, wait=PATIENCE)
    with listening(context, prefix="/subject1") as listener:
        played = replay(bag, settings, context=context)
        await_count(listener, played)
        time.sleep(0.2)
    for topic in TOPICS:
        received = listener.messages[topic]
        assert len(received) == pytest.approx(RIG.rate, abs=2)
        assert received[0] in expected[topic][57:61]
    assert len(listener.clock) == pytest.approx(1.0 / (1 / RIG.rate), rel=0.3)
    assert listener.clock == sorted(listener.clock)
    assert 0.9 * SECOND < listener.clock[-1] - listener.clock[0] < 1.0 * SECOND


def test_replay_loops_until_stopped(bag: Path, context: rclpy.Context) -> None:
    first_timestamp = timestamp(recorded(bag)[TOPICS[0]][0])
    stop = threading.Event()
    with listening(context) as listener:

        def began_thrice() -> bool:  # on a busy machine messages are lost, and with them the beginning of a round
            return sum(timestamp(raw) == first_timestamp for raw in listener.messages[TOPICS[0]]) >= 3

        settings = ReplaySettings(rate=20.0, loop=True, wait=PATIENCE)
        thread = threading.Thread(target=replay, args=(bag, settings, stop, context))
        thread.start()
        await_truth(began_thrice)
        stop.set()
        thread.join(timeout=PATIENCE)
    assert not thread.is_alive()
    assert began_thrice()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_replay_command_ends_on_ctrl_c(bag: Path, context: rclpy.Context, number: signal.Signals) -> None:
    with listening(context) as listener:
        process = subprocess.Popen(command(bag, "--loop"), stderr=subprocess.PIPE, text=True)
        await_count(listener, 50)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    assert listener.count >= 50
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["nowhere"], "bag nowhere does not exist"),
        (["nowhere", "--rate", "0"], "replay rate 0 is not a positive number"),
        (["nowhere", "--rate", "nan"], "replay rate nan is not a positive number"),
        (["nowhere", "--start", "3", "--end", "2"], "no stretch of time"),
        (["nowhere", "--start", "-1"], "no stretch of time"),
    ],
)
def test_replay_command_bad_input_is_one_line(tmp_path: Path, arguments: list[str], fault: str) -> None:
    done = subprocess.run(command(*arguments), cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1


def test_replay_refuses_bag(bag: Path, context: rclpy.Context, tmp_path: Path) -> None:
    with Writer(tmp_path / "other", version=9) as writer:
        connection = writer.add_connection("/chat", "std_msgs/msg/String", msgdef="string data", rihs01="RIHS01_0")
        writer.write(connection, 1, b"\x00\x01\x00\x00")
    with pytest.raises(InputError, match=r"other has no Imu or Emg messages to replay"):
        replay(tmp_path / "other", ReplaySettings(), context=context)

    with Writer(tmp_path / "foreign", version=9) as writer:
        connection = writer.add_connection("/imu/x", "sensor_msgs/msg/Imu", msgdef="string data", rihs01="RIHS01_0")
        writer.write(connection, 1, b"\x00\x01\x00\x00")
    with pytest.raises(InputError, match=r"/imu/x are corrupt or follow another definition"):
        replay(tmp_path / "foreign", ReplaySettings(), context=context)
    with pytest.raises(InputError, match=r"is not a valid name \(.*\); correct it$") as caught:
        replay(bag, ReplaySettings(prefix="/no topic"), context=context)
    assert "\n" not in str(caught.value)


def test_replay_with_faults_changes_only_what_they_strike(bag: Path, context: rclpy.Context, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("- {kind: frozen, sensors: [right_foot]}\n- {kind: silent, sensors: [left_foot], start: 1}\n")
    expected = recorded(bag)
    with listening(context) as listener:
        played = replay(bag, ReplaySettings(rate=3.4, wait=PATIENCE, faults=file), context=context)
        await_count(listener, played)
    frozen, silent = (f"/imu/{name}" for name in ("right_foot", "left_foot"))
    for topic in {*TOPICS, EMG_TOPIC} - {frozen, silent}:
        assert listener.messages[topic] == expected[topic]
    assert len({raw[12:] for raw in listener.messages[frozen]}) == 1
    assert [timestamp(raw) for raw in listener.messages[frozen]] == [timestamp(raw) for raw in expected[frozen]]
    assert 0 < len(listener.messages[silent]) < len(expected[silent])


def test_replay_of_two_publishers_has_two(bag: Path, context: rclpy.Context, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("- {kind: two_publishers, sensors: [right_foot]}\n")
    with listening(context) as listener:
        played = replay(bag, ReplaySettings(rate=3.4, wait=PATIENCE, faults=file), context=context)
        await_count(listener, played)
    assert played == sum(map(len, recorded(bag).values())) + len(recorded(bag)[TOPICS[0]])
    assert len(listener.messages[TOPICS[0]]) == 2 * len(recorded(bag)[TOPICS[0]])


@pytest.mark.parametrize(
    ("fault", "arguments", "told"),
    [
        ("{kind: frozen, sensors: [trunk]}", [], "sensor 'trunk' is not an Imu topic of the bag"),
        ("{kind: frozen, start: 30}", [], f"fault 1: start is 30 s, but only {SECONDS:.1f} s are played"),
        ("{kind: frozen, start: 3}", ["--start", "2"], "fault 1: start is 3 s, but only 2.0 s are played"),
        ("{kind: frozen, start: 3}", ["--end", "2"], "fault 1: start is 3 s, but only 2.0 s are played"),
    ],
)
def test_command_refuses_impossible_fault(
    bag: Path, tmp_path: Path, fault: str, arguments: list[str], told: str
) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(f"- {fault}\n")
    run = subprocess.run(command(bag, "--faults", file, *arguments), capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 2
    assert told in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
