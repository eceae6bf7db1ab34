"""The node's lifecycle: what each state does, what a failed transition leaves, and that nothing is left over.

``IMU_EMG_CYCLES=1000 pytest test/ros/test_managed_node.py`` goes through so many cycles.
"""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fixtures.node_process import NODE, Onlooker, output, process
from fixtures.ros_lab import HOUR, UNHURRIED, Lab, overrides, running
from imu_emg_estimator.msg import MuscleActivation
from imu_emg_estimator.srv import Calibrate
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.estimator_node import EstimatorNode

StartLab = Callable[..., Lab]
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
CYCLES = int(os.environ.get("IMU_EMG_CYCLES", "0"))
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
SHUTDOWN = Transition.TRANSITION_ACTIVE_SHUTDOWN


@pytest.fixture
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    return make_recording([("walking", 10.0)]).imu


@pytest.fixture
def unconfigured(context: rclpy.Context, bundle_path: Path) -> Iterator[EstimatorNode]:
    """A node that nobody has configured, at work."""
    given = overrides(bundle=str(bundle_path), engine="numpy", autostart=False)
    node = EstimatorNode(context=context, parameter_overrides=given)
    with running(node):
        yield node


def change(lab: Lab, transition: int) -> bool:
    """Ask for a transition as a lifecycle manager does; returns whether it succeeded."""
    return bool(lab.call(ChangeState, "change_state", transition=Transition(id=transition)).success)


def state(lab: Lab) -> int:
    return int(lab.call(GetState, "get_state").current_state.id)


def own_topics(node: Node) -> set[str]:
    """What a node publishes and subscribes, as far as it is the estimator's."""
    topics = [*node.publishers, *node.subscriptions]
    return {topic.topic_name for topic in topics if "imu/" in topic.topic_name or "muscle" in topic.topic_name}


def test_node_without_autostart_waits_unconfigured(unconfigured: EstimatorNode) -> None:
    assert not unconfigured.is_active
    assert not own_topics(unconfigured)
    assert unconfigured.trigger_configure() == SUCCESS
    assert len(own_topics(unconfigured)) == 7
    assert not unconfigured.is_active


def test_lifecycle_manager_takes_node_through_all_states(start_lab: StartLab, imu: NDArray[np.floating]) -> None:
    lab = start_lab(stale_after=HOUR)
    assert state(lab) == State.PRIMARY_STATE_ACTIVE  # by itself
    assert change(lab, DEACTIVATE)
    lab.wait(lambda: lab.messages and lab.messages[-1].status == MuscleActivation.STALE, "last STALE")
    lab.clear()
    lab.play(imu[:100], hurry=True)
    assert not lab.messages
    assert change(lab, ACTIVATE)
    lab.play(imu[100:160], hurry=True)
    assert lab.wait_for(20)[-1].status == MuscleActivation.OK  # it was warm
    assert change(lab, DEACTIVATE)
    assert change(lab, CLEANUP)
    assert state(lab) == State.PRIMARY_STATE_UNCONFIGURED
    assert not own_topics(lab.estimator)
    lab.clear()
    assert change(lab, CONFIGURE)
    assert change(lab, ACTIVATE)
    lab.connect()
    lab.play(imu[:60], hurry=True)
    lab.wait(lambda: MuscleActivation.OK in {message.status for message in lab.messages}, "message that is OK")


def test_failed_configure_leaves_node_unconfigured(
    start_lab: StartLab, bundle_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(bundle_path.read_bytes())
    lab = start_lab(bundle=str(copy))
    assert change(lab, DEACTIVATE)
    assert change(lab, CLEANUP)
    copy.rename(tmp_path / "elsewhere")
    capfd.readouterr()
    assert not change(lab, CONFIGURE)
    assert state(lab) == State.PRIMARY_STATE_UNCONFIGURED
    assert not own_topics(lab.estimator)
    said = capfd.readouterr().err
    assert said.count(f"cannot configure: parameter 'bundle': bundle {copy} does not exist") == 1
    assert "Traceback" not in said
    (tmp_path / "elsewhere").rename(copy)
    assert change(lab, CONFIGURE)


@pytest.mark.parametrize("error", [InputError, ValueError, MemoryError])
@pytest.mark.parametrize("step", ["Diagnostics", "CalibrationServer", "ActivationPublisher", "imu_qos"])
def test_configure_that_fails_halfway_releases_what_it_made(
    step: str, error: type[Exception], unconfigured: EstimatorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error("no such thing")  # a new one each time: its traceback would keep the node

    before = len(list(unconfigured.publishers)), len(list(unconfigured.timers))
    with monkeypatch.context() as patch:
        patch.setattr(f"imu_emg_estimator.ros.estimator_node.{step}", fail)
        assert unconfigured.trigger_configure() == FAILURE
    assert not own_topics(unconfigured)
    assert (len(list(unconfigured.publishers)), len(list(unconfigured.timers))) == before
    assert unconfigured.trigger_configure() == SUCCESS


def test_shutdown_ends_process(look: Callable[..., Onlooker], bundle_path: Path) -> None:
    onlooker = look()
    client = onlooker.node.create_client(ChangeState, "/imu_emg_estimator/change_state")
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages and client.service_is_ready(), node)
        client.call_async(ChangeState.Request(transition=Transition(id=SHUTDOWN)))
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said


def test_cleanup_ends_running_calibration(
    start_lab: StartLab, make_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    write_bag(make_recording(), tmp_path / "bag")
    lab = start_lab(calibration_max_duration=3000.0)
    answer = lab.calibrate(tmp_path / "bag")
    lab.wait(lambda: lab.estimator._calibrations._worker is not None, "worker")
    assert change(lab, DEACTIVATE)  # the calibration goes on
    assert not answer.done()
    assert change(lab, CLEANUP)
    lab.wait(answer.done, "answer of calibrate")
    assert answer.result().error_code == Calibrate.Response.FAILED
    assert "shutting down" in answer.result().message
    assert change(lab, CONFIGURE)
    assert lab.client.wait_for_service(UNHURRIED)


def open_handles() -> tuple[int, int]:
    """Threads and open files of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def resident_kilobytes() -> int:
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads and files as Linux does")
@pytest.mark.timeout(0 if CYCLES else 1800)
def test_cycles_leave_nothing_behind(unconfigured: EstimatorNode) -> None:
    node = unconfigured
    cycle = (node.trigger_configure, node.trigger_activate, node.trigger_deactivate, node.trigger_cleanup)

    def go(cycles: int) -> None:
        for _ in range(cycles):
            assert {transition() for transition in cycle} == {SUCCESS}

    go(10)  # what is loaded once, and pools that fill
    handles, memory = open_handles(), resident_kilobytes()
    go(CYCLES or 20)
    assert all(now <= before + 1 for now, before in zip(open_handles(), handles, strict=True))
    assert resident_kilobytes() - memory < 6_000 + 4 * CYCLES, "memory grows"
