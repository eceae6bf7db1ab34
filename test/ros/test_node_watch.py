"""`imu-emg watch` on a running node."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from fixtures.factories import RecordingFactory, refusal
from fixtures.ros_lab import HOUR, PATIENCE, Lab
from rclpy.node import Node

from imu_emg_estimator.guide.watch_panel import EstimatorView
from imu_emg_estimator.ros.diagnostics import UNKNOWN_NODE
from imu_emg_estimator.ros.node_watch import NodeWatch, find_estimates
from imu_emg_estimator.streaming.activation_status import STALE

TOPIC = "/watched/muscle_activation"


@pytest.fixture
def onlooker(context: rclpy.Context) -> Iterator[Node]:
    node = Node("onlooker", context=context, start_parameter_services=False)
    yield node
    node.destroy_node()


def until(watch: NodeWatch, condition: Callable[[EstimatorView], object]) -> EstimatorView:
    for _ in range(round(PATIENCE / 0.1)):
        watch.spin(0.1)
        if condition(watch.view()):
            return watch.view()
    raise AssertionError(f"not seen within {PATIENCE:g} s; {watch.view()}")


def test_watch_shows_estimates_and_sensors_of_a_node(
    start_lab: Callable[..., Lab], onlooker: Node, make_recording: RecordingFactory
) -> None:
    lab = start_lab(namespace="/watched", stale_after=HOUR)
    assert find_estimates(onlooker, None, PATIENCE) == TOPIC
    watch = NodeWatch(onlooker, TOPIC)
    assert watch.view().lines(200)[0].startswith("no estimate yet (it is published, but no message")
    recording = make_recording([("walking", 3.0)])
    lab.play(recording.imu, hurry=True)
    until(watch, lambda view: view.activation == list(lab.messages[-1].activation))
    view = until(watch, lambda view: view.seen and view.sensors)
    assert "/watched/imu_emg_estimator" in view.title
    assert lab.estimator.bundle.model_id in view.title
    assert "no calibration" in view.title
    assert list(view.muscles) == list(recording.rig.muscle_names)
    assert {sensor.name for sensor in view.sensors} == set(recording.rig.sensor_names)
    assert all(sensor.verdict for sensor in view.sensors)
    assert replace(view, seen={}).summary() == "no estimate was seen"


def test_watch_shows_no_estimate_of_a_node_that_fell_silent(
    start_lab: Callable[..., Lab], onlooker: Node, make_recording: RecordingFactory
) -> None:
    lab = start_lab(namespace="/watched", stale_after=HOUR)
    watch = NodeWatch(onlooker, TOPIC)
    lab.play(make_recording([("walking", 3.0)]).imu, hurry=True)
    assert until(watch, lambda view: view.seen).status != STALE
    view = until(watch, lambda view: "no message for" in view.cause)
    assert view.status == STALE
    assert np.isnan([view.age, *view.activation, *view.deviation]).all()
    assert "STALE" in view.lines(200)[0]


def test_watch_refuses_a_topic_that_is_no_name(onlooker: Node) -> None:
    with refusal("topic 'a b' is not a valid name", "correct it"):
        find_estimates(onlooker, "a b", 0.1)


def test_watch_says_that_nobody_publishes(onlooker: Node) -> None:
    with refusal("nobody publishes estimates on /nowhere within 0.1 s", "start the node"):
        find_estimates(onlooker, "/nowhere", 0.1)


def test_watch_waits_for_the_name_of_the_node(
    start_lab: Callable[..., Lab], onlooker: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The middleware tells a publisher before it has discovered whose it is."""
    start_lab(namespace="/named")
    unknown = SimpleNamespace(node_name=UNKNOWN_NODE, node_namespace="_NODE_NAMESPACE_UNKNOWN_")
    monkeypatch.setattr(onlooker, "get_publishers_info_by_topic", lambda topic: [unknown])
    watch = NodeWatch(onlooker, "/named/muscle_activation")
    assert watch.view().title == "/named/muscle_activation"
    monkeypatch.undo()
    view = until(watch, lambda view: view.sensors)
    assert view.title.startswith("/named/imu_emg_estimator")
