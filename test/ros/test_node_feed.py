"""What `imu-emg view` shows of a running node, and what its buttons call."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from fixtures.factories import RecordingFactory, refusal
from fixtures.ros_lab import HOUR, PATIENCE, Lab
from imu_emg_estimator.msg import Emg
from rclpy.node import Node

from imu_emg_estimator.ros.node_feed import NodeFeed
from imu_emg_estimator.view.live_history import LiveHistory

NAMESPACE = "/viewed"


@pytest.fixture
def viewer(context: rclpy.Context) -> Iterator[Node]:
    node = Node("viewer", context=context, start_parameter_services=False)
    yield node
    node.destroy_node()


def until(feed: NodeFeed, history: LiveHistory, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not condition(seen := history.since(0, 0)):
        assert time.monotonic() < deadline, f"not seen; {seen}"
        feed.step()
    return seen


def test_feed_shows_a_node_from_before_its_start_and_says_why_services_refuse(
    start_lab: Callable[..., Lab], viewer: Node, make_recording: RecordingFactory
) -> None:
    history = LiveHistory()
    feed = NodeFeed(viewer, None, None, history)
    feed.step()
    assert "view" not in history.since(0, 0)
    with refusal("no node is seen yet", "start it"):
        feed.actions["cancel"]({})
    lab = start_lab(namespace=NAMESPACE, stale_after=HOUR)
    amplifier = lab.node.create_publisher(Emg, "emg", 10)
    until(feed, history, lambda seen: "view" in seen and amplifier.get_subscription_count())
    recording = make_recording([("walking", 3.0)])
    lab.play(recording.imu, hurry=True)
    seen = until(
        feed, history, lambda seen: seen["estimates"] and seen["view"]["sensors"] and "state" in seen["calibration"]
    )
    assert (seen["silent"], seen["calibration"]["state"]) == (False, "idle")
    assert seen["figure"]["places"].keys() == set(recording.rig.sensor_names)
    assert len(seen["estimates"][0]) == 2 + 2 * len(recording.rig.muscles)
    right = [recording.rig.muscle_names[0]]
    data = np.tile([1.0, -1.0], 200).astype(np.float32)
    amplifier.publish(Emg(sample_rate=1000.0, channel_names=right, data=data, unit="V"))
    amplifier.publish(Emg(sample_rate=-1.0, channel_names=right, data=data, unit="V"))
    emg = until(feed, history, lambda seen: seen["emg"])["emg"]
    assert emg[-1][1:] == [pytest.approx(1.0, abs=0.05), None]
    for name, fields, part in (
        ("calibrate", {"subject": "anna"}, "the path of the bag is missing"),
        ("calibrate", {"bag": "/nowhere/at/all", "subject": "anna"}, "/nowhere/at/all"),
        ("cancel", {}, "no calibration is running"),
        ("reset", {"previous": True}, "subject"),
    ):
        feed.actions[name](fields)
        answer = until(feed, history, lambda seen: seen["answer"])["answer"]
        assert (answer["action"], answer["success"], part in answer["message"]) == (name, False, True), answer


def test_feed_says_that_the_node_fell_silent(
    start_lab: Callable[..., Lab], viewer: Node, make_recording: RecordingFactory
) -> None:
    lab = start_lab(namespace=NAMESPACE, stale_after=HOUR)
    history = LiveHistory()
    feed = NodeFeed(viewer, f"{NAMESPACE}/muscle_activation", None, history)
    until(feed, history, lambda seen: "view" in seen)
    lab.play(make_recording([("walking", 3.0)]).imu, hurry=True)
    until(feed, history, lambda seen: not seen["silent"])
    seen = until(feed, history, lambda seen: seen["silent"])
    assert "no message for" in seen["view"]["cause"]
