"""`imu-emg doctor` without topics; with them: test/ros/test_live_topic_checks.py."""

from pathlib import Path

import pytest
from fixtures.command_line import run, strict_json

from imu_emg_estimator.guide import ros_environment
from imu_emg_estimator.guide.finding import Finding, Level

OFFLINE = ("doctor", "--seconds", "0")


@pytest.fixture
def of_ros(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Findings on the ROS environment, in place of this computer's."""
    found = [Finding("ROS 2", Level.WARNING, "not sourced")]
    monkeypatch.setattr(ros_environment, "environment_findings", lambda environment: found)
    return found


def test_doctor_prints_and_writes_what_it_found(
    of_ros: list[Finding], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*OFFLINE, "--json", tmp_path / "found.json") == 0
    written, said = strict_json(tmp_path / "found.json"), capsys.readouterr().out.splitlines()
    assert {"about": "ROS 2", "level": "warning", "text": "not sourced"} in written["findings"]
    assert len(said) == len(written["findings"]) + 1
    assert said[-1].startswith("this computer can estimate; problems: 0, warnings: ")


def test_doctor_fails_where_there_is_a_problem(
    of_ros: list[Finding], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_ros.append(Finding("messages", Level.PROBLEM, "not built"))
    assert run(*OFFLINE, "--json", tmp_path / "found.json") == 1
    assert strict_json(tmp_path / "found.json")["worst"] == "problem"
    assert "cannot estimate; problems: 1" in capsys.readouterr().out


def test_doctor_goes_on_without_a_bundle(
    of_ros: list[Finding], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("doctor", "--bundle", tmp_path / "none.safetensors") == 1
    said = capsys.readouterr().out
    assert "problem  bundle" in said
    assert "numpy" in said
    assert "ROS 2" in said
