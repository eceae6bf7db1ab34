"""Requests and messages that rclpy did not foresee end no thread of the node."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from builtin_interfaces.msg import Time
from fixtures.node_process import output, process
from fixtures.ros_lab import HOUR, PATIENCE, Lab
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from imu_emg_estimator.ros.spin_thread import SpinThread

StartLab = Callable[..., Lab]
NO_TYPE = 77


def value(kind: int = NO_TYPE, **fields: Any) -> ParameterValue:
    """A value of a parameter, of no type that exists by default."""
    return ParameterValue(type=kind, **fields)


@pytest.fixture
def lab(start_lab: StartLab) -> Lab:
    return start_lab(stale_after=HOUR)


MALFORMED = {
    "type that does not exist": Parameter(name="deadline", value=value()),
    "no value": Parameter(name="deadline", value=value(ParameterType.PARAMETER_NOT_SET)),
    "other type": Parameter(name="deadline", value=value(ParameterType.PARAMETER_STRING, string_value="soon")),
    "NaN": Parameter(name="deadline", value=value(ParameterType.PARAMETER_DOUBLE, double_value=float("nan"))),
    "infinite": Parameter(name="stale_after", value=value(ParameterType.PARAMETER_DOUBLE, double_value=float("inf"))),
    "NaN in a list": Parameter(
        name="sensor_rotations",
        value=value(ParameterType.PARAMETER_DOUBLE_ARRAY, double_array_value=[float("nan")] * 4),
    ),
    "huge list": Parameter(
        name="sensor_rotations", value=value(ParameterType.PARAMETER_DOUBLE_ARRAY, double_array_value=[0.5] * 300_000)
    ),
    "bytes": Parameter(
        name="sensor_rotations", value=value(ParameterType.PARAMETER_BYTE_ARRAY, byte_array_value=[b"\xff"] * 9)
    ),
    "no name": Parameter(name="", value=value(ParameterType.PARAMETER_BOOL, bool_value=True)),
    "unknown name": Parameter(name="\n{}%s" * 20, value=value(ParameterType.PARAMETER_BOOL, bool_value=True)),
    "clock": Parameter(name="use_sim_time", value=value(ParameterType.PARAMETER_STRING, string_value="yes")),
}


@pytest.mark.parametrize("parameter", MALFORMED.values(), ids=MALFORMED.keys())
def test_node_refuses_malformed_parameter_with_reason(parameter: Parameter, lab: Lab) -> None:
    (result,) = lab.call(SetParameters, "set_parameters", parameters=[parameter]).results
    assert not result.successful
    assert result.reason
    result = lab.call(SetParametersAtomically, "set_parameters_atomically", parameters=[parameter]).result
    assert not result.successful
    assert result.reason
    assert "deadline" in lab.parameters()  # it goes on serving


def test_node_answers_for_every_parameter_of_request(lab: Lab) -> None:
    good = Parameter(name="frame_id", value=value(ParameterType.PARAMETER_STRING, string_value="hip"))
    request = [good, MALFORMED["type that does not exist"], good]
    results = lab.call(SetParameters, "set_parameters", parameters=request).results
    assert [result.successful for result in results] == [True, False, False]
    assert "77" in results[1].reason


def test_node_answers_requests_for_unknown_parameters(lab: Lab) -> None:
    names = ["no_such", "", "\xff" * 1000]
    lab.call(DescribeParameters, "describe_parameters", names=names)
    lab.call(GetParameters, "get_parameters", names=names * 1000)
    assert "deadline" in lab.parameters()


def test_node_refuses_transitions_that_do_not_exist(lab: Lab) -> None:
    for number, label in ((200, ""), (0, ""), (3, ""), (0, "no_such"), (0, "configure")):  # it is active: not from here
        request = ChangeState.Request()
        request.transition.id, request.transition.label = number, label
        assert not lab.call(ChangeState, "change_state", transition=request.transition).success
    assert lab.estimator.is_active
    assert "deadline" in lab.parameters()


@pytest.mark.parametrize(
    "payload", [Clock(clock=Time(sec=-5)), Clock(clock=Time(sec=-9, nanosec=2**32 - 1)), b"", b"\0\1\0\0"]
)
def test_node_survives_malformed_clock(
    payload: Any, start_lab: StartLab, make_recording: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = start_lab(use_sim_time=True)
    clock = lab.node.create_publisher(Clock, "/clock", 10)
    lab.wait(clock.get_subscription_count, "subscription to /clock")
    for _ in range(5):
        clock.publish(payload)
    assert "deadline" in lab.parameters()
    later = Clock(clock=Time(sec=1000))
    clock.publish(later)
    lab.wait(lambda: lab.estimator.get_clock().now().nanoseconds == 1000 * 10**9, "tick of the clock")
    assert capfd.readouterr().err.count("was dropped") <= 1  # said once


class Raising(SingleThreadedExecutor):
    """Raises from its loop, as no callback should be able to."""

    def __init__(self, error: BaseException, **options: Any) -> None:
        super().__init__(**options)
        self.error, self.rounds = error, threading.Semaphore(0)

    def spin(self) -> None:
        self.rounds.release()
        raise self.error


@pytest.fixture
def node(context: rclpy.Context) -> Iterator[Node]:
    node = Node("served", context=context)
    yield node
    node.destroy_node()


def test_spin_thread_goes_on_after_exception(node: Node, context: rclpy.Context) -> None:
    executor, deaths = Raising(ValueError("no such thing"), context=context), list[bool]()
    with SpinThread(executor, node, "services", lambda: deaths.append(True)):
        for _ in range(3):
            assert executor.rounds.acquire(timeout=PATIENCE)
    assert not deaths


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_spin_thread_tells_its_death(node: Node, context: rclpy.Context) -> None:
    died = threading.Event()
    with SpinThread(Raising(SystemExit(), context=context), node, "services", died.set):
        assert died.wait(PATIENCE)


# Ends the thread that serves the node, as nothing should be able to.
DYING = """
import sys
from rclpy.executors import SingleThreadedExecutor
from imu_emg_estimator.ros import node
SingleThreadedExecutor.spin = lambda self: sys.exit()
sys.exit(node.main(["--ros-args", *sys.argv[1:]]))
"""


def test_process_ends_when_services_die(bundle_path: Path) -> None:
    import sys

    with process([sys.executable, "-c", DYING, "-p", f"bundle:={bundle_path}"]) as node:
        said = output(node)
    assert node.returncode == 1, said
    assert "the thread 'services' of the node has died" in said
