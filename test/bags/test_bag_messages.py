"""Messages are decoded as their definitions say, whatever they carry; names that mean the same are the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bag_forms import (
    FORMS,
    TYPES,
    Signal,
    activation_entries,
    array_entries,
    emg_entries,
    imu_entries,
    imu_message,
    in_order,
    joint_entries,
    write_form,
)
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import TopicMapping, check_bag, read_bag, read_bag_with_report
from imu_emg_estimator.bags.bag_messages import OddPacket, decode_packet, known_digest
from imu_emg_estimator.bags.message_types import (
    ACTIVATION_TYPE,
    EMG_TYPE,
    FLOAT32_TYPE,
    FLOAT64_TYPE,
    IMU_TYPE,
    JOINT_TYPE,
)
from imu_emg_estimator.bags.topic_names import same_name, topic_of, words
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.imu_decoder import decode_frame_id, decode_imu

SECOND = 1_000_000_000
MUSCLES = RIG.muscle_names
ROWS = np.array([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]])
SIGNAL = Signal(ROWS, 100.0, MUSCLES, False)


@pytest.fixture(scope="module")
def recording(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 6.0)])


# messages


@pytest.mark.parametrize("frame", ["", "a", "ab", "abc", "abcd", "right_foot", "ünïcode"])
@pytest.mark.parametrize("little_endian", [True, False])
def test_decode_imu_any_frame_and_byte_order(frame: str, little_endian: bool) -> None:
    """The text before the numbers moves them; they stay aligned."""
    sample = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    message = imu_message(frame, 5 * SECOND + 7, sample)
    data = TYPES.serialize_cdr(message, IMU_TYPE, little_endian=little_endian)
    assert decode_imu(bytes(data)) == (5 * SECOND + 7, tuple(sample))
    assert decode_frame_id(bytes(data)) == frame


def test_decode_imu_timestamps_before_1970() -> None:
    decoded = decode_imu(bytes(TYPES.serialize_cdr(imu_message("x", -3 * SECOND + 5, np.zeros(6)), IMU_TYPE)))
    assert decoded is not None
    assert decoded[0] == -3 * SECOND + 5


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        (emg_entries(SIGNAL, 3), EMG_TYPE),
        (activation_entries(SIGNAL, "a-model"), ACTIVATION_TYPE),
        (joint_entries(SIGNAL), JOINT_TYPE),
        (joint_entries(SIGNAL, "velocity"), JOINT_TYPE),
        (array_entries(SIGNAL, 32, 3), FLOAT32_TYPE),
        (array_entries(SIGNAL, 64), FLOAT64_TYPE),
    ],
)
def test_decode_packet_every_type(entries: list[Any], kind: str) -> None:
    packets = [decode_packet(kind, entry.data, TopicMapping()) for entry in entries]
    np.testing.assert_array_equal(np.concatenate([packet.data for packet in packets]), ROWS)
    for packet in packets:
        assert packet.names == MUSCLES
        assert (packet.timestamp is None) == ("Array" in kind)
    for cut in range(1, len(entries[0].data) - 8):
        with pytest.raises(Exception):  # noqa: B017, PT011 - any, as long as nothing is decoded
            decode_packet(kind, entries[0].data[:cut], TopicMapping())


def array(data: list[float], *dimensions: tuple[str, int]) -> bytes:
    dimension, layout = (TYPES.types[f"std_msgs/msg/MultiArray{part}"] for part in ("Dimension", "Layout"))
    dims = [dimension(label=label, size=size, stride=0) for label, size in dimensions]
    message = TYPES.types[FLOAT64_TYPE](layout=layout(dim=dims, data_offset=0), data=np.array(data, dtype=float))
    return bytes(TYPES.serialize_cdr(message, FLOAT64_TYPE))


@pytest.mark.parametrize(
    ("data", "dimensions", "given", "names", "rows"),
    [
        ([1, 2], [], None, (), [[1, 2]]),
        ([1, 2], [("a,b", 2)], None, ("a", "b"), [[1, 2]]),
        ([1, 2], [("a", 1), ("b", 1)], None, ("a", "b"), [[1, 2]]),
        ([1, 2, 3, 4, 5, 6], [("a,b", 2), ("", 1)], None, ("a", "b"), [[1, 2], [3, 4], [5, 6]]),
        ([1, 2, 3, 4], [("", 4)], ("x", "y"), (), [[1, 2], [3, 4]]),
        ([1, 2, 3, 4, 5, 6], [("samples", 3), ("a, b", 2)], None, ("a", "b"), [[1, 2], [3, 4], [5, 6]]),
        ([1, 2, 3, 4, 5, 6], [("a,b", 2), ("time", 3)], None, ("a", "b"), [[1, 4], [2, 5], [3, 6]]),
        ([1, 2, 3, 4], [("rows", 2), ("columns", 2)], None, (), [[1, 2], [3, 4]]),
    ],
)
def test_decode_packet_follows_array_layout(data: Any, dimensions: Any, given: Any, names: Any, rows: Any) -> None:
    packet = decode_packet(FLOAT64_TYPE, array(data, *dimensions), TopicMapping(emg_channels=given))
    assert packet.names == names
    np.testing.assert_array_equal(packet.data, rows)


def test_decode_packet_prefers_joint_effort() -> None:
    entry = joint_entries(Signal(ROWS[:1], 100.0, MUSCLES, True), "position")[0]
    both = replace(entry, message=replace(entry.message, effort=np.array([7.0, 8.0])))
    idle = replace(entry, message=replace(entry.message, effort=np.zeros(2)))
    assert decode_packet(JOINT_TYPE, both.data, TopicMapping()).data.tolist() == [[7.0, 8.0]]
    assert decode_packet(JOINT_TYPE, idle.data, TopicMapping()).data.tolist() == [[0.5, 1.5]]
    assert decode_packet(JOINT_TYPE, both.data, TopicMapping(emg_field="position")).data.tolist() == [[0.5, 1.5]]
    with pytest.raises(OddPacket, match=r"0 values of velocity"):
        decode_packet(JOINT_TYPE, both.data, TopicMapping(emg_field="velocity"))


def test_known_digest_equals_ros() -> None:
    """What bags carry as type_description_hash comes from ROS; a wrong one here would refuse good bags."""
    share = pytest.importorskip("ament_index_python.packages")
    for msgtype in (IMU_TYPE, JOINT_TYPE, FLOAT32_TYPE, FLOAT64_TYPE, EMG_TYPE, ACTIVATION_TYPE):
        package, _, name = msgtype.split("/")
        try:
            folder = Path(share.get_package_share_directory(package))
        except LookupError:
            pytest.skip(f"{package} is not installed")
        description = json.loads((folder / "msg" / f"{name}.json").read_text())
        hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
        assert known_digest(msgtype) == hashes[msgtype]


# names


def test_same_name_matches_words() -> None:
    same = ("right_foot", "RightFoot", "foot_right", "FOOT_R", "r-foot", "footRight")
    assert {words(name) for name in same} == {frozenset({"right", "foot"})}
    assert words("left_foot") != words("right_foot")
    assert same_name("right_foot", ["RightFoot", "right_foot", "left_foot"]) == ["right_foot"]
    assert same_name("right_foot", ["RightFoot", "left_foot"]) == ["RightFoot"]


def test_topic_of_prefers_clearest_sign() -> None:
    topics = ["/imu/right_foot", "/right_foot/imu", "/imu/RightFoot", "/camera/right/foot_view", "/imu/left_foot"]
    for index in range(3):
        assert topic_of("right_foot", topics[index:])[0] == topics[index]
    assert topic_of("right_foot", topics[3:]) == ["/camera/right/foot_view"]
    assert topic_of("pelvis", topics) == []


# bags


def test_read_bag_reads_estimates_only_when_named(recording: Recording, tmp_path: Path) -> None:
    estimates = activation_entries(
        Signal(recording.envelope, RIG.rate, MUSCLES, True), "hugadb-12", "/muscle_activation"
    )
    path = write_form(tmp_path / "bag", in_order(imu_entries(recording), estimates), FORMS["mcap"])
    with refusal("has no imu_emg_estimator/msg/Emg messages", "/muscle_activation"):
        read_bag(path, RIG)
    _, report = read_bag_with_report(path, RIG, TopicMapping(emg_topic="/muscle_activation"))
    assert any("are estimates of model hugadb-12, not EMG" in note for note in report.notes)


def test_read_bag_keeps_raw_emg_on_request(recording: Recording, tmp_path: Path) -> None:
    raw = np.random.default_rng(0).standard_normal((round(recording.duration * 500.0), 2))
    emg = emg_entries(Signal(raw, 500.0, MUSCLES[::-1], False), 10)
    path = write_form(tmp_path / "bag", in_order(imu_entries(recording), emg), FORMS["mcap"])
    assert read_bag(path, RIG).emg is None
    given = read_bag(path, RIG, keep_raw=True).emg
    assert given is not None
    assert given.rate == pytest.approx(500.0)
    np.testing.assert_allclose(given.data[5:1000], raw[5:1000, ::-1], atol=1e-6)
    part = read_bag(path, RIG, keep_raw=True).slice(59, 118).emg
    assert part is not None
    assert len(part.data) == pytest.approx(500, abs=3)


def test_check_bag_refuses_what_is_no_bag(recording: Recording, tmp_path: Path) -> None:
    emg = emg_entries(Signal(recording.envelope, RIG.rate, MUSCLES, True))
    for form in ("mcap", "sqlite3-zstd-file", "mcap-zstd-single-file"):
        check_bag(write_form(tmp_path / form, in_order(imu_entries(recording), emg), FORMS[form]))
    (tmp_path / "notes.mcap").write_text("nothing")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with refusal("notes.mcap cannot be read"):
        check_bag(tmp_path / "notes.mcap")
    with refusal("old.bag is a bag of ROS 1; convert it"):
        check_bag(tmp_path / "old.bag")
    with refusal("does not exist"):
        check_bag(tmp_path / "none")


def test_read_bag_names_recording_after_folder_or_file(recording: Recording, tmp_path: Path) -> None:
    emg = emg_entries(Signal(recording.envelope, RIG.rate, MUSCLES, True))
    path = write_form(tmp_path / "walk_1", in_order(imu_entries(recording), emg), FORMS["mcap-zstd-single-file"])
    assert path.name == "walk_1_0.mcap.zstd"
    assert read_bag(path, RIG).name == "walk_1_0"
    assert read_bag(tmp_path / "walk_1", RIG).name == "walk_1"
