"""The assistance as a process, on a robot that is made up: torques, their end, dry run, lifecycle, refusals."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from fixtures.assistance_inputs import content
from fixtures.node_process import output, process
from fixtures.ros_lab import PATIENCE, to_timestamp
from geometry_msgs.msg import WrenchStamped
from imu_emg_estimator.msg import MuscleActivation
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray

NODE = [sys.executable, "-m", "imu_emg_estimator.ros.assistance_node", "--ros-args"]
FEED_PERIOD_S = 0.02
TRUST = {"recovery": 0.1, "max_ahead": 0.1}  # quick, since a busy machine breaks the flow of messages now and then


class Robot:
    """Publishes what the assistance needs, as long as ``feeds`` says so, and hears what it commands."""

    def __init__(self, context: rclpy.Context) -> None:
        self.node = Node("robot", context=context)
        self.feeds: dict[str, Any] = {"activation": (0.5, 0.2), "deadman": True, "angle": -1.0}
        self.commands: list[list[float]] = []
        self.torques: list[JointState] = []
        self.wrenches: list[WrenchStamped] = []
        self.diagnostics: list[Any] = []
        create = self.node.create_publisher
        self._activation, self._deadman = create(MuscleActivation, "muscle_activation", 10), create(Bool, "deadman", 1)
        self._angles = create(JointState, "joint_states", 10)
        hear = self.node.create_subscription
        hear(Float64MultiArray, "assistance/commands", lambda message: self.commands.append(list(message.data)), 100)
        hear(JointState, "assistance/joint_torques", self.torques.append, 100)
        hear(WrenchStamped, "assistance/wrench/hip", self.wrenches.append, 100)
        hear(DiagnosticArray, "/diagnostics", lambda message: self.diagnostics.extend(message.status), 100)
        self.node.create_timer(FEED_PERIOD_S, self._feed)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "nothing came"
            self.executor.spin_once(timeout_sec=0.05)

    def wait_for_torque(self) -> None:
        self.until(lambda: self.torques and all(self.torques[-1].effort))

    def wait_for_zero(self) -> None:
        self.until(lambda: not any(self.torques[-1].effort))

    def _feed(self) -> None:
        now = self.node.get_clock().now().nanoseconds
        if self.feeds["activation"] is not None:
            message = MuscleActivation(muscle_names=["right", "left"], activation=list(self.feeds["activation"]))
            message.header.stamp = to_timestamp(now - 40_000_000)
            message.age = 0.002
            self._activation.publish(message)
        if self.feeds["deadman"] is not None:
            self._deadman.publish(Bool(data=self.feeds["deadman"]))
        state = JointState(name=["knee"], position=[self.feeds["angle"]])
        state.header.stamp = to_timestamp(now)
        self._angles.publish(state)


@pytest.fixture
def robot(context: rclpy.Context) -> Iterator[Robot]:
    made = Robot(context)
    yield made
    made.executor.shutdown()
    made.node.destroy_node()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path, trust=TRUST)


def write(folder: Path, **changes: Any) -> Path:
    made = content(**changes)
    made["joints"][1] |= {"wrench_frame": "thigh", "wrench_axis": "y"}
    (folder / "assistance.yaml").write_text(yaml.safe_dump(made))
    return folder / "assistance.yaml"


def test_torques_come_in_all_forms_and_end_with_the_switch(robot: Robot, config: Path) -> None:
    with process([*NODE, "-p", f"config:={config}"]):
        robot.wait_for_torque()
        robot.until(lambda: robot.commands and robot.commands[-1] == pytest.approx([3.0, -2.0], abs=1e-5))
        assert list(robot.torques[-1].name) == ["knee", "hip"]
        assert not robot.torques[-1].position
        robot.until(lambda: robot.wrenches and robot.wrenches[-1].wrench.torque.y == pytest.approx(-2.0, abs=1e-5))
        assert robot.wrenches[-1].header.frame_id == "thigh"
        robot.feeds["deadman"] = False
        robot.wait_for_zero()
    assert all(abs(knee) <= 10.0 and abs(hip) <= 5.0 for knee, hip in robot.commands)


@pytest.mark.parametrize(("name", "value"), [("activation", None), ("deadman", None), ("angle", float("nan"))])
def test_torque_ends_without_input_and_returns_with_it(name: str, value: Any, robot: Robot, config: Path) -> None:
    usual = robot.feeds[name]
    with process([*NODE, "-p", f"config:={config}"]):
        robot.wait_for_torque()
        robot.feeds[name] = value
        robot.wait_for_zero()
        robot.feeds[name] = usual
        robot.wait_for_torque()


ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP]


@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
def test_node_that_ends_leaves_zero_behind(number: signal.Signals, robot: Robot, config: Path) -> None:
    as_on_a_terminal = ["env", "--default-signal"]  # under nohup the tests ignore SIGHUP, and so would the node
    with process([*as_on_a_terminal, *NODE, "-p", f"config:={config}"]) as node:
        robot.wait_for_torque()
        node.send_signal(number)
        said = output(node)
    robot.wait_for_zero()
    assert node.returncode == 0, said
    assert "Traceback" not in said
    assert robot.commands[-1] == [0.0, 0.0]


def test_torque_ends_though_nobody_reads_what_the_node_says(robot: Robot, config: Path) -> None:
    with process([*NODE, "-p", f"config:={config}"]) as node:
        assert node.stdout is not None
        robot.wait_for_torque()
        pipe = os.open(f"/proc/self/fd/{node.stdout.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(pipe, b"x"):
                pass
        os.close(pipe)
        time.sleep(1.1)  # for the throttle of the log
        robot.feeds["deadman"] = False
        robot.wait_for_zero()


@pytest.mark.parametrize(
    ("kind", "topic"), [(MuscleActivation, "/muscle_activation"), (Float64MultiArray, "/assistance/commands")]
)
def test_torque_ends_while_another_node_publishes_too(kind: Any, topic: str, robot: Robot, config: Path) -> None:
    with process([*NODE, "-p", f"config:={config}"]):
        robot.wait_for_torque()
        rival = robot.node.create_publisher(kind, topic, 1)
        robot.wait_for_zero()
        robot.until(lambda: any(topic in each.message for each in robot.diagnostics))
        robot.node.destroy_publisher(rival)
        robot.wait_for_torque()


@pytest.mark.slow
def test_torque_returns_when_the_other_node_is_killed(robot: Robot, config: Path) -> None:
    start = [*NODE, "-p", f"config:={config}"]
    with process(start):
        robot.wait_for_torque()
        with process([*start, "-r", "__node:=twin", "-r", "~/commands:=/assistance/commands"]):
            robot.wait_for_zero()
        robot.wait_for_torque()


@pytest.mark.parametrize("way", ["parameter", "file"])
def test_dry_run_commands_nothing(way: str, robot: Robot, tmp_path: Path) -> None:
    config = write(tmp_path, trust=TRUST, dry_run=way == "file")
    with process([*NODE, "-p", f"config:={config}", "-p", f"dry_run:={str(way == 'parameter').lower()}"]):
        robot.wait_for_torque()
        assert not robot.node.count_publishers("/assistance/commands")
        assert not robot.node.count_publishers("/assistance/wrench/hip")
    assert not robot.commands


def test_lifecycle_manager_starts_and_ends_assistance(robot: Robot, config: Path) -> None:
    client = robot.node.create_client(ChangeState, "assistance/change_state")

    def change(transition: int) -> None:
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        robot.until(future.done)
        assert future.result().success

    with process([*NODE, "-p", f"config:={config}", "-p", "autostart:=false"]) as node:
        robot.until(client.service_is_ready)
        change(Transition.TRANSITION_CONFIGURE)
        assert not robot.torques
        change(Transition.TRANSITION_ACTIVATE)
        robot.wait_for_torque()
        change(Transition.TRANSITION_DEACTIVATE)
        robot.wait_for_zero()
        count = len(robot.torques)
        change(Transition.TRANSITION_ACTIVATE)
        robot.wait_for_torque()
        assert len(robot.torques) > count
        change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
        said = output(node)
    assert node.returncode == 0, said


def test_diagnostics_say_what_is_missing(robot: Robot, tmp_path: Path) -> None:
    def said(text: str) -> bool:
        return any(each.name == "/assistance: assistance" and text in each.message for each in robot.diagnostics)

    config = write(tmp_path, trust=TRUST | {"required_sensors": ["left_thigt"]})
    estimator = robot.node.create_publisher(DiagnosticArray, "/diagnostics", 1)
    sensor = DiagnosticStatus(name="/robot: left_thigh", values=[KeyValue(key="verdict", value="ok")])
    with process([*NODE, "-p", f"config:={config}"]):
        robot.until(lambda: said("assists with full trust"))
        robot.feeds["deadman"] = False
        robot.until(lambda: said("no full trust: dead man's switch released"))
        robot.feeds["deadman"] = True
        estimator.publish(DiagnosticArray(status=[sensor]))
        robot.until(lambda: said("no full trust: required_sensors names 'left_thigt', which is no sensor"))
        robot.wait_for_zero()
    robot.until(lambda: robot.diagnostics[-1].name == "/assistance: assistance")
    assert {value.key for value in robot.diagnostics[-1].values} >= {"knee [Nm]", "hip [Nm]", "dry run"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-p", "config:=/no/file.yaml"], "parameter 'config': assistance file /no/file.yaml cannot be read"),
        (["-p", "config:=5"], "parameter 'config' has a value of the wrong type; it takes text"),
        (["-p", "dry_run:=maybe"], "parameter 'dry_run' has a value of the wrong type; it takes true or false"),
        (["-p", "use_sim_time:=5"], "parameter 'use_sim_time' to '5' of type 'INTEGER', expecting type 'BOOL'"),
        (["--no-such-option"], "the ROS arguments cannot be used"),
    ],
)
def test_wrong_start_is_refused_in_a_sentence(arguments: list[str], sentence: str) -> None:
    with process([*NODE, *arguments]) as node:
        said = output(node)
    assert node.returncode == 2
    assert sentence in said
    assert "Traceback" not in said


def test_joint_that_no_topic_can_be_named_after_is_refused(tmp_path: Path) -> None:
    config = write(tmp_path)
    config.write_text(config.read_text().replace("name: hip", "name: hip-left"))
    with process([*NODE, "-p", f"config:={config}"]) as node:
        said = output(node)
    assert node.returncode == 2
    assert "rename the joint, or leave out its wrench_frame" in said
    assert "Traceback" not in said


def test_parameters_that_are_none_are_named(config: Path) -> None:
    with process([*NODE, "-p", "dryrun:=true", "-p", f"config:={config.parent / 'none'}"]) as node:
        assert "did you mean 'dry_run'?" in output(node)
