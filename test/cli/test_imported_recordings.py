"""What `imu-emg import` writes is what `train`, `evaluate` and `calibrate` take."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import run, strict_json
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.datasets.catalogue import list_subjects, load_dataset
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording

RIG_FILE = Path(__file__).parents[2] / "config" / "rigs" / "hugadb.yaml"
SUBJECTS = ("anna", "ben", "eva")
SI = np.repeat([9.80665, np.pi / 180], 3)


def write_export(path: Path, recording: Recording) -> None:
    """Write a recording as a lab's CSV: tabs, decimal commas, ms, g, deg/s, names of its own."""
    assert recording.emg is not None
    sensors = [name.replace("_", " ").title() for name in recording.rig.sensor_names]
    names = ["Time (ms)"]
    names += [f"{s} {k} {a} ({u})" for s in sensors for k, u in (("Acc", "g"), ("Gyro", "deg/s")) for a in "XYZ"]
    names += ["EMG VL R (mV)", "EMG VL L (mV)"]
    muscles = [recording.rig.muscle_names.index(f"vastus_lateralis_{side}") for side in ("right", "left")]
    times = recording.time[:, None] * 1000
    rows = np.hstack([times, (recording.imu / SI).reshape(len(times), -1), recording.emg.data[:, muscles]])
    lines = ["\t".join(f"{value:.9g}" for value in row).replace(".", ",") for row in rows]
    path.write_text("\n".join(["\t".join(names), *lines]) + "\n", encoding="utf-16")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    for seed, subject in enumerate(SUBJECTS):
        recording = make_recording([("walking", 24.0)], seed=seed)
        write_export(folder / f"{subject}_walking_1.txt", recording)
    return folder


@pytest.fixture(scope="module")
def tables(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tables")
    assert run("import", exports, "--names", "{subject}_{condition}_*", "--rig", RIG_FILE, "--out", out) == 0
    return out


def test_imported_recording_is_the_recording_that_was_exported(tables: Path, make_recording: RecordingFactory) -> None:
    loaded = csv_folders.load(tables, RIG)[1]
    original = make_recording([("walking", 24.0)], seed=1)
    assert (loaded.subject, loaded.condition[0]) == ("ben", "walking")
    assert np.allclose(loaded.imu, original.imu[: len(loaded)], atol=1e-3)
    assert loaded.emg is not None
    assert original.emg is not None
    assert np.allclose(loaded.emg.data, original.emg.data[: len(loaded.emg.data)], atol=0.05)


@pytest.mark.slow
def test_evaluate_takes_imported_tables(tables: Path, tiny: Path, tmp_path: Path) -> None:
    figures = tmp_path / "scores.json"
    arguments = ("--dataset", "csv", "--data", tables, "--rig", RIG_FILE, "--workers", 1, "--json", figures)
    assert run("evaluate", "--bundle", tiny, *arguments, "--calibration-seconds", "0") == 0
    assert set(strict_json(figures)["subjects"]) == set(SUBJECTS)


@pytest.fixture
def folder(exports: Path, tmp_path: Path) -> Path:
    """The exports as SUBJECT/FILE."""
    for file in exports.iterdir():
        subject, _, name = file.name.partition("_")
        (tmp_path / "folder" / subject).mkdir(parents=True)
        (tmp_path / "folder" / subject / name).write_bytes(file.read_bytes())
    return tmp_path / "folder"


def test_files_are_a_data_set_by_themselves(folder: Path, tables: Path) -> None:
    direct, imported = load_dataset("files", folder, ["ben"], RIG_FILE), csv_folders.load(tables, RIG, ["ben"])
    assert np.allclose(direct[0].imu, imported[0].imu)
    assert direct[0].condition[0] == "walking"
    assert list_subjects("files", folder, RIG_FILE) == list(SUBJECTS)


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "data"), [("csv", "tables"), ("files", "folder")])
def test_train_takes_imported_tables_and_files_as_they_are(
    request: pytest.FixtureRequest, dataset: str, data: str, tmp_path: Path, small_recipe: None
) -> None:
    out = tmp_path / "own.safetensors"
    arguments = ("--dataset", dataset, "--data", request.getfixturevalue(data), "--rig", RIG_FILE)
    assert run("train", *arguments, "--steps", 2, "--interval-folds", 0, "--out", out) == 0
    assert Bundle.load(out).training["subjects"] == list(SUBJECTS)


@pytest.mark.slow
def test_calibrate_takes_a_file_as_it_is(exports: Path, tiny: Path, tmp_path: Path) -> None:
    figures = tmp_path / "report.json"
    arguments = ("--bundle", tiny, "--out", tmp_path / "new.safetensors", "--json", figures)
    assert run("calibrate", "--bag", exports / "eva_walking_1.txt", *arguments) in (0, 1)
    assert strict_json(figures)["bags"][0]["emg"]["unit"] == "mV"


@pytest.mark.slow
def test_calibrate_takes_imported_bags(exports: Path, tiny: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "bags", tmp_path / "report.json"
    arguments = ("--rig", RIG_FILE, "--out", out, "--format", "bag", "--condition", "walking")
    assert run("import", exports / "eva_walking_1.txt", "--subject", "eva", *arguments) == 0
    bag = out / "eva" / "walking_eva_walking_1"
    assert read_bag(bag, RIG).duration == pytest.approx(24.0, abs=0.1)
    status = run("calibrate", "--bundle", tiny, "--bag", bag, "--out", tmp_path / "new.safetensors", "--json", figures)
    assert status in (0, 1)
    assert strict_json(figures)["bags"][0]["emg"]["unit"] == "mV"
