"""Data sets by name: the right loader with the right rig, on the command line, too."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import read_bag, write_bag
from imu_emg_estimator.cli.main import main
from imu_emg_estimator.datasets.catalogue import DATASETS, list_subjects, load_dataset
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig

ROOT = Path(__file__).parents[2]
HUGADB = ROOT / "config" / "rigs" / "hugadb.yaml"


def write_csv(recording: Recording, path: Path) -> None:
    columns = ["time"]
    columns += [f"{name}_{kind}_{axis}" for name in RIG.sensor_names for kind in ("acc", "gyro") for axis in "xyz"]
    columns += [f"envelope_{name} [mV]" for name in RIG.muscle_names]
    values = np.hstack([recording.time[:, None], recording.imu.reshape(len(recording), -1), recording.envelope])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, values, delimiter=",", header=",".join(columns), comments="")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, make_recording: RecordingFactory) -> Path:
    """One folder for every form of a lab's own data, of anna and bert."""
    folder = tmp_path_factory.mktemp("lab")
    for seed, subject in enumerate(("anna", "bert")):
        recording = make_recording([("walking", 30.0)], seed=seed)
        write_csv(recording, folder / "csv" / subject / "walking.csv")
        (folder / "bags" / subject).mkdir(parents=True)
        write_bag(recording, folder / "bags" / subject / "walking")
    return folder


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command ends with on bad input."""
    capfd.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    lines = capfd.readouterr().err.splitlines()
    return [line for line in lines if not re.match(r"reading ", line)][-1]


@pytest.mark.parametrize("name", ["csv", "bags"])
def test_load_dataset_reads_own_data_with_rig(lab: Path, name: str) -> None:
    recordings = load_dataset(name, lab / name, rig_file=HUGADB)
    assert [recording.name for recording in recordings] == ["anna/walking", "bert/walking"]
    assert all(recording.rig == Rig.from_yaml(HUGADB) for recording in recordings)
    assert list_subjects(name, lab / name, HUGADB) == ["anna", "bert"]
    assert [recording.subject for recording in load_dataset(name, lab / name, ["bert"], HUGADB, 2)] == ["bert"]


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_name_missing_recordings(name: str, tmp_path: Path) -> None:
    rig = HUGADB if name in ("csv", "bags", "files") else None
    for load in (load_dataset, list_subjects):
        with refusal(tmp_path, "holds no"):
            load(name, tmp_path, rig_file=rig)


def test_catalogue_refuses_missing_or_surplus_rig(tmp_path: Path) -> None:
    for name in ("csv", "bags", "files"):
        with refusal(name, "--rig FILE"):
            load_dataset(name, tmp_path)
    for name in ("hugadb", "camargo"):
        with refusal(name, "rig of its own", HUGADB):
            load_dataset(name, tmp_path, rig_file=HUGADB)
    with refusal("rig file", tmp_path / "none.yaml", "cannot be read"):
        load_dataset("csv", tmp_path, rig_file=tmp_path / "none.yaml")
    with refusal("'imagenet' is not known", "hugadb, camargo, csv, bags"):
        load_dataset("imagenet", tmp_path)


def test_catalogue_imports_nothing_heavy() -> None:
    code = (
        "import sys, imu_emg_estimator.datasets.catalogue; print(*({'numpy', 'torch', 'rosbags'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# the command line


@pytest.mark.parametrize("name", ["csv", "bags"])
@pytest.mark.slow
def test_commands_accept_own_data(
    lab: Path, tmp_path: Path, name: str, trained_bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    trained_bundle.save(tmp_path / "tiny.safetensors")
    data = ["--dataset", name, "--data", str(lab / name), "--rig", str(HUGADB)]
    assert main(["bag", *data, "--subjects", "bert", "--out", str(tmp_path / "out")]) == 0
    assert read_bag(tmp_path / "out", RIG).duration == pytest.approx(30.0, abs=0.1)
    assert main(["evaluate", *data, "--bundle", str(tmp_path / "tiny.safetensors"), "--workers", "1"]) == 0
    assert "| 0 | walking | 2 |" in capfd.readouterr().out


def test_commands_name_rig_problem(lab: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["bag", "--list"], ["evaluate"], ["train", "--out", lab / "bundle"]):
        message = refused(capfd, *command, "--dataset", "csv", "--data", lab / "csv")
        assert message.startswith(f"imu-emg {command[0]}: data set csv needs a rig")
    assert "rig of its own" in refused(capfd, "bag", "--list", "--data", lab, "--rig", HUGADB)


def test_evaluate_refuses_bundle_of_another_rig(
    lab: Path, tmp_path: Path, trained_bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    trained_bundle.save(tmp_path / "tiny.safetensors")
    other = tmp_path / "other.yaml"
    for change, part in (
        ({"rate": 100.0}, "58.8, the data for rig 'hugadb' with 100.0"),
        ({"sensors": RIG.sensors[:5]}, "sensor_names"),
    ):
        other.write_text(yaml.safe_dump(replace(RIG, **change).to_dict()))
        arguments = ["--dataset", "csv", "--data", lab / "csv", "--rig", other]
        assert part in refused(capfd, "evaluate", "--bundle", tmp_path / "tiny.safetensors", *arguments)
