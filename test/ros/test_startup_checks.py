"""What ROS passes over in silence at the start is said, with the name that was meant."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.node_process import NODE, Onlooker, output, process

from imu_emg_estimator.ros.startup_checks import remapped_parameters, section_fits, unread_files


@pytest.fixture
def said(look: Callable[..., Onlooker], bundle_path: Path) -> Callable[..., str]:
    """Function that starts the node with arguments; returns what it says until it publishes."""

    def start(*arguments: str) -> str:
        onlooker = look()
        with process([*NODE, "-p", f"bundle:={bundle_path}", *arguments]) as node:
            onlooker.wait(lambda: onlooker.messages, node)
            node.send_signal(signal.SIGINT)
            return output(node)

    return start


def test_unknown_parameter_is_named_with_nearest(said: Callable[..., str]) -> None:
    text = said("-p", "stale_afer:=0.1", "-p", "qos_overrides./imu/left_fot.subscription.depth:=7")
    assert "parameter 'stale_afer' is not one of this node and has no effect; did you mean 'stale_after'?" in text
    assert "left_fot.subscription.depth' is not one of this node" in text
    assert "did you mean 'qos_overrides./imu/left_foot.subscription.depth'?" in text


def test_harmful_values_are_warned_about_at_the_start(said: Callable[..., str]) -> None:
    text = said("-p", "max_acceleration:=1.0", "-p", "deadline:=9.0")
    assert "parameter 'max_acceleration' is 1 m/s^2: gravity is 9.8" in text
    assert "parameter 'deadline' is 9 s: 'stale_after' is 0.15 s" in text


def test_known_parameters_are_not_complained_about(said: Callable[..., str]) -> None:
    text = said(
        "-p", "deadline:=0.06", "-p", "use_sim_time:=false", "-p", "qos_overrides./imu/left_foot.subscription.depth:=7"
    )
    assert "parameter '" not in text


def test_parameter_file_for_another_node_is_named(said: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("imu_emg_estimater:\n  ros__parameters:\n    stale_after: 0.1\n")
    text = said("--params-file", str(file))
    assert f"parameter file {file} is for '/imu_emg_estimater', which is not this node" in text
    assert "did you mean '/imu_emg_estimator' or '/**'?" in text


def test_parameter_without_its_option_is_named() -> None:
    arguments = [
        "--ros-args",
        "bundle:=a",
        "-p",
        "stale_after:=0.1",
        "-r",
        "imu/left_foot:=imu/a",
        "-r",
        "engine:=numpy",
    ]
    assert remapped_parameters(arguments, ["bundle", "stale_after", "engine"]) == [
        "'bundle:=a' remaps a topic of that name and sets no parameter; write -p bundle:=a",
        "'engine:=numpy' remaps a topic of that name and sets no parameter; write -p engine:=numpy",
    ]


NAME = "/left/imu_emg_estimator"


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        (["/**"], ""),
        (["/left/imu_emg_estimator"], ""),
        (["/*/imu_emg_estimator"], ""),
        (["/**/imu_emg_estimator", "camera"], ""),
        (["/**", "camera"], ""),  # for several nodes
        (["/left/imu_emg_estimator", "/right/imu_emg_estimator"], ""),
        (["imu_emg_estimator"], "/imu_emg_estimator"),  # without the namespace
        (["/*"], "/*"),
        (["camera"], "/camera"),
        (["/**", "/left/imu_emg_estimatr"], "/left/imu_emg_estimatr"),
        (["/**", "left/imu_emg_estimatro"], "/left/imu_emg_estimatro"),
    ],
)
def test_sections_of_parameter_file(sections: list[str], named: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("".join(f"{name}:\n  ros__parameters:\n    deadline: 0.1\n" for name in sections))
    found = unread_files(["--ros-args", "--params-file", str(file)], NAME)
    assert len(found) == bool(named)
    assert not named or f"is for '{named}'" in found[0]


def test_nested_sections_of_parameter_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("left:\n  imu_emg_estimator:\n    ros__parameters: {deadline: 0.1}\n")
    assert not unread_files(["--params-file", str(file)], NAME)
    assert unread_files(["--params-file", str(file)], "/right/imu_emg_estimator")


@pytest.mark.parametrize("content", ["a: [", "\0"])
def test_odd_parameter_files_are_left_to_ros(content: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(content)
    assert not unread_files(["--params-file", str(file), "--params-file", str(tmp_path / "none")], NAME)
    assert not unread_files(["--params-file"], NAME)


@pytest.mark.parametrize("content", ["", "hello", "[1, 2]", "a: {b: 1}"])
def test_parameter_file_without_parameters_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(content)
    (sentence,) = unread_files(["--params-file", str(file)], NAME)
    assert f"{file} holds no ros__parameters" in sentence


def test_wildcards_of_sections() -> None:
    assert section_fits("/**", "/a")
    assert section_fits("/a/**/c", "/a/c")
    assert section_fits("/a/**/c", "/a/b/b/c")
    assert not section_fits("/a/*/c", "/a/b/b/c")
