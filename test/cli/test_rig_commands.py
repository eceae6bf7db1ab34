"""`imu-emg rig`: written from what there is, checked against it, and shown."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import refused, run, strict_json
from fixtures.csv_tables import table, write_rows
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.guide.rig_questions import ask_for_parts
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.shipped_files import shipped_rigs


@pytest.mark.slow
def test_rig_new_from_bag_passes_its_own_check(bag: Path, tmp_path: Path) -> None:
    path, picture, report = tmp_path / "lab.yaml", tmp_path / "rig.png", tmp_path / "rig.json"
    assert run("rig", "new", path, "--bag", bag) == 0
    assert len(Rig.from_yaml(path).sensors) == 6
    run("rig", "check", path, "--bag", bag, "--picture", picture, "--json", report)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {own["verdict"] for own in strict_json(report)["sensors"]} == {"good"}


def test_rig_new_from_tables_in_words_of_the_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = table() | {"condition": np.full(2400, "curl")}
    write_rows(tmp_path / "data" / "anna" / "a.csv", columns, zip(*columns.values(), strict=True))
    path = tmp_path / "lab.yaml"
    assert run("rig", "new", path, "--data", tmp_path / "data", "--rate", "50", "--name", "ours") == 0
    rig = Rig.from_yaml(path)
    assert (rig.name, rig.rate, rig.movement_names) == ("ours", 50.0, ("curl",))
    assert "calibrated on and scored: curl" in capsys.readouterr().out
    run("rig", "check", path, "--data", tmp_path / "data")
    assert "| shank | shank_... | 50 Hz |" in capsys.readouterr().out


def test_rig_new_replaces_no_file_and_needs_a_source(
    bag: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.yaml"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "--bag" in refused(capfd, "rig", "new", path)
    path.touch()
    assert "exists already" in refused(capfd, "rig", "new", path, "--bag", bag)


def test_rig_check_tells_what_does_not_fit(
    make_recording: RecordingFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = make_recording([("walking", 8.0)])
    imu = recording.imu.copy()
    imu[:, 1, [0, 2]] *= -1  # upside down
    imu[:, 4, :3] /= 9.81
    write_bag(replace(recording, imu=imu), tmp_path / "bag")
    assert run("rig", "check", "hugadb", "--bag", tmp_path / "bag") == 1
    said = capsys.readouterr().out
    assert "as if in g" in said
    one = tmp_path / "one.yaml"
    one.write_text(
        "{name: one, rate: 58.8, sensors: [{name: right_foot, segment: foot}], muscles: [{name: a, muscle: a}]}"
    )
    assert run("rig", "check", one, "--bag", tmp_path / "bag") == 1
    assert "Imu topics of no sensor of the rig: /imu/left_foot" in capsys.readouterr().out


def test_rig_show_lists_shipped_rigs_and_shows_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rig", "show") == 0
    listed = capsys.readouterr().out
    for name in shipped_rigs():
        assert f"{name}: " in listed
        assert run("rig", "check", name) == 0
    assert run("rig", "show", "trigno_arm", "--picture", tmp_path / "a.png") == 0
    assert "calibrated on and scored: curl" in capsys.readouterr().out
    assert (tmp_path / "a.png").is_file()


def test_rig_show_of_a_bundle(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rig", "show", tiny) == 0
    assert "| right_foot | foot | right |" in capsys.readouterr().out


def test_rig_show_names_shipped_rigs_for_unknown_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert "myo_armband" in refused(capfd, "rig", "show", "myo")


def test_rig_questions_ask_until_the_answer_makes_sense() -> None:
    answers = ["right_wrist, left_wrist", "biceps, biceps", "biceps_right", "fast", "200", "n", "curl, reach"]
    sink = io.StringIO()
    parts = ask_for_parts(Console(source=io.StringIO("".join(f"{answer}\n" for answer in answers)), sink=sink))
    assert parts.rates == {"right_wrist": 200.0, "left_wrist": 200.0}
    assert (list(parts.muscles), parts.gyroscopes, parts.labels) == (["biceps_right"], False, ["curl", "reach"])
    assert "'fast' is not a rate" in sink.getvalue()
