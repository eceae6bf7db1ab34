"""The launch file: its arguments, and how they reach the node."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fixtures.assistance_inputs import content
from fixtures.node_process import Onlooker, output, process

from imu_emg_estimator.model.bundle import Bundle

OF_EVERY_NODE = ("node_name", "namespace", "autostart", "respawn", "log_level", "enclave")
XML = """<launch>
  <include file="$(find-pkg-share imu_emg_estimator)/launch/estimator.launch.py">
    <arg name="subject_id" value="5"/><arg name="bundle" value="{bundle}"/><arg name="namespace" value="lab"/>
  </include>
</launch>
"""
YAML = """launch:
  - include:
      file: $(find-pkg-share imu_emg_estimator)/launch/estimator.launch.py
      arg:
        - {{name: subject_id, value: "5"}}
        - {{name: bundle, value: {bundle}}}
        - {{name: namespace, value: lab}}
"""
BOTH = """<launch>
  <include file="$(find-pkg-share imu_emg_estimator)/launch/estimator.launch.py">
    <arg name="bundle" value="{bundle}"/><arg name="namespace" value="lab"/>
  </include>
  <include file="$(find-pkg-share imu_emg_estimator)/launch/assistance.launch.py"/>
</launch>
"""


@pytest.fixture
def ros2_launch() -> list[str]:
    """The command that launches the estimator."""
    ros2 = shutil.which("ros2")
    if ros2 is None:
        pytest.skip("the ros2 command is not on PATH; source a ROS 2 installation")
    shown = subprocess.run([ros2, "launch", "--help"], capture_output=True, text=True)
    if shown.returncode:
        pytest.skip(f"ros2 launch is not installed: {shown.stderr.strip()[-200:]}")
    return [ros2, "launch", "imu_emg_estimator", "estimator.launch.py"]


def test_launch_names_its_arguments(ros2_launch: list[str]) -> None:
    shown = subprocess.run([*ros2_launch, "--show-args"], capture_output=True, text=True, check=True).stdout
    for argument in ("bundle", "params_file", "subject_id", "use_sim_time", *OF_EVERY_NODE):
        assert f"'{argument}':" in shown


def test_launch_with_all_arguments(
    ros2_launch: list[str], look: Callable[..., Onlooker], bundle: Bundle, bundle_path: Path, tmp_path: Path
) -> None:
    parameters = tmp_path / "mine.yaml"
    parameters.write_text("/**:\n  ros__parameters:\n    stale_after: 0.1\n    subject_id: 'overruled'\n")
    onlooker = look("/left/lab")
    arguments = [f"bundle:={bundle_path}", f"params_file:={parameters}", "namespace:=/left/lab"]
    more = ["subject_id:=5", "use_sim_time:=true", "node_name:=feet", "log_level:=debug", "enclave:=/lab"]
    with process([*ros2_launch, *arguments, *more]) as launched:
        onlooker.wait(lambda: onlooker.messages, launched)
        message = onlooker.messages[-1]
        assert message.model_id == bundle.model_id
        assert message.header.frame_id == "5"  # a name, not a number
        assert message.header.stamp.sec == 0  # of /clock, which nobody publishes
        name = ("feet", "/left/lab")
        onlooker.wait(lambda: name in onlooker.node.get_node_names_and_namespaces(), launched)
        os.killpg(launched.pid, signal.SIGINT)  # Ctrl-C in a terminal goes to all of its processes
        said = output(launched)
    assert "process has finished cleanly" in said
    assert "[DEBUG]" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("suffix", "text"), [("xml", XML), ("yaml", YAML)])
def test_launch_is_included_by_other_formats(
    suffix: str, text: str, ros2_launch: list[str], look: Callable[..., Onlooker], bundle_path: Path, tmp_path: Path
) -> None:
    file = tmp_path / f"emg.launch.{suffix}"
    file.write_text(text.format(bundle=bundle_path))
    onlooker = look("/lab")
    with process([*ros2_launch[:2], str(file)]) as launched:
        onlooker.wait(lambda: onlooker.messages, launched)
        assert onlooker.messages[-1].header.frame_id == "5"


def test_one_launch_file_includes_both_nodes(
    ros2_launch: list[str], look: Callable[..., Onlooker], bundle_path: Path, tmp_path: Path
) -> None:
    """Arguments that one include sets are seen by the next: neither may take the other's name for its own."""
    file = tmp_path / "emg.launch.xml"
    file.write_text(BOTH.format(bundle=bundle_path))
    onlooker = look("/lab")
    wanted = {("imu_emg_estimator", "/lab"), ("assistance", "/lab")}
    with process([*ros2_launch[:2], str(file)]) as launched:
        onlooker.wait(lambda: wanted <= set(onlooker.node.get_node_names_and_namespaces()), launched)


def test_node_that_dies_is_started_again(
    ros2_launch: list[str], look: Callable[..., Onlooker], bundle_path: Path
) -> None:
    onlooker = look()
    with process([*ros2_launch, f"bundle:={bundle_path}", "respawn:=true"]) as launched:
        onlooker.wait(lambda: onlooker.messages, launched)
        (first,) = children(launched.pid)
        os.kill(first, signal.SIGKILL)
        onlooker.wait(lambda: children(launched.pid) not in ([], [first]), launched)
        onlooker.messages.clear()
        onlooker.wait(lambda: onlooker.messages, launched)


def children(parent: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_assistance_is_launched_with_its_arguments(
    ros2_launch: list[str], look: Callable[..., Onlooker], tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump(content()))
    onlooker = look()
    arguments = [f"config:={config}", "node_name:=helper", "namespace:=lab", "commands:=/controller/commands"]
    with process([*ros2_launch[:3], "assistance.launch.py", *arguments]) as launched:
        onlooker.wait(lambda: onlooker.node.count_publishers("/lab/helper/joint_torques"), launched)
        onlooker.wait(lambda: onlooker.node.count_publishers("/controller/commands"), launched)
    with process([*ros2_launch[:3], "assistance.launch.py", "config:=/no/such.yaml"]) as launched:
        assert "config: there is no file /no/such.yaml" in output(launched)


def test_launch_does_not_override_parameter_file(
    ros2_launch: list[str], look: Callable[..., Onlooker], bundle_path: Path, tmp_path: Path
) -> None:
    parameters = tmp_path / "mine.yaml"
    parameters.write_text(
        f"/**:\n  ros__parameters:\n    bundle: {bundle_path}\n    subject_id: alice\n    use_sim_time: true\n"
    )
    onlooker = look()
    with process([*ros2_launch, f"params_file:={parameters}"]) as launched:
        onlooker.wait(lambda: onlooker.messages, launched)
        assert onlooker.messages[-1].header.frame_id == "alice"
        assert onlooker.messages[-1].header.stamp.sec == 0
        launched.send_signal(signal.SIGINT)
        said = output(launched)
    assert "process has finished cleanly" in said


def test_failed_launch_says_why(ros2_launch: list[str]) -> None:
    with process([*ros2_launch, "bundle:=/no/such/bundle"]) as launched:
        said = output(launched)
    assert "bundle /no/such/bundle does not exist" in said
    assert "exit code 2" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("params_file:=/no/such.yaml", "params_file: there is no file /no/such.yaml"),
        ("subjectid:=anna", "has no argument 'subjectid'; did you mean 'subject_id'?"),
    ],
)
def test_launch_names_what_it_cannot_use(argument: str, said: str, ros2_launch: list[str]) -> None:
    with process([*ros2_launch, argument]) as launched:
        text = output(launched)
    assert launched.returncode
    assert said in text
