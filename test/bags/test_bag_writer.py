"""A recording written as a bag survives the round trip, and looks as a lab would have recorded it."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fixtures.composed_bags import (
    START,
    changed,
    entries,
    timestamp_of,
    with_timestamp,
)
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import (
    EMG_TOPIC,
    EMG_TYPE,
    IMU_TYPE,
    TopicMissing,
    imu_topic,
    read_bag,
    write_bag,
)
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("single_file", [False, True])
def test_write_bag_roundtrip(recording: Recording, tmp_path: Path, storage: str, single_file: bool) -> None:
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


def test_write_bag_looks_like_a_lab_recording(recording: Recording, whole_bag: Path) -> None:
    metadata = yaml.safe_load((whole_bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["version"] == 9
    assert metadata["storage_identifier"] == "mcap"
    found = {t["topic_metadata"]["name"]: t["topic_metadata"]["type"] for t in metadata["topics_with_message_count"]}
    assert found == {imu_topic(name): IMU_TYPE for name in RIG.sensor_names} | {EMG_TOPIC: EMG_TYPE}

    messages = entries(whole_bag)
    assert all(0 <= receive_time - timestamp_of(message) < 0.1 * SECOND for receive_time, _, _, message in messages)
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


def test_read_bag_rows_equal_live_alignment(whole_bag: Path, tmp_path: Path) -> None:
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


def test_write_bag_without_raw_emg_writes_envelope(recording: Recording, tmp_path: Path) -> None:
    part = replace(recording.slice(50, 400), emg=None)
    write_bag(part, tmp_path / "bag")
    assert all(m.is_envelope for _, topic, _, m in entries(tmp_path / "bag") if topic == EMG_TOPIC)
    read = read_bag(tmp_path / "bag", RIG)
    np.testing.assert_allclose(read.envelope, part.envelope, rtol=1e-6)
    np.testing.assert_array_equal(read.imu, part.imu)


def test_write_bag_without_emg_writes_no_emg_topic(recording: Recording, tmp_path: Path) -> None:
    silent = replace(recording, emg=None, envelope=np.full_like(recording.envelope, np.nan))
    write_bag(silent, tmp_path / "bag")
    with pytest.raises(TopicMissing, match=r"has no imu_emg_estimator/msg/Emg messages; topics .* are none"):
        read_bag(tmp_path / "bag", RIG)


def test_write_bag_refuses_bad_arguments(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exists already; choose another name"):
        write_bag(recording, tmp_path)
    with pytest.raises(InputError, match=r"'zip' is not known; choose mcap or sqlite3"):
        write_bag(recording, tmp_path / "bag", "zip")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written"):
        write_bag(recording, tmp_path / "file" / "bag")
    assert not (tmp_path / "bag").exists()


def test_write_bag_reports_every_sample(make_recording: RecordingFactory, tmp_path: Path) -> None:
    recording = make_recording([("walking", 3.0)])
    calls: list[tuple[int, int]] = []
    write_bag(recording, tmp_path / "bag", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done + 1, len(recording)) for done in range(len(recording))]
