"""What `imu-emg doctor` says of live topics and a running node."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import rclpy
from fixtures.command_line import strict_json
from fixtures.factories import RecordingFactory
from fixtures.ros_lab import HOUR, PATIENCE, Lab, imu_message
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu
from std_msgs.msg import Empty

from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.ros.live_topic_checks import LiveTopics
from imu_emg_estimator.signals.grid_alignment import SECOND

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
PERIOD_S = 0.01
NAMESPACE = "/examined"
Look = Callable[[Callable[[dict[str, Finding]], object]], dict[str, Finding]]
Drive = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def node(context: rclpy.Context) -> Iterator[Node]:
    node = Node("doctor", context=context, namespace=NAMESPACE, start_parameter_services=False)
    yield node
    node.destroy_node()


@pytest.fixture
def look(node: Node, bundle: Bundle) -> Look:
    """Function that looks at the topics again and again, until a condition holds: a busy machine delays the drivers."""

    def until(condition: Callable[[dict[str, Finding]], object]) -> dict[str, Finding]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = {finding.about: finding for finding in LiveTopics(node, bundle, None).findings(2.0)}
            if condition(found):
                return found
        raise AssertionError(f"not seen within {PATIENCE:g} s; {found}")

    return until


@pytest.fixture
def drive(node: Node) -> Drive:
    """Function that publishes to Imu topics meanwhile, by name: how far their clock is behind [s]."""

    @contextmanager
    def publishing(topics: dict[str, float], quality: QoSProfile = BEST_EFFORT) -> Iterator[None]:
        drivers = {node.create_publisher(Imu, topic, quality): behind for topic, behind in topics.items()}
        stop, generator = threading.Event(), np.random.default_rng(0)

        def publish() -> None:
            due = time.time_ns()  # on a grid, and late where the machine is busy, as a sensor's own clock is
            while not stop.wait(max(0.0, (due - time.time_ns()) / SECOND)):
                for driver, behind in drivers.items():
                    sample = generator.normal((0, 9.81, 0, 0, 0, 0), 0.1)
                    driver.publish(imu_message(due - round(behind * SECOND), sample))
                due += round(PERIOD_S * SECOND)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            for driver in drivers:
                node.destroy_publisher(driver)

    return publishing


def test_doctor_without_topics_warns_and_names_no_sensor(look: Look) -> None:
    found = look(lambda found: len(found) == 2)
    assert found["Imu topics"].level is Level.WARNING
    assert found["estimator"].level is Level.OK
    assert "ros2 launch imu_emg_estimator" in found["estimator"].text


def test_doctor_finds_each_topic_and_what_is_wrong_with_it(look: Look, drive: Drive, node: Node) -> None:
    node.create_publisher(Empty, "imu/right_thigh", 1)
    topics = {"imu/right_foot": 0.0, "imu/right_shank": 3600.0, "imu/foot_left": 0.0, "imu/lft_shnk": 0.0}
    with drive(topics):
        found = look(lambda found: found.get("right_foot", found["estimator"]).text.startswith("/examined/imu/right_f")
                     and found["right_foot"].level is Level.OK
                     and "synchronise the clock" in found["right_shank"].text
                     and "/examined/imu/foot_left" in found["left_foot"].text
                     and "lft_shnk" in found["left_shank"].text
                     and "std_msgs" in found["right_thigh"].text)  # fmt: skip
    assert found["Imu topics"].text.startswith("4: ")
    assert "Hz (rig: 58.8 Hz)" in found["right_foot"].text
    assert found["right_shank"].level is Level.WARNING
    assert found["left_foot"].level is Level.WARNING
    assert "listens to /examined/imu/left_foot: set its parameter imu_topics" in found["left_foot"].text
    assert found["left_shank"].level is Level.PROBLEM
    assert "if it is /examined/imu/lft_shnk" in found["left_shank"].text
    assert found["left_thigh"].level is Level.PROBLEM
    assert "no topic /examined/imu/left_thigh" in found["left_thigh"].text
    assert found["right_thigh"].level is Level.PROBLEM
    assert "let its driver publish sensor_msgs/msg/Imu" in found["right_thigh"].text


def test_doctor_says_who_hears_nothing(look: Look, drive: Drive, context: rclpy.Context) -> None:
    strict = Node("strict", context=context, namespace=NAMESPACE, start_parameter_services=False)
    strict.create_subscription(Imu, "imu/left_foot", lambda message: None, RELIABLE)
    strict.create_publisher(Imu, "imu/right_foot", 1)
    try:
        with drive({"imu/left_foot": 0.0}):
            found = look(lambda found: "strict hears nothing" in found.get("left_foot", found["estimator"]).text)
    finally:
        strict.destroy_node()
    assert found["left_foot"].level is Level.PROBLEM
    assert "qos_overrides" in found["left_foot"].text
    assert found["right_foot"].level is Level.PROBLEM
    assert "no message comes" in found["right_foot"].text
    assert "FASTDDS_BUILTIN_TRANSPORTS" in found["right_foot"].text


def test_doctor_says_that_two_topics_fit(look: Look, drive: Drive) -> None:
    with drive({"a/left_foot": 0.0, "b/left_foot": 0.0}):
        found = look(lambda found: "more than one topic" in found["Imu topics"].text)
    assert found["Imu topics"].level is Level.PROBLEM


def test_doctor_tells_the_status_of_the_node(
    look: Look, start_lab: Callable[..., Lab], make_recording: RecordingFactory
) -> None:
    lab = start_lab(namespace="/doctored", stale_after=HOUR)
    stop = threading.Event()
    imu = make_recording([("walking", 300.0)]).imu
    player = threading.Thread(target=lambda: lab.play(imu, stop=stop))
    player.start()
    try:
        found = look(lambda found: " is OK" in found["estimator"].text)
    finally:
        stop.set()
        player.join()
    assert found["estimator"].level is Level.OK
    assert "/doctored/imu_emg_estimator" in found["estimator"].text
    assert lab.estimator.bundle.model_id in found["estimator"].text


def test_doctor_command_listens_or_says_why_not(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "imu_emg_estimator",
        "doctor",
        "--seconds",
        "0.1",
        "--json",
        str(tmp_path / "a.json"),
    ]
    subprocess.run(words, timeout=PATIENCE, check=True)
    assert "estimator" in [own["about"] for own in strict_json(tmp_path / "a.json")["findings"]]
    assert subprocess.run([*words, "--imu-topics", "a,b"], timeout=PATIENCE).returncode == 1
    last = strict_json(tmp_path / "a.json")["findings"][-1]
    assert last["about"] == "topics"
    assert "names 2 topics, the bundle's rig has 6" in last["text"]
