"""The node as a process: how it ends, what it loads, and how its threads are scheduled."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from fixtures.node_process import NODE, Onlooker, output, process
from fixtures.ros_lab import PATIENCE, workers
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.srv import Calibrate

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.private_folder import PREFIX
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.calibration_status import LATCHED

# how it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_node_cleanly(number: signal.Signals, look: Callable[..., Onlooker], bundle_path: Path) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        node.send_signal(number)
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said
    assert "xception" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_running_calibration(
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


def test_second_signal_is_ignored(look: Callable[..., Onlooker], bundle_path: Path) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}"]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            node.send_signal(number)
        said = output(node)
    assert node.returncode == 0, said
    assert "Traceback" not in said


def test_failed_start_returns_exit_status() -> None:
    with process([*NODE, "-p", "bundle:=/no/such/bundle"]) as node:
        said = output(node)
    assert node.returncode == 2
    fault = "parameter 'bundle': bundle /no/such/bundle does not exist; give the path of a .safetensors bundle"
    assert said == f"imu_emg_estimator: {fault}\n"


def test_calibration_ends_when_node_is_killed(
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
    "torch filelock scipy matplotlib rosbags joblib onnxruntime pandas pyarrow multiprocessing numpy.random unittest "
    "imu_emg_estimator.cli.main imu_emg_estimator.datasets imu_emg_estimator.calibration.adaptation "
    "imu_emg_estimator.model.causal_network"
)


def test_node_process_loads_only_what_it_needs(bundle_path: Path) -> None:
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True)
    said = said_when_up("print('LOADED', *sys.modules)", bundle_path, "-p", "engine:=numpy")
    loaded = next(line for line in said.splitlines() if line.startswith("LOADED")).split()
    assert "imu_emg_estimator.ros.estimator_node" in loaded
    # a measurement of coverage loads some by itself
    assert sorted(set(UNNEEDED.split()) & set(loaded) - set(bare.stdout.split())) == []


# how its threads are scheduled


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the scheduling of Linux")
def test_cpu_affinity_binds_only_data_threads(bundle_path: Path) -> None:
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
def test_refused_scheduling_is_reported_and_node_runs(
    parameter: str, said: str, look: Callable[..., Onlooker], bundle_path: Path
) -> None:
    onlooker = look()
    with process([*NODE, "-p", f"bundle:={bundle_path}", "-p", parameter]) as node:
        onlooker.wait(lambda: onlooker.messages, node)
        node.send_signal(signal.SIGINT)
        assert said in output(node)
    assert node.returncode == 0
