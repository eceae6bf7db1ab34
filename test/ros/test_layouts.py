"""The layouts for PlotJuggler and Foxglove name topics, fields and muscles that the node publishes."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from fixtures.ros_lab import UNHURRIED, Lab
from imu_emg_estimator.msg import MuscleActivation
from sensor_msgs.msg import JointState

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.shipped_files import shipped_bundle

LAYOUTS = Path(__file__).parents[2] / "config" / "layouts"
FOXGLOVE: dict[str, Any] = json.loads((LAYOUTS / "foxglove.json").read_text())
PLOTJUGGLER = ElementTree.parse(LAYOUTS / "plotjuggler.xml").getroot()
MUSCLES = Bundle.load(shipped_bundle()).rig.muscle_names
TYPES = {
    "/muscle_activation": MuscleActivation,
    "/muscle_activation_by_name": JointState,
    "/diagnostics": DiagnosticArray,
}


def foxglove_paths() -> Iterator[str]:
    for panel in FOXGLOVE["configById"].values():
        yield from (path["value"] for path in panel.get("paths", ()))
        yield from (panel[key] for key in panel if key == "topicToRender")


def plotjuggler_curves() -> list[str]:
    return [str(curve.get("name")) for curve in PLOTJUGGLER.iter("curve")]


def fields_of(topic: str) -> dict[str, str]:
    return dict(TYPES[topic].get_fields_and_field_types())


@pytest.mark.parametrize("path", list(foxglove_paths()))
def test_foxglove_path_names_a_number_of_the_message(path: str) -> None:
    found = re.fullmatch(r"(/\w+)(?:\.(\w+)(?:\[(\d+)\])?)?", path)
    assert found, path
    topic, field, index = found.groups()
    if field is None:
        assert topic in TYPES
    elif index is None:
        assert fields_of(topic)[field] in ("float", "uint8")
    else:
        assert fields_of(topic)[field] == "sequence<float>"
        assert int(index) < len(MUSCLES)


def test_foxglove_labels_are_the_muscles_of_the_indices() -> None:
    for name in ("Plot!activation", "Plot!deviation"):
        assert [path["label"] for path in FOXGLOVE["configById"][name]["paths"]] == list(MUSCLES)


def test_foxglove_arranges_every_panel_once() -> None:
    def leaves(node: Any) -> list[str]:
        return [node] if isinstance(node, str) else leaves(node["first"]) + leaves(node["second"])

    assert sorted(leaves(FOXGLOVE["layout"])) == sorted(FOXGLOVE["configById"])


@pytest.mark.parametrize("curve", plotjuggler_curves())
def test_plotjuggler_curve_names_a_number_of_the_message(curve: str) -> None:
    _, topic, *parts = curve.split("/")
    if len(parts) == 1:
        assert fields_of(f"/{topic}")[parts[0]] in ("float", "uint8")
    else:  # PlotJuggler makes TOPIC/NAME/FIELD of a JointState
        muscle, field = parts
        assert TYPES[f"/{topic}"] is JointState
        assert muscle in MUSCLES
        assert fields_of(f"/{topic}")[field] == "sequence<double>"


def test_plotjuggler_splitters_hold_what_they_count() -> None:
    for splitter in PLOTJUGGLER.iter("DockSplitter"):
        assert len(splitter) == int(splitter.get("count", "0")) == len(splitter.get("sizes", "").split(";"))


def test_node_publishes_every_topic_of_the_layouts(
    start_lab: Callable[..., Lab], make_recording: Callable[..., Any]
) -> None:
    named = {f"/{curve.split('/')[1]}" for curve in plotjuggler_curves()}
    named |= {path.split(".")[0] for path in foxglove_paths()}
    lab = start_lab(plot_by_name=True, stale_after=UNHURRIED)
    kinds = {publisher.topic_name: publisher.msg_type for publisher in lab.estimator.publishers}
    assert {topic: kinds.get(topic) for topic in named} == {topic: TYPES[topic] for topic in named}


def test_activation_by_name_equals_the_estimates(
    start_lab: Callable[..., Lab], make_recording: Callable[..., Any]
) -> None:
    lab = start_lab(plot_by_name=True, stale_after=UNHURRIED)
    states: list[JointState] = []
    lab.node.create_subscription(JointState, "muscle_activation_by_name", states.append, 1000)
    publisher = next(each for each in lab.estimator.publishers if each.topic_name == "/muscle_activation_by_name")
    lab.wait(publisher.get_subscription_count, "subscription")
    lab.play(np.asarray(make_recording([("walking", 4.0)]).imu), hurry=True)
    lab.wait(lambda: sum(np.isfinite(state.position[0]) for state in states) > 50, "estimates by name")
    estimates = {nanoseconds(message): message for message in lab.messages}
    state = next(each for each in states if np.isfinite(each.position[0]) and nanoseconds(each) in estimates)
    estimate = estimates[nanoseconds(state)]
    assert list(state.name) == list(estimate.muscle_names)
    assert list(state.position) == pytest.approx(list(estimate.activation))
    assert list(state.velocity) == pytest.approx(list(estimate.activation_std))
    assert state.header.frame_id == estimate.header.frame_id


def nanoseconds(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def test_activation_by_name_is_not_published_unless_asked_for(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab()
    assert "/muscle_activation_by_name" not in {publisher.topic_name for publisher in lab.estimator.publishers}
