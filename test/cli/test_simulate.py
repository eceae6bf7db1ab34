"""`imu-emg simulate`."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import refused, run, strict_json

from imu_emg_estimator.bags import read_bag
from imu_emg_estimator.datasets.hugadb import RIG


def test_simulate_writes_a_bag_of_the_asked_duration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bag"
    assert run("simulate", "--out", out, "--seconds", 10, "--seed", 3, "--json", tmp_path / "a.json") == 0
    assert "SIMULATED" in capsys.readouterr().out
    written = strict_json(tmp_path / "a.json")
    assert (written["bag"], written["seed"], written["storage"]) == (str(out), 3, "mcap")
    assert written["duration_s"] == pytest.approx(10.0, abs=0.1)
    assert read_bag(out, RIG).duration == pytest.approx(10.0, abs=0.1)


def test_simulate_makes_a_subject_of_any_rigs_recordings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An arm with one sensor curls 12 times, in a table; the simulated arm does so, too."""
    time = np.arange(0.0, 36.0, 0.02)
    swing = np.sin(2 * np.pi * time / 3.0)
    rows = np.column_stack([time, 6 * swing, 0 * time, 9.81 + 0 * time, np.maximum(swing, 0.0) + 0.1])
    (tmp_path / "ours" / "ann").mkdir(parents=True)
    header = "time,wrist_acc_x,wrist_acc_y,wrist_acc_z,envelope_biceps [mV]"
    np.savetxt(tmp_path / "ours" / "ann" / "curl_1.csv", rows, "%.5f", ",", header=header, comments="")
    (tmp_path / "rig.yaml").write_text(
        "{name: arm, rate: 50, gyroscopes: false, movements: [curl], "
        "sensors: [{name: wrist, segment: wrist, side: centre}], "
        "muscles: [{name: biceps, muscle: biceps, side: centre}]}"
    )
    ours, kept = ("--from", tmp_path / "ours", "--rig", tmp_path / "rig.yaml"), tmp_path / "ours.npz"
    assert run("simulate", *ours, "--save-statistics", kept) == 0
    assert run("simulate", "--from", kept, "--activities", "curl:20", "--out", tmp_path / "bag", "--seconds", 20) == 0
    assert "1 subjects of" in capfd.readouterr().err
    assert "cannot be simulated; choose from curl" in refused(
        capfd, "simulate", "--from", kept, "--activities", "walking:20", "--out", tmp_path / "other"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no --out was given"),
        (("--out", "bag", "--live"), "not both"),
        (("--out", "bag", "--packet-loss", "0.1"), "--packet-loss is for --live"),
        (("--out", "bag", "--rig", "rig.yaml"), "name their folder with --from"),
        (("--out", "bag", "--activities", "flying:3"), "3 s of 'flying' cannot be simulated; choose from standing"),
        (("--out", "bag", "--from", "nowhere"), "data folder nowhere does not exist"),
    ],
)
def test_simulate_says_what_is_wrong(
    words: tuple[str, ...],
    said: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(capfd, "simulate", *words)


@pytest.mark.parametrize("activities", ["walking", "walking:0", "walking:x", ":"])
def test_simulate_refuses_activities_without_seconds(activities: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("simulate", "--live", "--activities", activities)
    assert "is not a list such as walking:60,stairs:30" in capfd.readouterr().err


@pytest.mark.ros
@pytest.mark.parametrize("wrong", [("--packet-loss", "2"), ("--clock-drift", "1"), ("--rate-factor", "2")])
def test_simulate_live_refuses_impossible_knobs(wrong: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    assert "--" in refused(capfd, "simulate", "--live", *wrong)
