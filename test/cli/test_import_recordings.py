"""`imu-emg import`."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import refused, run, strict_json
from fixtures.foreign_files import discover, emg_mv, myo_pair, semicolons

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.rig import Rig

RIG = """\
name: lab
rate: 100.0
sensors:
- {name: lower_leg, segment: shank, side: right}
muscles:
- {name: soleus_right, muscle: soleus, side: right}
"""


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.yaml"
    path.write_text(RIG)
    return path


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder with two Discover exports of Anna and one of Ben."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("anna_curl_1.csv", "anna_row_2.csv", "ben_curl_1.csv"):
        discover(folder / name, index_column=name.startswith("ben"))
    return folder


def test_import_writes_tables_that_load_with_subjects_and_conditions(
    exports: Path, rig_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, names = tmp_path / "out", "{subject}_{condition}_*"
    figures = tmp_path / "figures.json"
    assert run("import", exports, "--names", names, "--rig", rig_file, "--out", out, "--json", figures) == 0
    printed = capsys.readouterr().out
    line = (
        "anna/anna_curl_1: Trigno Discover 1.6.5, 4.0 s curl: 3 × g at 100 Hz, 3 × deg/s at 100 Hz, 1 × mV at 1000 Hz"
    )
    assert line in printed
    assert "column 1 only counts the rows" in printed
    assert "shank: ACC X   ->  lower_leg_acc_x [g]" in printed
    assert strict_json(figures)["muscles"] == ["soleus_right"]
    recordings = csv_folders.load(out, Rig.from_yaml(rig_file))
    assert [(item.name, item.condition[0]) for item in recordings] == [
        ("anna/anna_curl_1", "curl"),
        ("anna/anna_row_2", "row"),
        ("ben/ben_curl_1", "curl"),
    ]
    for recording in recordings:
        assert np.allclose(recording.imu[:, 0, 2], 9.80665)
        assert np.allclose(recording.imu[:, 0, 4], np.radians(2.0))
        assert recording.emg is not None
        assert recording.emg.unit == "mV"
        assert np.allclose(recording.emg.data[:, 0], emg_mv()[: len(recording.emg.data)], atol=1e-5)


def test_mapping_can_be_edited_and_given_back(exports: Path, tmp_path: Path) -> None:
    file = exports / "anna_curl_1.csv"
    common = (file, "--subject", "anna", "--format", "csv")
    assert run("import", *common, "--out", tmp_path / "first", "--dry-run") == 0
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["mapping.yaml"]
    mapping = tmp_path / "mapping.yaml"
    text = (tmp_path / "first" / "mapping.yaml").read_text()
    mapping.write_text(text.replace("emg_calf", "envelope_tibialis").replace("shank_", "knee_"))
    assert run("import", *common, "--out", tmp_path / "second", "--mapping", mapping) == 0
    header = (tmp_path / "second" / "anna" / "anna_curl_1.csv").read_text().splitlines()[0]
    assert header.startswith("time,knee_acc_x,knee_acc_y")
    assert header.endswith("envelope_tibialis [mV]")


def test_pair_of_files_is_one_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    myo_pair(tmp_path / "data" / "user1" / "fork")
    pattern = "{subject}/{condition}/*"
    assert run("import", tmp_path / "data", "--names", pattern, "--out", tmp_path / "out", "--format", "csv") == 0
    assert "joined by clock, 4.0 s in common" in capsys.readouterr().out
    (table,) = (tmp_path / "out").rglob("*.csv")
    assert table.relative_to(tmp_path / "out") == Path("user1/fork_1503512024740.csv")


def test_german_csv_in_utf_16_is_read(tmp_path: Path) -> None:
    path = semicolons(tmp_path / "messung.csv")
    assert run("import", path, "--subject", "a", "--out", tmp_path / "out", "--format", "csv") == 0
    rows = (tmp_path / "out" / "a" / "messung.csv").read_text().splitlines()
    assert rows[0] == "time,shank_acc_x,shank_acc_y,shank_acc_z,emg_soleus [mV]"
    assert rows[2] == "0.00100000,0.000980665,0,9.80665,0.00025"


def test_column_of_conditions_comes_into_tables_and_the_proposed_rig(tmp_path: Path) -> None:
    lines = [f"{row / 100},{'rest' if row < 200 else 'curl'},0,0,1,{row % 3}" for row in range(400)]
    header = "time [s],condition,wrist acc x [g],wrist acc y [g],wrist acc z [g],emg biceps [mV]"
    (tmp_path / "anna.csv").write_text("\n".join([header, *lines]) + "\n")
    out = tmp_path / "out"
    assert run("import", tmp_path / "anna.csv", "--subject", "anna", "--out", out) == 0
    assert run("rig", "new", tmp_path / "arm.yaml", "--data", out) == 0
    rig = Rig.from_yaml(tmp_path / "arm.yaml")
    assert rig.movement_names == ("curl",)
    (recording,) = csv_folders.load(out, rig)
    assert recording.condition[[0, 190, 210, -1]].tolist() == ["rest", "rest", "curl", "curl"]
    (table,) = (out / "anna").iterdir()
    assert run("rig", "check", tmp_path / "arm.yaml", "--data", table) in (0, 1)  # it lies too still for a verdict


def test_bag_begins_at_the_first_imu_sample_also_where_the_emg_began_earlier(tmp_path: Path) -> None:
    myo_pair(tmp_path / "myo", start_ms=1_503_512_024_740, emg_offset_ms=-500)
    rig = tmp_path / "arm.yaml"
    rig.write_text(
        "{name: arm, rate: 50, sensors: [{name: band, segment: forearm}], muscles: [{name: pod_3, muscle: pod_3}]}"
    )
    arguments = ("--subject", "anna", "--condition", "eating", "--rig", rig, "--format", "bag")
    assert run("import", tmp_path / "myo", *arguments, "--out", tmp_path / "bags") == 0
    (bag,) = (tmp_path / "bags" / "anna").iterdir()
    assert read_bag(bag, Rig.from_yaml(rig)).start == pytest.approx(1_503_512_024.740, abs=0.03)


def test_bad_files_are_named_and_nothing_is_written_unless_they_are_skipped(
    exports: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (exports / "anna_curl_9.csv").write_text("")
    common = ("import", exports, "--names", "{subject}_*", "--out", tmp_path / "out")
    error = refused(capfd, *common)
    assert "1 of 4 takes cannot be read, first:" in error
    assert "anna_curl_9.csv is empty" in error
    assert not (tmp_path / "out").exists()
    assert run(*common, "--skip-bad") == 0
    assert "left out: " in capfd.readouterr().out
    assert len(list((tmp_path / "out").glob("*/*.*"))) == 3


def test_faults_of_the_request_are_refused_in_one_line(
    exports: Path, rig_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, out = exports / "anna_curl_1.csv", tmp_path / "out"
    rig_file.write_text(RIG + "- {name: tibialis, muscle: tibialis_anterior}\n- {name: gluteus, muscle: gluteus}\n")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("channels:\n- {channel: nowhere, is: emg_soleus}\n")
    for arguments, fault in (
        ((file,), "no --out was given"),
        ((file, "--out", out), "whose recording"),
        ((tmp_path / "nowhere", "--out", out), "does not exist"),
        ((file, "--subject", "a", "--out", out, "--rig", rig_file), "has no EMG channel"),
        (
            (file, "--subject", "a", "--out", out, "--mapping", mapping),
            "names the channel 'nowhere', which no file has",
        ),
    ):
        assert fault in refused(capfd, "import", *arguments)
