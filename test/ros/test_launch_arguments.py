"""Arguments of the launch file that ROS would pass over."""

from pathlib import Path

import pytest

from imu_emg_estimator.ros.launch_arguments import check_arguments, existing_file, ros_options

FILE = "estimator.launch.py"
DECLARED = ("bundle", "params_file", "subject_id")


def test_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").touch()
    assert existing_file("params_file", "~/mine.yaml") == str(tmp_path / "mine.yaml")


def test_missing_file_is_named_with_nearest(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(ValueError, match=r"params_file: there is no file .*main.yaml; did you mean 'mine.yaml'\?"):
        existing_file("params_file", str(tmp_path / "main.yaml"))
    with pytest.raises(ValueError, match=r"there is no file /no/such/p\.yaml$"):
        existing_file("params_file", "/no/such/p.yaml")


@pytest.mark.parametrize("command", [["ros2", "launch", "imu_emg_estimator", FILE], ["ros2", "launch", f"/x/{FILE}"]])
def test_unknown_argument_is_named_with_nearest(command: list[str]) -> None:
    check_arguments([*command, "bundle:=b", "subject_id:=a:=b"], FILE, DECLARED)
    with pytest.raises(ValueError, match="no argument 'subjectid'; did you mean 'subject_id'"):
        check_arguments([*command, "subjectid:=anna"], FILE, DECLARED)


def test_ros_options_leave_out_what_is_empty() -> None:
    assert ros_options("", "") == []
    assert ros_options("debug", "/lab") == ["--log-level", "debug", "--enclave", "/lab"]


def test_arguments_of_including_launch_file_are_not_ours() -> None:
    check_arguments(["ros2", "launch", "lab", "robot.launch.py", "robot:=x"], FILE, DECLARED)
