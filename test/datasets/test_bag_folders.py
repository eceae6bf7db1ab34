"""A folder of a lab's bags: subjects by folder, and a bag that cannot be read is named."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.datasets import bag_folders as bags
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.rig import Sensor


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    path = tmp_path_factory.mktemp("lab")
    for place, seed, start, storage in (
        ("anna/again", 1, 500.0, "mcap"),
        ("anna/walking_1", 2, 100.0, "mcap"),
        ("bert/stairs_up", 3, 0.0, "sqlite3"),
    ):
        (path / place).parent.mkdir(exist_ok=True)
        write_bag(replace(make_recording([("walking", 6.0)], seed=seed), start=start), path / place, storage)
    (path / "anna" / "notes.txt").touch()
    return path


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """anna with two bags, the later one first by name, and bert with one."""
    return Path(shutil.copytree(written, tmp_path / "lab"))


@pytest.mark.parametrize("workers", [1, 2])
def test_load_labels_recordings_with_subject(folder: Path, workers: int, make_recording: RecordingFactory) -> None:
    assert bags.subjects(folder) == ["anna", "bert"]
    recordings = bags.load(folder, RIG, workers=workers)
    assert [recording.name for recording in recordings] == ["anna/walking_1", "anna/again", "bert/stairs_up"]
    assert [recording.subject for recording in recordings] == ["anna", "anna", "bert"]
    assert [set(recording.condition) for recording in recordings] == [{"walking"}, {"unlabelled"}, {"stairs_up"}]
    written = make_recording([("walking", 6.0)], seed=2)
    np.testing.assert_allclose(recordings[0].imu, written.imu[: len(recordings[0])], atol=1e-6)
    assert recordings[0].envelope_unit == "count"


def test_load_only_some_subjects(folder: Path) -> None:
    assert [recording.subject for recording in bags.load(folder, RIG, ["bert"])] == ["bert"]
    with refusal("no subject carl; it has anna, bert"):
        bags.load(folder, RIG, ["carl"])


def test_load_accepts_single_files(folder: Path) -> None:
    (storage,) = (folder / "anna" / "again").glob("*.mcap")
    storage.rename(folder / "bert" / "walking.mcap")
    (folder / "anna" / "again" / "metadata.yaml").unlink()
    (folder / "anna" / "again").rmdir()
    names = [recording.name for recording in bags.load(folder, RIG)]
    assert names == ["anna/walking_1", "bert/stairs_up", "bert/walking"]


def test_load_weighs_electrodes_by_subject(folder: Path, make_recording: RecordingFactory) -> None:
    """A muscle that one bag lacks is not known there, and trusted for the other."""
    recording = make_recording([("walking", 6.0)], seed=5)
    raw = recording.emg
    assert raw is not None
    write_bag(replace(recording, emg=replace(raw, data=raw.data * [1.0, 0.0])), folder / "bert" / "walking")
    first, second = bags.load(folder, RIG, ["bert"])
    assert first.muscle_weight.tolist() == second.muscle_weight.tolist() == [1, 1]
    assert np.isnan(second.envelope).all(axis=0).tolist() == [False, True]
    assert np.isfinite(first.envelope).any(axis=0).all()


# bad input


def test_load_refuses_bad_folders(tmp_path: Path, folder: Path) -> None:
    with refusal(tmp_path / "none", "does not exist", "SUBJECT/BAG"):
        bags.load(tmp_path / "none", RIG)
    with refusal(folder / "anna" / "again", "is itself a bag"):
        bags.load(folder / "anna" / "again", RIG)
    with refusal(f"bag {folder / 'anna' / 'again'} lies in no subject's folder"):
        bags.subjects(folder / "anna")
    (tmp_path / "empty").mkdir()
    with refusal(tmp_path / "empty", "holds no SUBJECT/BAG"):
        bags.load(tmp_path / "empty", RIG)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_load_names_unreadable_bag(folder: Path, workers: int) -> None:
    bad = folder / "bert" / "broken"
    bad.mkdir()
    with refusal(bad, "is not a rosbag2"):
        bags.load(folder, RIG, workers=workers)
    assert [recording.subject for recording in bags.load(folder, RIG, ["anna"])] == ["anna", "anna"]
    (bad / "broken.mcap").write_bytes(bytes(100))
    with refusal(bad, "cannot be read"):
        bags.load(folder, RIG, workers=workers)


def test_load_refuses_missing_sensor(folder: Path) -> None:
    with refusal(folder / "anna" / "again", "no Imu messages for sensor 'head'", "/imu/head"):
        bags.load(folder, replace(RIG, sensors=(*RIG.sensors, Sensor("head", "head"))))


def test_load_refuses_different_units(folder: Path, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 6.0)])
    write_bag(replace(recording, emg=None, envelope_unit="mV"), folder / "bert" / "later")
    with refusal("bert/", "is in 'mV'", "'count'"):
        bags.load(folder, RIG)


def test_load_refuses_raw_emg_in_one_bag_and_envelopes_in_another(
    folder: Path, make_recording: RecordingFactory
) -> None:
    write_bag(replace(make_recording([("walking", 6.0)]), emg=None), folder / "bert" / "later")
    with refusal("envelope in bert/later", "raw in anna/"):
        bags.load(folder, RIG)
