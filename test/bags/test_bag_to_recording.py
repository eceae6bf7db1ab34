"""Bags: a recording survives the round trip, and every bad bag is answered by one sentence that names the fault."""

import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from imu_emg_estimator.bags import (
    EMG_TOPIC,
    EMG_TYPE,
    IMU_TYPE,
    BagLimits,
    BagTooShort,
    BagUnreadable,
    TopicMissing,
    imu_topic,
    read_bag,
    read_bag_with_report,
    write_bag,
)
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner
from imu_emg_estimator.utils.shipped_files import message_definition

START = 1_700_000_000.0  # s
SECONDS = 8.0
Entry = tuple[int, str, str, Any]  # receipt [ns], topic, type, message
Change = Callable[[str, Any], Any]


def own_types() -> Typestore:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(message_definition("Emg"), EMG_TYPE))
    return store


TYPES = own_types()


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A subject with a lively IMU and EMG, one gyroscope masked and one accelerometer for a while."""
    rng = np.random.default_rng(0)
    samples = round(SECONDS * RIG.rate)
    imu = rng.standard_normal((samples, 6, 6)) + 5 * np.sin(np.arange(samples) / 9.0)[:, None, None]
    imu[:, 2, 3:] = np.nan
    imu[100:140, 4, :3] = np.nan
    activity = 20.0 * (1.2 + np.sin(2 * np.pi * np.arange(samples) / RIG.rate))[:, None]
    raw = np.round(128 + activity * rng.standard_normal((samples, 2)))
    return Recording(
        name="made-up",
        subject="7",
        rig=RIG,
        start=START,
        imu=imu,
        envelope=emg_envelope(raw, RIG.rate, EnvelopeSettings()),
        envelope_unit="count",
        muscle_weight=np.ones(2),
        condition=np.full(samples, "walking"),
        emg=RawEmg(raw, RIG.rate, "count"),
    )


@pytest.fixture(scope="module")
def whole_bag(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "whole"
    write_bag(recording, path)
    return path


def entries(path: Path) -> list[Entry]:
    with Reader(path) as reader:
        return [
            (receipt, connection.topic, connection.msgtype, TYPES.deserialize_cdr(raw, connection.msgtype))
            for connection, receipt, raw in reader.messages()
        ]


def compose(path: Path, messages: Iterable[Entry], types: Typestore = TYPES, **options: Any) -> Path:
    with Writer(path, version=9, **options) as writer:
        connections: dict[str, Any] = {}
        for receipt, topic, msgtype, message in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=types)
            writer.write(connections[topic], receipt, types.serialize_cdr(message, msgtype))
    return path


def changed(source: Path, target: Path, change: Change, **options: Any) -> Path:
    """A copy of a bag in which ``change(topic, message)`` replaced every message, or dropped it (None)."""
    messages = []
    for receipt, topic, msgtype, message in entries(source):
        message = change(topic, message)
        if message is not None:
            messages.append((receipt, topic, msgtype, message))
    return compose(target, messages, **options)


def without(*topics: str) -> Change:
    return lambda topic, message: None if topic in topics else message


def on_emg(**values: Any) -> Change:
    def change(topic: str, message: Any) -> Any:
        return replace(message, **values) if topic == EMG_TOPIC else message

    return change


def timestamp_of(message: Any) -> int:
    return int(message.header.stamp.sec) * SECOND + int(message.header.stamp.nanosec)


def with_timestamp(message: Any, timestamp: int) -> Any:
    time = replace(message.header.stamp, sec=timestamp // SECOND, nanosec=timestamp % SECOND)
    return replace(message, header=replace(message.header, stamp=time))


# round trip


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("single_file", [False, True])
def test_a_recording_survives_the_round_trip(
    recording: Recording, tmp_path: Path, storage: str, single_file: bool
) -> None:
    write_bag(recording, tmp_path / "bag", storage)
    path = tmp_path / "bag"
    if single_file:
        (path,) = (file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    read = read_bag(path, RIG, subject="7")
    np.testing.assert_array_equal(read.imu, recording.imu)
    np.testing.assert_allclose(read.envelope, recording.envelope, atol=1e-4)
    assert (read.name, read.subject, read.start) == ("bag", "7", START)
    assert read.envelope_unit == "count"
    np.testing.assert_array_equal(read.muscle_weight, [1.0, 1.0])
    assert set(read.condition) == {"unlabelled"}


def test_a_bag_looks_like_a_labs_own_recording(recording: Recording, whole_bag: Path) -> None:
    metadata = yaml.safe_load((whole_bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["version"] == 9
    assert metadata["storage_identifier"] == "mcap"
    found = {t["topic_metadata"]["name"]: t["topic_metadata"]["type"] for t in metadata["topics_with_message_count"]}
    assert found == {imu_topic(name): IMU_TYPE for name in RIG.sensor_names} | {EMG_TOPIC: EMG_TYPE}

    messages = entries(whole_bag)
    assert all(0 <= receipt - timestamp_of(message) < 0.1 * SECOND for receipt, _, _, message in messages)
    masked = [message for _, topic, _, message in messages if topic == imu_topic("right_thigh")]
    timestamps = [round(START * SECOND) + round(k * SECOND / RIG.rate) for k in range(len(recording))]
    assert [timestamp_of(message) for message in masked] == timestamps
    for message in masked:
        assert message.header.frame_id == "right_thigh"
        assert message.orientation_covariance[0] == -1
        assert message.angular_velocity_covariance[0] == -1
        assert message.angular_velocity.x == message.angular_velocity.y == message.angular_velocity.z == 0.0
        assert message.linear_acceleration_covariance[0] == 0
    emg = [message for _, topic, _, message in messages if topic == EMG_TOPIC]
    assert emg[0].channel_names == list(RIG.muscle_names)
    assert (emg[0].sample_rate, emg[0].unit, emg[0].is_envelope) == (RIG.rate, "count", False)
    assert recording.emg is not None
    samples = np.concatenate([message.data.reshape(-1, 2) for message in emg])
    np.testing.assert_array_equal(samples, recording.emg.data)


def test_rows_are_those_that_the_live_alignment_gives(whole_bag: Path, tmp_path: Path) -> None:
    """Jittered timestamps, a lost message here and there: no grid of the writer's helps."""
    rng = random.Random(1)

    def jitter(topic: str, message: Any) -> Any:
        if topic == EMG_TOPIC:
            return message
        return (
            None if rng.random() < 0.02 else with_timestamp(message, timestamp_of(message) + rng.randrange(8_000_000))
        )

    path = changed(whole_bag, tmp_path / "jittered", jitter)
    aligner = GridAligner(6, RIG.rate)
    topics = [imu_topic(name) for name in RIG.sensor_names]
    rows = []
    for _, topic, _, message in entries(path):
        if topic in topics:
            acceleration, rate = message.linear_acceleration, message.angular_velocity
            sample = np.array([getattr(part, axis) for part in (acceleration, rate) for axis in "xyz"])
            for half, covariance in (
                (slice(0, 3), message.linear_acceleration_covariance),
                (slice(3, 6), message.angular_velocity_covariance),
            ):
                if covariance[0] == -1:
                    sample[half] = np.nan
            rows += [row.imu for row in aligner.push(topics.index(topic), timestamp_of(message), sample)]
    np.testing.assert_array_equal(read_bag(path, RIG).imu, np.stack(rows))


def test_without_raw_emg_the_envelope_is_written(recording: Recording, tmp_path: Path) -> None:
    part = replace(recording.slice(50, 400), emg=None)
    write_bag(part, tmp_path / "bag")
    assert all(m.is_envelope for _, topic, _, m in entries(tmp_path / "bag") if topic == EMG_TOPIC)
    read = read_bag(tmp_path / "bag", RIG)
    np.testing.assert_allclose(read.envelope, part.envelope, rtol=1e-6)
    np.testing.assert_array_equal(read.imu, part.imu)


def test_a_recording_without_emg_makes_a_bag_without_emg(recording: Recording, tmp_path: Path) -> None:
    silent = replace(recording, emg=None, envelope=np.full_like(recording.envelope, np.nan))
    write_bag(silent, tmp_path / "bag")
    with pytest.raises(TopicMissing, match=r"has no imu_emg_estimator/msg/Emg messages; topics .* are none"):
        read_bag(tmp_path / "bag", RIG)


def test_writing_refuses_what_it_cannot_do(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exists already; choose another name"):
        write_bag(recording, tmp_path)
    with pytest.raises(InputError, match=r"'zip' is not known; choose mcap or sqlite3"):
        write_bag(recording, tmp_path / "bag", "zip")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written"):
        write_bag(recording, tmp_path / "file" / "bag")
    assert not (tmp_path / "bag").exists()


# topics


def test_topics_may_have_a_namespace(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    messages = [
        (receipt, f"/subject1/raw{topic}", kind, message) for receipt, topic, kind, message in entries(whole_bag)
    ]
    read = read_bag(compose(tmp_path / "bag", messages), RIG)
    np.testing.assert_array_equal(read.imu, recording.imu)
    assert np.isfinite(read.envelope).all()


def test_topics_may_be_named_in_the_order_of_the_rig(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    order = [imu_topic(name) for name in RIG.sensor_names]
    names = {topic: f"/imu_{k}/data" for k, topic in enumerate(order)} | {EMG_TOPIC: "/amplifier"}
    messages = [(receipt, names[topic], kind, message) for receipt, topic, kind, message in entries(whole_bag)]
    path = compose(tmp_path / "bag", messages)
    read = read_bag(path, RIG, [names[topic] for topic in order], "/amplifier")
    np.testing.assert_array_equal(read.imu, recording.imu)
    with pytest.raises(InputError, match=r"5 different Imu topics are given for the 6 sensors"):
        read_bag(path, RIG, [names[topic] for topic in order[:5]])
    with pytest.raises(InputError, match=r"5 different Imu topics are given for the 6 sensors"):
        read_bag(path, RIG, [names[topic] for topic in [*order[:5], order[0]]])
    with pytest.raises(TopicMissing, match=r"no Imu messages on /nothing"):
        read_bag(path, RIG, ["/nothing", *(names[topic] for topic in order[1:])])
    with pytest.raises(TopicMissing, match=r"no imu_emg_estimator/msg/Emg messages on /emg; .* /amplifier \("):
        read_bag(path, RIG, [names[topic] for topic in order], "/emg")


def test_two_topics_for_one_sensor_must_be_told_apart(whole_bag: Path, tmp_path: Path) -> None:
    messages = []
    for receipt, topic, kind, message in entries(whole_bag):
        messages += [(receipt, f"/{side}{topic}", kind, message) for side in ("a", "b")]
    with pytest.raises(TopicMissing, match=r"more than one topic for sensor 'right_foot'"):
        read_bag(compose(tmp_path / "bag", messages), RIG)


def test_a_bag_without_one_imu_names_it_and_what_is_there(whole_bag: Path, tmp_path: Path) -> None:
    path = changed(whole_bag, tmp_path / "bag", without(imu_topic("left_shank")))
    with pytest.raises(
        TopicMissing, match=r"no Imu messages for sensor 'left_shank' \(expected /imu/left_shank\).*/imu/left_foot"
    ):
        read_bag(path, RIG)


def test_a_bag_without_emg_says_so(whole_bag: Path, tmp_path: Path) -> None:
    path = changed(whole_bag, tmp_path / "bag", without(EMG_TOPIC))
    with pytest.raises(TopicMissing, match=r"has no imu_emg_estimator/msg/Emg messages; .*: record EMG"):
        read_bag(path, RIG)


def test_other_topics_are_left_alone(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    """Neither a type that nobody knows nor an Imu topic that the rig does not name is decoded."""
    with Writer(tmp_path / "bag", version=9) as writer:
        connections: dict[str, Any] = {}
        others = [("/camera", "some_msgs/msg/Secret", b"\x00"), ("/imu/pelvis", IMU_TYPE, b"\x00")]
        for topic, msgtype, _ in others:
            connections[topic] = writer.add_connection(topic, msgtype, msgdef="int8 x", rihs01="RIHS01_0")
        for receipt, topic, msgtype, message in entries(whole_bag):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=TYPES)
            writer.write(connections[topic], receipt, TYPES.serialize_cdr(message, msgtype))
            for other, _, raw in others:
                writer.write(connections[other], receipt, raw)
    np.testing.assert_array_equal(read_bag(tmp_path / "bag", RIG).imu, recording.imu)


# unreadable bags


def test_missing_and_empty_bags(tmp_path: Path) -> None:
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
def test_a_bag_without_messages(tmp_path: Path, storage: StoragePlugin) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=storage) as writer:
        writer.add_connection(EMG_TOPIC, EMG_TYPE, typestore=TYPES)
    with pytest.raises(BagUnreadable, match=r"holds no message"):
        read_bag(tmp_path / "bag", RIG)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_databases(recording: Recording, tmp_path: Path, share: float) -> None:
    write_bag(recording, tmp_path / "bag", "sqlite3")
    (file,) = (tmp_path / "bag").glob("*.db3")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    for path in (tmp_path / "bag", file):
        with pytest.raises(BagUnreadable, match=r"cannot be read|are corrupt"):
            read_bag(path, RIG)


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_random_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(random.Random(0).randbytes(100_000))
    with pytest.raises(BagUnreadable, match=r"cannot be read"):
        read_bag(path, RIG)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_whatever_bytes_are_broken_one_sentence_answers(recording: Recording, tmp_path: Path, storage: str) -> None:
    write_bag(recording.slice(0, 150), tmp_path / "whole", storage)
    rng = random.Random(2)
    for _ in range(40):
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


def test_metadata_that_is_no_metadata_is_left_out(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    """An empty one is what a power cut leaves; the messages are in the other file."""
    for content in ("", "[]", "relative_file_paths:", ": : :", "!!python/object/apply:os.system [ls]", "[" * 100_000):
        shutil.rmtree(tmp_path / "bag", ignore_errors=True)
        shutil.copytree(whole_bag, tmp_path / "bag")
        (tmp_path / "bag" / "metadata.yaml").write_text(content)
        read, report = read_bag_with_report(tmp_path / "bag", RIG)
        np.testing.assert_array_equal(read.imu, recording.imu)
        assert "metadata.yaml names no files" in report.notes[0]


def test_a_bag_that_is_too_large(whole_bag: Path) -> None:
    with pytest.raises(BagUnreadable, match=r"is larger than"):
        read_bag(whole_bag, RIG, limits=BagLimits(size=1000))


FOREIGN_EMG = "std_msgs/Header header\nuint32 sequence\nfloat64[] samples\n"


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("single_file", [False, True])
def test_emg_of_another_definition(whole_bag: Path, tmp_path: Path, storage: StoragePlugin, single_file: bool) -> None:
    foreign = get_typestore(Stores.ROS2_JAZZY)
    foreign.register(get_types_from_msg(FOREIGN_EMG, EMG_TYPE))
    messages: list[Entry] = []
    for receipt, topic, kind, message in entries(whole_bag):
        if topic == EMG_TOPIC:
            message = foreign.types[EMG_TYPE](header=message.header, sequence=1, samples=np.arange(8.0))
        messages.append((receipt, topic, kind, message))
    path = compose(tmp_path / "bag", messages, types=foreign, storage_plugin=storage)
    if single_file:
        (path,) = (file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    with pytest.raises(
        BagUnreadable, match=r"/emg are corrupt or follow another definition of imu_emg_estimator/msg/Emg"
    ):
        read_bag(path, RIG)


# too short, jumps


def test_too_short(recording: Recording, tmp_path: Path) -> None:
    write_bag(recording.slice(0, 60), tmp_path / "bag")
    with pytest.raises(BagTooShort, match=r"holds 1\.0 s of IMU data; record at least 2 s"):
        read_bag(tmp_path / "bag", RIG)


def test_emg_too_short(whole_bag: Path, tmp_path: Path) -> None:
    limit = (START + 1.0) * SECOND
    path = changed(whole_bag, tmp_path / "bag", lambda t, m: None if t == EMG_TOPIC and timestamp_of(m) > limit else m)
    with pytest.raises(BagTooShort, match=r"1\.\d s in which IMU and EMG timestamps overlap"):
        read_bag(path, RIG)


def test_emg_of_another_clock_is_brought_to_that_of_the_imus(
    recording: Recording, whole_bag: Path, tmp_path: Path
) -> None:
    path = changed(
        whole_bag, tmp_path / "bag", lambda t, m: with_timestamp(m, timestamp_of(m) - 10**18) if t == EMG_TOPIC else m
    )
    read, report = read_bag_with_report(path, RIG)
    assert np.isfinite(read.envelope).mean() > 0.99
    known = np.isfinite(read.envelope)
    np.testing.assert_allclose(read.envelope[known], recording.envelope[known], atol=1.0)
    assert any("the clock of /emg is 1e+09 s behind" in note for note in report.notes)


@pytest.mark.parametrize("jump", [-100.0, -3.0, 3.0, 1e6])
def test_where_timestamps_jump_the_longest_piece_is_read(
    recording: Recording, whole_bag: Path, tmp_path: Path, jump: float, caplog: pytest.LogCaptureFixture
) -> None:
    start = round(START * SECOND)
    cut = start + round(3.0 * SECOND)

    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        return with_timestamp(message, timestamp + round(jump * SECOND)) if timestamp >= cut else message

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert 4.8 <= read.duration <= 5.0
    assert read.start == pytest.approx(START + 3.0 + jump, abs=0.1)
    first = int(np.ceil(3.0 * RIG.rate))
    length = len(read)
    np.testing.assert_allclose(read.imu[2:], recording.imu[first + 2 : first + length], atol=1e-6)
    inner = slice(30, length - 30)  # away from the filter's edges
    expected = recording.envelope[first : first + length]
    np.testing.assert_allclose(read.envelope[inner], expected[inner], atol=0.5)
    assert "the longest of 2 pieces between jumps of its timestamps" in caplog.text


def test_timestamps_that_jump_all_the_time(whole_bag: Path, tmp_path: Path) -> None:
    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        return with_timestamp(message, timestamp + timestamp // SECOND % 2 * 3600 * SECOND)

    with pytest.raises(BagTooShort, match=r"the longest of \d+ pieces between jumps"):
        read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)


def test_a_bag_that_never_ends(whole_bag: Path) -> None:
    with pytest.raises(InputError, match=r"covers more than .* h; cut out what is needed"):
        read_bag(whole_bag, RIG, limits=BagLimits(duration=5.0))


# bad IMU values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
def test_values_that_are_not_finite_are_masked(
    recording: Recording, whole_bag: Path, tmp_path: Path, bad: float
) -> None:
    def change(topic: str, message: Any) -> Any:
        if topic != imu_topic("left_foot"):
            return message
        return replace(message, linear_acceleration=replace(message.linear_acceleration, y=bad))

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert np.isnan(read.imu[:, 3, 1]).all()
    others = [s for s in range(6) if s != 3]
    np.testing.assert_array_equal(read.imu[:, others], recording.imu[:, others])
    np.testing.assert_array_equal(read.imu[:, 3, 3:], recording.imu[:, 3, 3:])


def test_absent_fields_are_masked(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    absent = np.zeros(9)
    absent[0] = -1.0

    def change(topic: str, message: Any) -> Any:
        return message if topic == EMG_TOPIC else replace(message, linear_acceleration_covariance=absent)

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert np.isnan(read.imu[..., :3]).all()
    np.testing.assert_array_equal(read.imu[..., 3:], recording.imu[..., 3:])


# EMG


def emg_messages(
    raw: NDArray[np.float64], rate: float, packet: int, shift: int = 0, jitter: int = 0, **values: Any
) -> list[Entry]:
    """Packets of raw EMG [samples, channels] from the recording's start on."""
    kinds, rng, messages = TYPES.types, random.Random(3), []
    for first in range(0, len(raw), packet):
        timestamp = round(START * SECOND) + round(first * SECOND / rate) + shift + rng.randint(-jitter, jitter)
        time = kinds["builtin_interfaces/msg/Time"](sec=timestamp // SECOND, nanosec=timestamp % SECOND)
        fields = {
            "header": kinds["std_msgs/msg/Header"](stamp=time, frame_id="amplifier"),
            "sample_rate": rate,
            "channel_names": list(RIG.muscle_names),
            "data": raw[first : first + packet].astype(np.float32).reshape(-1),
            "unit": "mV",
            "is_envelope": False,
        }
        receipt = timestamp + round(packet * SECOND / rate)
        messages.append((receipt, EMG_TOPIC, EMG_TYPE, kinds[EMG_TYPE](**(fields | values))))
    return messages


def with_emg(source: Path, target: Path, emg: list[Entry]) -> Path:
    imu = [entry for entry in entries(source) if entry[1] != EMG_TOPIC]
    return compose(target, sorted(imu + emg, key=lambda entry: entry[0]))


def fast_emg(rate: float = 2000.0, channels: int = 2) -> NDArray[np.float64]:
    rng = np.random.default_rng(4)
    time = np.arange(round(SECONDS * rate)) / rate
    activity = 0.1 * (1.2 + np.sin(2 * np.pi * time[:, None] + np.arange(channels)))
    return activity * rng.standard_normal((len(time), channels))


def on_grid(envelope: NDArray[np.float64], rate: float, read: Recording) -> NDArray[np.float64]:
    time = np.arange(len(envelope)) / rate
    return np.stack([np.interp(read.time, time, channel) for channel in envelope.T], axis=1)


@pytest.mark.parametrize("jitter", [0, 2_000_000])
def test_fast_raw_emg_in_packets(whole_bag: Path, tmp_path: Path, jitter: int) -> None:
    raw = fast_emg()
    path = with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 20, jitter=jitter))
    read = read_bag(path, RIG)
    expected = on_grid(emg_envelope(raw, 2000.0, EnvelopeSettings()), 2000.0, read)
    inside = slice(2, -2)
    assert read.envelope_unit == "mV"
    assert np.isfinite(read.envelope[inside]).all()
    tolerance = 1e-6 if jitter == 0 else 0.006
    np.testing.assert_allclose(read.envelope[inside], expected[inside], atol=tolerance)


def test_settings_shape_the_envelope(whole_bag: Path) -> None:
    smooth = read_bag(whole_bag, RIG, settings=EnvelopeSettings(low_pass=1.0))
    assert smooth.envelope.std() < 0.7 * read_bag(whole_bag, RIG).envelope.std()


def test_emg_is_not_extrapolated(whole_bag: Path, tmp_path: Path) -> None:
    raw = fast_emg()[: 2000 * 4]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 20, shift=2 * SECOND)), RIG)
    inside = (read.time >= 2.0) & (read.time <= 6.0 - 1 / 2000.0)
    assert np.isfinite(read.envelope[inside]).all()
    assert np.isnan(read.envelope[~inside]).all()


def test_lost_packets_are_not_invented(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    emg = [entry for entry in entries(whole_bag) if entry[1] == EMG_TOPIC]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg[:40] + emg[41:70] + emg[75:]), RIG)
    lost = np.zeros(len(recording), dtype=bool)
    lost[160:164] = lost[280:300] = True
    np.testing.assert_array_equal(np.isnan(read.envelope).any(axis=1), lost)


def test_bad_values_in_emg_are_masked(recording: Recording, tmp_path: Path) -> None:
    assert recording.emg is not None
    raw = recording.emg.data.copy()
    raw[100:110, 1] = np.nan
    raw[200, 0] = np.inf
    write_bag(replace(recording, emg=RawEmg(raw, RIG.rate, "count")), tmp_path / "bag")
    read = read_bag(tmp_path / "bag", RIG)
    assert np.flatnonzero(np.isnan(read.envelope[:, 0])).tolist() == [200]
    assert np.flatnonzero(np.isnan(read.envelope[:, 1])).tolist() == list(range(100, 110))


def test_channels_are_matched_by_name(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    assert recording.emg is not None
    right, left = RIG.muscle_names
    three = np.concatenate([recording.emg.data[:, ::-1], recording.emg.data[:, :1]], axis=1)
    emg = emg_messages(three, RIG.rate, 4, channel_names=[left, right, "soleus_right"])
    read = read_bag(with_emg(whole_bag, tmp_path / "all", emg), RIG)
    np.testing.assert_allclose(read.envelope, recording.envelope, atol=1e-4)

    emg = emg_messages(recording.emg.data[:, 1:], RIG.rate, 4, channel_names=[left])
    read = read_bag(with_emg(whole_bag, tmp_path / "left", emg), RIG)
    np.testing.assert_allclose(read.envelope[:, 1], recording.envelope[:, 1], atol=1e-4)
    assert np.isnan(read.envelope[:, 0]).all()
    np.testing.assert_array_equal(read.muscle_weight, [0.0, 1.0])

    emg = emg_messages(recording.emg.data, RIG.rate, 4, channel_names=["soleus_right", "soleus_left"])
    with pytest.raises(TopicMissing, match=r"EMG of soleus_right, soleus_left, but .* wants vastus_lateralis_right, "):
        read_bag(with_emg(whole_bag, tmp_path / "none", emg), RIG)


def test_a_flat_channel_has_no_weight(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    assert recording.emg is not None
    raw = recording.emg.data * [1.0, 0.0]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, RIG.rate, 4)), RIG)
    np.testing.assert_array_equal(read.muscle_weight, [1.0, 0.0])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (on_emg(sample_rate=0.0), r"on /emg sample_rate 0 is not between 0 and 100000 Hz"),
        (on_emg(sample_rate=-58.8), r"on /emg sample_rate -58\.8"),
        (on_emg(sample_rate=float("nan")), r"on /emg sample_rate nan"),
        (on_emg(sample_rate=1e9), r"on /emg sample_rate 1e\+09"),
        (on_emg(sample_rate=5000.0), r"470 EMG samples stamped within .* do not go with a sample_rate of 5000 Hz"),
        (on_emg(sample_rate=30.0), r"do not go with a sample_rate of 30 Hz"),
        (on_emg(sample_rate=10.0), r"do not go with a sample_rate of 10 Hz"),
        (on_emg(data=np.zeros(7, dtype=np.float32)), r"on /emg 7 values do not divide into 2 channels"),
        (on_emg(channel_names=[]), r"do not divide into 0 channels"),
        (on_emg(data=np.zeros(0, dtype=np.float32)), r"has no EMG samples on /emg"),
        (on_emg(data=np.full(8, np.nan, dtype=np.float32)), r"0\.0 s in which IMU and EMG timestamps overlap"),
    ],
)
def test_emg_that_makes_no_sense_is_named(whole_bag: Path, tmp_path: Path, change: Change, fault: str) -> None:
    path = changed(whole_bag, tmp_path / "bag", change)
    with pytest.raises(InputError, match=fault) as caught:
        read_bag(path, RIG)
    assert str(path) in str(caught.value)


def test_emg_too_slow_for_an_envelope(whole_bag: Path, tmp_path: Path) -> None:
    emg = emg_messages(fast_emg(10.0), 10.0, 2)
    with pytest.raises(InputError, match=r"raw EMG at 10 Hz is too slow"):
        read_bag(with_emg(whole_bag, tmp_path / "bag", emg), RIG)


@pytest.mark.parametrize("field", [{"unit": "V"}, {"is_envelope": True}, {"sample_rate": 60.0}])
def test_emg_must_not_change_its_format(whole_bag: Path, tmp_path: Path, field: dict[str, Any]) -> None:
    limit = (START + 4.0) * SECOND

    def change(topic: str, message: Any) -> Any:
        return replace(message, **field) if topic == EMG_TOPIC and timestamp_of(message) > limit else message

    with pytest.raises(BagUnreadable, match=r"is_envelope change between messages"):
        read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
