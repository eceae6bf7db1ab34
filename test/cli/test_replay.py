"""`imu-emg replay`."""

import sys
from pathlib import Path

import pytest
from fixtures.command_line import refused, run
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag


def test_replay_refuses_a_missing_bag(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for module in ("rclpy", "imu_emg_estimator.msg"):
        pytest.importorskip(module, reason=f"replay needs {module}; make setup")
    assert str(tmp_path / "none") in refused(capfd, "replay", tmp_path / "none")


@pytest.mark.ros
@pytest.mark.parametrize("wrong", [["--no-such"], ["-r", "imu"], ["--params-file", "/no/such.yaml"]])
def test_replay_refuses_wrong_ros_arguments(
    wrong: list[str], make_recording: RecordingFactory, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rclpy", reason="replay needs rclpy; make setup")
    write_bag(make_recording([("walking", 4.0)]), tmp_path / "bag")
    assert run("replay", tmp_path / "bag", "--ros-args", *wrong) == 2
    error = capfd.readouterr().err
    assert "imu-emg replay: the ROS arguments cannot be used: " in error
    assert wrong[-1] in error
    assert "Traceback" not in error


def test_replay_without_ros_says_how_to_get_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    monkeypatch.delitem(sys.modules, "imu_emg_estimator.ros.bag_player", raising=False)
    assert "replay needs ROS 2; source scripts/env.sh" in refused(capfd, "replay", "walk")


def test_replay_says_why_a_ros_that_is_there_cannot_be_imported(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rclpy.py").write_text("raise ImportError('libtinyxml2.so: cannot open shared object file\\nand more')")
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if name.startswith(("rclpy", "imu_emg_estimator.ros"))]:
        monkeypatch.delitem(sys.modules, module)
    said = refused(capfd, "replay", "walk")
    assert "(rclpy is there, but: libtinyxml2.so: cannot open shared object file)" in said


def test_replay_help_lists_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run("replay", "--help")
    assert exit_.value.code == 0
    assert "--loop" in capsys.readouterr().out
