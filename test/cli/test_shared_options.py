"""Arguments for ROS among those of a command."""

import pytest

from imu_emg_estimator.cli.shared_options import split_ros_arguments


@pytest.mark.parametrize(
    ("words", "own", "ros"),
    [
        ("replay walk", "replay walk", ""),
        ("replay walk --ros-args -r a:=b", "replay walk", "--ros-args -r a:=b"),
        ("replay --ros-args -r a:=b -- walk --loop", "replay walk --loop", "--ros-args -r a:=b --"),
        ("replay -- --ros-args x -- y --ros-args z", "replay -- y", "--ros-args x -- --ros-args z"),
    ],
)
def test_split_ros_arguments(words: str, own: str, ros: str) -> None:
    assert split_ros_arguments(words.split()) == (own.split(), ros.split())
