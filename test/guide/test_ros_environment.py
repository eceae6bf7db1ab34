"""What `imu-emg doctor` says of the ROS environment; it needs no ROS."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from imu_emg_estimator.guide import ros_environment
from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.guide.ros_environment import environment_findings

SOURCED = {"ROS_DISTRO": "jazzy"}


def found_in(environment: Mapping[str, str]) -> dict[str, Finding]:
    return {finding.about: finding for finding in environment_findings(environment)}


@pytest.fixture(autouse=True)
def absent(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Modules that this Python does not find; all others it does."""
    absent: set[str] = set()
    monkeypatch.setattr(ros_environment, "find_spec", lambda name: None if name in absent else object())
    return absent


def test_environment_that_is_sourced_is_all_right() -> None:
    assert {finding.level for finding in found_in(SOURCED).values()} == {Level.OK}


def test_environment_without_ros_warns(absent: set[str]) -> None:
    absent.add("rclpy")
    (only,) = environment_findings({})
    assert only.level is Level.WARNING
    assert "source /opt/ros/" in only.text


def test_environment_of_another_python_is_a_problem(absent: set[str]) -> None:
    absent.add("rclpy")
    (only,) = environment_findings(SOURCED)
    assert only.level is Level.PROBLEM
    assert "has no rclpy" in only.text


def test_messages_that_are_not_built_are_a_problem(absent: set[str]) -> None:
    absent.add("imu_emg_estimator.msg")
    assert found_in(SOURCED)["messages"].level is Level.PROBLEM


def test_middleware_must_be_installed(tmp_path: Path) -> None:
    chosen = SOURCED | {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "AMENT_PREFIX_PATH": str(tmp_path)}
    missing = found_in(chosen)["middleware"]
    assert missing.level is Level.PROBLEM
    assert "sudo apt install ros-jazzy-rmw-cyclonedds-cpp" in missing.text
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "rmw_cyclonedds_cpp").touch()
    assert found_in(chosen)["middleware"] == Finding("middleware", Level.OK, "rmw_cyclonedds_cpp")


@pytest.mark.parametrize(
    ("domain", "level"),
    [("", Level.OK), ("101", Level.OK), ("102", Level.WARNING), ("232", Level.OK), ("233", Level.PROBLEM),
     ("-1", Level.PROBLEM), ("lab", Level.PROBLEM)],
)  # fmt: skip
def test_domain_must_be_one_that_ros_has_ports_for(domain: str, level: Level) -> None:
    assert found_in(SOURCED | {"ROS_DOMAIN_ID": domain})["domain"].level is level


@pytest.mark.parametrize(
    ("variables", "level", "part"),
    [
        ({}, Level.OK, "the local network"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, Level.OK, "this computer alone"),
        ({"ROS_LOCALHOST_ONLY": "1"}, Level.OK, "unset ROS_LOCALHOST_ONLY"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, Level.WARNING, "is OFF; to find nodes"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF", "ROS_DISTRO": "humble"}, Level.OK, "the local network"),
    ],
)
def test_discovery_says_how_far_it_reaches(variables: dict[str, str], level: Level, part: str) -> None:
    discovery = found_in(SOURCED | variables)["discovery"]
    assert discovery.level is level
    assert part in discovery.text
