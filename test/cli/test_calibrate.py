"""`imu-emg calibrate` on one bag."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import refused, run, strict_json
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle


@pytest.mark.slow
def test_calibrate_writes_an_improved_bundle_and_its_report(
    bag: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, path = tmp_path / "anna.safetensors", tmp_path / "a.json"
    arguments = ["--bundle", tiny, "--bag", bag, "--out", out, "--json", path]
    assert run("calibrate", *arguments, "--subject", "anna") == 0
    report = strict_json(path)
    assert report["success"] is True
    assert np.mean(report["r_after"]) > np.mean(report["r_before"]) + 0.03
    calibrated = Bundle.load(out)
    assert calibrated.calibration_id == report["calibration"]["id"]
    assert calibrated.parent_id == Bundle.load(tiny).model_id
    said = capsys.readouterr().out
    assert f"{report['message']}; it took {report['took']['wall_s']:.1f} s" in said
    assert "sensors and muscles: " in said
    assert all(f"{name}  " in said for name, verdict in report["quality"]["verdicts"].items() if verdict != "good")


@pytest.mark.slow
def test_calibrate_ends_with_status_1_without_improvement(
    tiny: Path, tmp_path: Path, make_recording: RecordingFactory
) -> None:
    recording = make_recording([("walking", 40.0)], seed=21)
    noise = np.abs(np.random.default_rng(0).standard_normal(recording.envelope.shape))
    write_bag(replace(recording, envelope=noise, envelope_unit="mV", emg=None), tmp_path / "bag")
    out, path = tmp_path / "a.safetensors", tmp_path / "a.json"
    assert run("calibrate", "--bundle", tiny, "--bag", tmp_path / "bag", "--out", out, "--json", path) == 1
    assert not out.exists()
    report = strict_json(path)
    assert (report["success"], report["calibration"]) == (False, None)
    assert report["muscle_names"] == []  # EMG that does not go with the movement is not judged
    assert "not locked to the movement" in report["message"]
    assert "old model was kept" in report["message"]


@pytest.mark.slow
def test_calibrate_rotates_turned_sensors_back(
    tiny: Path, tmp_path: Path, make_recording: RecordingFactory, bag: Path
) -> None:
    """IMUs worn upside down, and said so, calibrate like those worn right."""
    recording = make_recording([("walking", 40.0)], seed=20, emg_delay=0.06)
    half_turn = np.array([1, -1, -1] * 2)  # about x
    write_bag(replace(recording, imu=recording.imu * half_turn), tmp_path / "bag")
    reports = []
    for path, rotations in ((bag, "0,0,0,1"), (tmp_path / "bag", "1,0,0,0")):
        arguments = ["--sensor-rotations", rotations, "--json", tmp_path / "a.json", "--out", tmp_path / "b"]
        assert run("calibrate", "--bundle", tiny, "--bag", path, *arguments) == 0
        reports.append(strict_json(tmp_path / "a.json"))
    np.testing.assert_allclose(reports[0]["r_before"], reports[1]["r_before"], atol=1e-3)


def test_calibrate_refuses_unusable_bags(
    tiny: Path, tmp_path: Path, make_recording: RecordingFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    """Missing, no bag, without EMG, without one IMU, too short: said on standard error and in the JSON."""
    recording = make_recording([("walking", 20.0)])
    write_bag(replace(recording, emg=None, envelope=np.full_like(recording.envelope, np.nan)), tmp_path / "no_emg")
    five = replace(RIG, sensors=RIG.sensors[:5])
    write_bag(replace(recording, rig=five, imu=recording.imu[:, :5]), tmp_path / "five")
    write_bag(recording.slice(0, 300), tmp_path / "short")
    (tmp_path / "text.mcap").write_text("no bag")
    for name, part in (
        ("none", "none"),
        ("text.mcap", "text.mcap"),
        ("no_emg", "Emg"),
        ("five", "left_thigh"),
        ("short", "5.1 s"),
    ):
        path = tmp_path / f"{name}.json"
        arguments = ["--bag", tmp_path / name, "--out", tmp_path / "out", "--json", path]
        message = refused(capfd, "calibrate", "--bundle", tiny, *arguments)
        assert part in message
        failure = strict_json(path)
        assert failure["success"] is False
        assert failure["message"] in message
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--subject", "../anna", "../anna"),
        ("--method", "magic", "'magic'"),
        ("--sensor-rotations", "1,2,3", "3 numbers"),
        ("--sensor-rotations", "0,0,0,2", "length"),
        ("--imu-topics", "/a,/b", "2"),
        ("--emg-topic", "/other", "/other"),
    ],
)
def test_calibrate_refuses_bad_options(
    option: str, value: str, part: str, bag: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert part in refused(capfd, "calibrate", "--bundle", tiny, "--bag", bag, "--out", out, option, value)


@pytest.mark.slow
def test_calibrate_dry_run_reports_and_keeps_nothing(
    bag: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert run("calibrate", "--bundle", tiny, "--bag", bag, "--dry-run", "--store", store) == 0
    assert "dry run: nothing was stored" in capfd.readouterr().out
    assert not store.exists() or not list(store.rglob("*.safetensors"))
    assert "remove --dry-run" in refused(capfd, "calibrate", "--guide", "--dry-run", "--bundle", tiny)
    report = ["--report", tmp_path / "a.html"]
    assert "remove --report" in refused(capfd, "calibrate", "--guide", *report, "--bundle", tiny)
