"""The node as a process: how it ends, and how it is launched."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import rclpy
from fixtures.ros_lab import PATIENCE, workers
from imu_emg_estimator.msg import CalibrationStatus, MuscleActivation
from imu_emg_estimator.srv import Calibrate
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.private_folder import PREFIX
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.calibration_status import LATCHED

NODE = [sys.executable, "-m", "imu_emg_estimator.ros.node", "--ros-args"]


class Onlooker:
    """A node of this process that sees what another one publishes."""

    def __init__(self, context: rclpy.Context, namespace: str = "") -> None:
        self.node = Node("onlooker", context=context, namespace=namespace)
        self.messages: list[MuscleActivation] = []
        self.node.create_subscription(MuscleActivation, "muscle_activation", self.messages.append, 10)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)

    def wait(self, condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
        """Spin until the condition holds; the process must live meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert process.poll() is None, f"the process ended with {process.returncode}: {process.communicate()}"
            assert time.monotonic() < deadline, "nothing came"
            self.executor.spin_once(timeout_sec=0.05)


@pytest.fixture
def look(context: rclpy.Context) -> Iterator[Callable[..., Onlooker]]:
    """Function that makes an onlooker in a namespace."""
    onlookers: list[Onlooker] = []

    def make(namespace: str = "") -> Onlooker:
        onlookers.append(Onlooker(context, namespace))
        return onlookers[-1]

    yield make
    for onlooker in onlookers:
        onlooker.executor.shutdown()
        onlooker.node.destroy_node()


@contextmanager
def process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, as in a terminal; nothing of it is left at the end."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)


def output(ended: subprocess.Popen[str]) -> str:
    """All that a process said; waits for its end."""
    said, _ = ended.communicate(timeout=PATIENCE)
    return said


# how it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_it_cleanly(number: signal.Signals, look: Callable[..., Onlooker], bundle_path: Path) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        node.send_signal(number)
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said
    assert "xception" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_a_running_calibration(
    number: signal.Signals,
    look: Callable[..., Onlooker],
    bundle_path: Path,
    make_recording: Callable[..., Recording],
    tmp_path: Path,
) -> None:
    write_bag(make_recording(), tmp_path / "bag")
    subject, onlooker = f"interrupted-{os.getpid()}-{number.name}", look()
    client = onlooker.node.create_client(Calibrate, "calibrate")
    with process([*NODE, "-p", f"bundle:={bundle_path}", "-p", "calibration_max_duration:=3000.0"]) as node:
        onlooker.wait(client.service_is_ready, node)
        client.call_async(Calibrate.Request(bag_uri=str(tmp_path / "bag"), subject_id=subject))
        onlooker.wait(lambda: workers(subject), node)
        worker = workers(subject)[0]
        os.kill(worker, signal.SIGSTOP)  # it shall not end by itself
        node.send_signal(number)
        try:
            said = output(node)
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    assert node.returncode == 0, said
    assert "Traceback" not in said


def test_second_signal_does_not_disturb(look: Callable[..., Onlooker], bundle_path: Path) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            node.send_signal(number)
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said


def test_exit_status_of_a_start_that_fails() -> None:
    with process([*NODE, "-p", "bundle:=/no/such/bundle"]) as node:
        said = output(node)
    assert node.returncode == 2
    assert said == "imu_emg_estimator: bundle /no/such/bundle does not exist; give the path of a .safetensors bundle\n"


def test_calibration_ends_with_a_node_that_is_killed(
    look: Callable[..., Onlooker], bundle_path: Path, make_recording: Callable[..., Recording], tmp_path: Path
) -> None:
    """In the midst of it; the next start removes what both left."""
    write_bag(make_recording(), tmp_path / "bag")
    subject, onlooker = f"orphan-{os.getpid()}", look()
    client = onlooker.node.create_client(Calibrate, "calibrate")
    phases: list[str] = []
    onlooker.node.create_subscription(
        CalibrationStatus,
        "/imu_emg_estimator/calibration_status",
        lambda status: phases.append(status.phase),
        LATCHED,
    )
    with process([*NODE, "-p", f"bundle:={bundle_path}", "-p", "calibration_nice:=0"]) as node:
        onlooker.wait(client.service_is_ready, node)
        client.call_async(Calibrate.Request(bag_uri=str(tmp_path / "bag"), subject_id=subject))
        onlooker.wait(lambda: "judging" in phases, node)
        (folder,) = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
        node.kill()
        deadline = time.monotonic() + PATIENCE
        while workers(subject):
            assert time.monotonic() < deadline, "the calibration goes on without its node"
            time.sleep(0.05)
    assert not (folder / "report.json").exists(), "the calibration went on without its node"
    said = said_when_up("None", bundle_path)
    assert f"removed {folder}" in said
    assert not folder.exists()


# Interrupts the node at its first import of its own, before anything that takes long.
INTERRUPTED = """
import os, signal, sys
from imu_emg_estimator.ros import node

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        sys.meta_path.remove(self)
        print("LOADED", *sys.modules)
        os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.exit(node.main(["--ros-args", *sys.argv[1:]]))
"""


def test_interrupt_during_start_ends_cleanly(bundle_path: Path) -> None:
    """Signals are caught before anything that takes long is imported, and so in all that follows."""
    with process([sys.executable, "-c", INTERRUPTED, "-p", f"bundle:={bundle_path}"]) as node:
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said
    assert "waiting for" not in said  # it did not start
    assert {"rclpy", "numpy"}.isdisjoint(said.split())


# what it consists of


UP = """
import os, sys, threading
from imu_emg_estimator.ros import node
from imu_emg_estimator.ros.estimator_node import EstimatorNode
EstimatorNode.work = lambda self, stop: {what}
sys.exit(node.main(["--ros-args", *sys.argv[1:]]))
"""


def said_when_up(what: str, bundle: Path, *arguments: str) -> str:
    """What a node's process says that does ``what`` instead of its work."""
    with process([sys.executable, "-c", UP.format(what=what), "-p", f"bundle:={bundle}", *arguments]) as node:
        said = output(node)
    assert node.returncode == 0, said
    return said


UNNEEDED = (
    "torch scipy matplotlib rosbags joblib onnxruntime pandas pyarrow multiprocessing numpy.random unittest "
    "imu_emg_estimator.cli.main imu_emg_estimator.datasets imu_emg_estimator.calibration.adaptation "
    "imu_emg_estimator.model.causal_network"
)


def test_live_process_loads_nothing_that_it_does_not_need(bundle_path: Path) -> None:
    said = said_when_up("print('LOADED', *sys.modules)", bundle_path, "-p", "engine:=numpy")
    loaded = next(line for line in said.splitlines() if line.startswith("LOADED")).split()
    assert "imu_emg_estimator.ros.estimator_node" in loaded
    assert sorted(set(UNNEEDED.split()) & set(loaded)) == []


# how its threads are scheduled


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the scheduling of Linux")
def test_threads_of_the_data_are_bound_and_others_are_not(bundle_path: Path) -> None:
    processors = os.sched_getaffinity(0)
    if len(processors) < 2:
        pytest.skip("there is one processor")
    what = "print('BOUND', {t.name: sorted(os.sched_getaffinity(t.native_id)) for t in threading.enumerate()})"
    said = said_when_up(what, bundle_path, "-p", f"cpu_affinity:=[{min(processors)}]")
    bound = literal_eval(next(line for line in said.splitlines() if line.startswith("BOUND")).removeprefix("BOUND "))
    assert bound.pop("MainThread") == [min(processors)]
    assert set(bound) >= {"services", "calibration"}
    assert set(map(tuple, bound.values())) == {tuple(sorted(processors))}


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("cpu_affinity:=[4000]", "cpu_affinity [4000] was refused"),
        ("cpu_affinity:=[-7]", "cpu_affinity [-7] was refused"),
    ],
)
def test_scheduling_that_is_refused_is_told_and_does_not_stop_it(
    parameter: str, said: str, look: Callable[..., Onlooker], bundle_path: Path
) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}", "-p", parameter]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        node.send_signal(signal.SIGINT)
        assert said in output(node)
    assert node.returncode == 0


# how it is launched


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
    for argument in ("bundle", "params_file", "subject_id", "namespace", "use_sim_time"):
        assert f"'{argument}':" in shown


def test_launch_with_all_arguments_and_end_it(
    ros2_launch: list[str], look: Callable[..., Onlooker], bundle: Bundle, bundle_path: Path, tmp_path: Path
) -> None:
    parameters = tmp_path / "mine.yaml"
    parameters.write_text("/**:\n  ros__parameters:\n    stale_after: 0.1\n    subject_id: 'overruled'\n")
    onlooker = look("/left/lab")
    arguments = [f"bundle:={bundle_path}", f"params_file:={parameters}", "namespace:=/left/lab"]
    with process([*ros2_launch, *arguments, "subject_id:=5", "use_sim_time:=true"]) as launched:
        onlooker.wait(lambda: onlooker.messages, launched)
        message = onlooker.messages[-1]
        assert message.model_id == bundle.model_id
        assert message.header.frame_id == "5"  # a name, not a number
        assert message.header.stamp.sec == 0  # of /clock, which nobody publishes
        name = ("imu_emg_estimator", "/left/lab")
        onlooker.wait(lambda: name in onlooker.node.get_node_names_and_namespaces(), launched)
        os.killpg(launched.pid, signal.SIGINT)  # Ctrl-C in a terminal goes to all of its processes
        said = output(launched)
    assert "process has finished cleanly" in said
    assert "Traceback" not in said


def test_launch_leaves_the_parameter_file_its_say(
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


def test_launch_that_fails_says_why(ros2_launch: list[str]) -> None:
    with process([*ros2_launch, "bundle:=/no/such/bundle"]) as launched:
        said = output(launched)
    assert "bundle /no/such/bundle does not exist" in said
    assert "exit code 2" in said
    assert "Traceback" not in said
