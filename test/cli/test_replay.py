"""`imu-emg replay`."""

import sys
from pathlib import Path

import pytest
from fixtures.command_line import refused, run


def test_replay_refuses_a_missing_bag(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for module in ("rclpy", "imu_emg_estimator.msg"):
        pytest.importorskip(module, reason=f"replay needs {module}; make setup")
    assert str(tmp_path / "none") in refused(capfd, "replay", tmp_path / "none")


def test_replay_without_ros_says_how_to_get_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    monkeypatch.delitem(sys.modules, "imu_emg_estimator.ros.bag_player", raising=False)
    assert "replay needs ROS 2; source scripts/env.sh" in refused(capfd, "replay", "walk")


def test_replay_help_lists_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run("replay", "--help")
    assert exit_.value.code == 0
    assert "--loop" in capsys.readouterr().out
