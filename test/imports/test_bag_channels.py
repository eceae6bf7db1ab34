"""Bags as one more form."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.bag_forms import FORMS, Entry, Signal, array_entries, imu_entries, in_order, joint_entries, write_form
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import propose_mapping
from imu_emg_estimator.imports.guarded_reading import read_guarded


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bag_gives_the_samples_of_its_imu_and_emg_topics(
    tmp_path: Path, make_recording: RecordingFactory, storage: str
) -> None:
    recording = make_recording([("walking", 6.0)])
    write_bag(recording, tmp_path / "bag", storage)
    take = read_guarded(tmp_path / "bag")
    assert (take.form, take.absolute, take.notes) == ("bag", True, ())
    mapping = propose_mapping([take])
    assert sorted(mapping.sensors) == sorted(recording.rig.sensor_names)
    assert mapping.muscles == recording.rig.muscle_names
    found = {channel.name: channel for channel in take.channels}
    for index, sensor in enumerate(recording.rig.sensor_names):
        assert np.allclose(found[f"{sensor}: acc y"].values, recording.imu[:, index, 1])
        assert found[f"{sensor}: gyro z"].unit == "rad/s"
        assert np.allclose(found[f"{sensor}: acc y"].times, recording.time, atol=1e-6)
    assert recording.emg is not None
    for column, muscle in enumerate(recording.rig.muscle_names):
        channel = found[f"emg_{muscle}"]
        assert channel.unit == "count"
        assert np.allclose(channel.values, recording.emg.data[:, column], atol=1e-4)
        assert np.allclose(channel.times, recording.time, atol=1e-3)


def test_truncated_bag_is_refused_in_a_sentence(tmp_path: Path, make_recording: RecordingFactory) -> None:
    write_bag(make_recording([("walking", 4.0)]), tmp_path / "bag", "sqlite3")
    (file,) = (tmp_path / "bag").glob("*.db3")
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(InputError, match="bag"):
        read_guarded(tmp_path / "bag")


def test_sensors_whose_topics_end_alike_keep_their_sides(tmp_path: Path, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 4.0)])
    sensors = tuple(replace(own, name=f"{own.side}/{own.segment}") for own in recording.rig.sensors)
    write_bag(replace(recording, rig=replace(recording.rig, sensors=sensors)), tmp_path / "bag")
    mapping = propose_mapping([read_guarded(tmp_path / "bag")])
    assert sorted(mapping.sensors) == sorted(f"{own.side}_{own.segment}" for own in recording.rig.sensors)


@pytest.mark.parametrize(
    ("topic", "entries"),
    [("/emg/joints", joint_entries), ("/emg/raw", lambda signal: array_entries(signal, 32, named=False))],
)
def test_emg_may_be_joint_states_or_arrays(
    tmp_path: Path, make_recording: RecordingFactory, topic: str, entries: Callable[[Signal], list[Entry]]
) -> None:
    recording = make_recording([("walking", 4.0)])
    signal = Signal(np.random.default_rng(0).normal(size=(800, 2)), 200.0, ("a", "b"), False)
    path = write_form(tmp_path / "bag", in_order(imu_entries(recording), entries(signal)), FORMS["mcap"])
    channels = [channel for channel in read_guarded(path).channels if channel.name.startswith("emg_")]
    assert [channel.name for channel in channels] == (
        ["emg_a", "emg_b"] if topic == "/emg/joints" else ["emg_1", "emg_2"]
    )
    assert np.allclose(channels[1].values, signal.data[:, 1], atol=1e-6)
    assert np.allclose(np.diff(channels[0].times), 1 / 200, atol=1e-4)
