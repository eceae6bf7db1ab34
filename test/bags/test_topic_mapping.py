"""Topics of a bag are found, or named; what is missing is named in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.composed_bags import (
    TYPES,
    changed,
    compose,
    entries,
    without,
)
from fixtures.factories import refusal
from rosbags.rosbag2 import Writer

from imu_emg_estimator.bags import (
    EMG_TOPIC,
    IMU_TYPE,
    TopicMapping,
    TopicMissing,
    imu_topic,
    open_bag,
    read_bag,
)
from imu_emg_estimator.bags.message_types import FLOAT32_TYPE, JOINT_TYPE
from imu_emg_estimator.bags.topic_mapping import find_emg_topic
from imu_emg_estimator.bags.topic_names import names_of_topics, same_name
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording


def test_find_topics_in_a_namespace(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    messages = [
        (receive_time, f"/subject1/raw{topic}", kind, message)
        for receive_time, topic, kind, message in entries(whole_bag)
    ]
    read = read_bag(compose(tmp_path / "bag", messages), RIG)
    np.testing.assert_array_equal(read.imu, recording.imu)
    assert np.isfinite(read.envelope).all()


def test_find_topics_named_in_order_of_rig(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    order = [imu_topic(name) for name in RIG.sensor_names]
    names = {topic: f"/imu_{k}/data" for k, topic in enumerate(order)} | {EMG_TOPIC: "/amplifier"}
    messages = [
        (receive_time, names[topic], kind, message) for receive_time, topic, kind, message in entries(whole_bag)
    ]
    path = compose(tmp_path / "bag", messages)
    read = read_bag(path, RIG, TopicMapping([names[topic] for topic in order], "/amplifier"))
    np.testing.assert_array_equal(read.imu, recording.imu)
    with pytest.raises(InputError, match=r"5 different Imu topics are given for the 6 sensors"):
        read_bag(path, RIG, TopicMapping([names[topic] for topic in order[:5]]))
    with pytest.raises(InputError, match=r"5 different Imu topics are given for the 6 sensors"):
        read_bag(path, RIG, TopicMapping([names[topic] for topic in [*order[:5], order[0]]]))
    with pytest.raises(TopicMissing, match=r"no Imu messages on /nothing"):
        read_bag(path, RIG, TopicMapping(["/nothing", *(names[topic] for topic in order[1:])]))
    with pytest.raises(TopicMissing, match=r"no imu_emg_estimator/msg/Emg messages on /emg; .* /amplifier \("):
        read_bag(path, RIG, TopicMapping([names[topic] for topic in order], "/emg"))


def test_find_topics_refuses_two_for_one_sensor(whole_bag: Path, tmp_path: Path) -> None:
    messages = []
    for receive_time, topic, kind, message in entries(whole_bag):
        messages += [(receive_time, f"/{side}{topic}", kind, message) for side in ("a", "b")]
    with pytest.raises(TopicMissing, match=r"more than one topic for sensor 'right_foot'"):
        read_bag(compose(tmp_path / "bag", messages), RIG)


def test_find_topics_takes_the_only_emg_topic_though_joints_have_the_names_of_muscles(
    recording: Recording, whole_bag: Path, tmp_path: Path
) -> None:
    messages = []
    for receive_time, topic, kind, message in entries(whole_bag):
        messages.append((receive_time, "/amplifier" if topic == EMG_TOPIC else topic, kind, message))
        if topic == EMG_TOPIC:
            values = {"position": np.zeros(2), "velocity": np.zeros(2), "effort": np.zeros(2)}
            joints = TYPES.types[JOINT_TYPE](header=message.header, name=list(RIG.muscle_names), **values)
            messages.append((receive_time, "/joints", JOINT_TYPE, joints))
    read = read_bag(compose(tmp_path / "bag", messages), RIG)
    np.testing.assert_allclose(read.envelope, recording.envelope, atol=1e-4)


def test_find_emg_topic_takes_channels_without_names_only_of_a_topic_that_says_emg(
    whole_bag: Path, tmp_path: Path
) -> None:
    kinds, messages = TYPES.types, []
    for receive_time, topic, kind, message in entries(whole_bag):
        if topic != EMG_TOPIC:
            messages.append((receive_time, topic, kind, message))
            continue
        layout = kinds["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
        array = kinds[FLOAT32_TYPE](layout=layout, data=message.data[:2])
        messages += [(receive_time, name, FLOAT32_TYPE, array) for name in ("/forces", "/raw_emg")]
    mapping = TopicMapping(emg_channels=RIG.muscle_names)
    with open_bag(compose(tmp_path / "bag", messages)) as bag:
        assert find_emg_topic(bag, RIG, mapping) == ("/raw_emg", FLOAT32_TYPE)
        with pytest.raises(TopicMissing, match=r"topics that could hold EMG are /forces .*, /raw_emg "):
            find_emg_topic(bag, RIG, TopicMapping())


def test_find_topics_names_missing_imu(whole_bag: Path, tmp_path: Path) -> None:
    path = changed(whole_bag, tmp_path / "bag", without(imu_topic("left_shank")))
    with pytest.raises(
        TopicMissing, match=r"no Imu messages for sensor 'left_shank' \(expected /imu/left_shank\).*/imu/left_foot"
    ):
        read_bag(path, RIG)


def test_find_topics_names_missing_emg(whole_bag: Path, tmp_path: Path) -> None:
    path = changed(whole_bag, tmp_path / "bag", without(EMG_TOPIC))
    with pytest.raises(TopicMissing, match=r"has no imu_emg_estimator/msg/Emg messages; .*: record EMG"):
        read_bag(path, RIG)


def test_read_bag_ignores_other_topics(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    """Neither a type that nobody knows nor an Imu topic that the rig does not name is decoded."""
    with Writer(tmp_path / "bag", version=9) as writer:
        connections: dict[str, Any] = {}
        others = [("/camera", "some_msgs/msg/Secret", b"\x00"), ("/imu/pelvis", IMU_TYPE, b"\x00")]
        for topic, msgtype, _ in others:
            connections[topic] = writer.add_connection(topic, msgtype, msgdef="int8 x", rihs01="RIHS01_0")
        for receive_time, topic, msgtype, message in entries(whole_bag):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=TYPES)
            writer.write(connections[topic], receive_time, TYPES.serialize_cdr(message, msgtype))
            for other, _, raw in others:
                writer.write(connections[other], receive_time, raw)
    np.testing.assert_array_equal(read_bag(tmp_path / "bag", RIG).imu, recording.imu)


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (["LeftFoot", "left_foot"], ["left_foot"]),
        (["LeftFoot", "right_foot", "foot_L"], ["LeftFoot", "foot_L"]),
        (["right_foot"], []),
    ],
)
def test_same_name_is_the_equal_one_or_else_of_the_same_words(names: list[str], same: list[str]) -> None:
    assert same_name("left_foot", names) == same


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_mapping_refuses_a_rate_that_is_no_positive_number(rate: float) -> None:
    assert TopicMapping(emg_rate=0.5).emg_rate == 0.5
    with refusal(f"EMG rate {rate:g} is not a positive number of Hz"):
        TopicMapping(emg_rate=rate)


@pytest.mark.parametrize(
    ("topics", "names"),
    [
        (["/xsens/foot_r/imu", "/xsens/foot_l/imu"], ["foot_r", "foot_l"]),
        (["/left/xsens", "/right/xsens"], ["left", "right"]),
        (["/imu/left/foot", "/imu/right/foot", "/imu/pelvis"], ["left_foot", "right_foot", "pelvis"]),
        (["/robot/imu/shank", "/arm/imu/wrist"], ["shank", "wrist"]),
        (["/wrist/imu"], ["wrist"]),
        (["/imu"], ["imu"]),
        (["/imu", "/imu/data"], ["imu", "imu_data"]),
    ],
)
def test_sensors_are_named_after_what_tells_their_topics_apart(topics: list[str], names: list[str]) -> None:
    assert list(names_of_topics(topics).values()) == names
