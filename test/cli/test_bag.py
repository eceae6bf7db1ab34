"""`imu-emg bag`."""

from pathlib import Path

import pytest
import yaml
from fixtures.command_line import refused, run, strict_json
from fixtures.csv_tables import RIG as LAB
from fixtures.csv_tables import table, write_rows

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets.hugadb import RIG


@pytest.mark.parametrize("storage", ["mcap", pytest.param("sqlite3", marks=pytest.mark.slow)])
def test_bag_writes_a_subjects_recording(
    data: Path, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    assert run("bag", "--data", data, "--subjects", 9, "--list", "--json", path) == 0
    assert "HuGaDB_v1_various_09_00" in capsys.readouterr().out
    (listed,) = strict_json(path)["recordings"]
    assert (listed["name"], listed["subject"]) == ("HuGaDB_v1_various_09_00", "9")
    assert listed["duration_s"] == pytest.approx(35.0, abs=0.1)
    assert listed["locomotion"] == pytest.approx(32 / 35, abs=0.01)
    out = tmp_path / "bag"
    assert run("bag", "--data", data, "--subjects", 9, "--out", out, "--storage", storage) == 0
    assert read_bag(out, RIG).duration == pytest.approx(35.0, abs=0.1)
    assert "sensors: all 6 are good" in capsys.readouterr().out


def test_bag_refuses_an_unknown_recording(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no recording 'nap'" in refused(capfd, "bag", "--data", data, "--recording", "nap", "--out", tmp_path / "a")


def test_bag_refuses_to_write_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    assert "no --out" in refused(capfd, "bag", "--data", "x")


def test_bag_finds_a_recording_of_tables_by_its_own_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    columns = table()
    for subject in ("anna", "ben"):
        write_rows(tmp_path / "data" / subject / "walk.csv", columns, zip(*columns.values(), strict=True))
    rig = tmp_path / "rig.yaml"
    rig.write_text(yaml.safe_dump(LAB.to_dict()))
    own = ("bag", "--dataset", "csv", "--data", tmp_path / "data", "--rig", rig, "--recording", "walk")
    assert run(*own, "--subjects", "ben", "--out", tmp_path / "bag") == 0
    assert "ben/walk" in capfd.readouterr().out
    assert "anna/walk, ben/walk" in refused(capfd, *own, "--out", tmp_path / "other")
