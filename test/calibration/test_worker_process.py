"""The process that calibrates yields to others, ends with whoever started it, and says why it failed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration import worker_process
from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.optional_packages import needs

AT_WORK = """
import sys, time
from imu_emg_estimator.calibration import worker_process
worker_process.calibrate_in = lambda folder: print("at work", flush=True) or time.sleep(1000)
sys.exit(worker_process.main())
"""
GREEDY = """
import sys
from imu_emg_estimator.calibration import calibrate_bags, worker_process
calibrate_bags.calibrate_bags = lambda *_: bytes(2 * worker_process.MAX_MEMORY_BYTES)
sys.exit(worker_process.main())
"""
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from imu_emg_estimator.calibration import worker_process
sys.exit(worker_process.main())
"""
SHOW_AUTOGROUP = "print(open('/proc/self/autogroup').read())"


def in_a_session_of_its_own(script: str) -> str:
    """What a script says that leads a session."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, start_new_session=True, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process that is at work in the worker_process."""
    command = [sys.executable, "-c", AT_WORK, "folder", str(worker_process.MAX_NICE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the priorities of Linux")
def test_process_has_lowest_priority(worker: subprocess.Popen[str]) -> None:
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == worker_process.MAX_NICE
    assert os.sched_getscheduler(worker.pid) == os.SCHED_IDLE


@pytest.mark.parametrize(("nice", "idle"), [(7, []), (worker_process.MAX_NICE, [os.SCHED_IDLE])])
def test_yield_to_others_asks_for_idle_only_at_highest_nice(
    nice: int, idle: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the highest nice it keeps a share of a machine that is always busy."""
    asked: list[int] = []
    policies: list[int] = []
    monkeypatch.setattr(os, "nice", asked.append)
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, parameter: policies.append(policy))
    worker_process.yield_to_others(nice)
    assert (asked, policies) == ([nice], idle)


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroups")
def test_yield_to_others_lowers_own_session() -> None:
    script = (
        f"from imu_emg_estimator.calibration import worker_process; worker_process.yield_to_others(); {SHOW_AUTOGROUP}"
    )
    assert f"nice {worker_process.MAX_NICE}" in in_a_session_of_its_own(script)


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroups")
def test_yield_to_others_keeps_priority_of_others_in_session() -> None:
    lower = "from imu_emg_estimator.calibration import worker_process; worker_process.yield_to_others()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {lower!r}], check=True); {SHOW_AUTOGROUP}"
    assert "nice 0" in in_a_session_of_its_own(script)


@pytest.mark.slow
def test_process_ends_with_its_parent(worker: subprocess.Popen[str]) -> None:
    assert worker.poll() is None
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=600) == worker_process.ORPHANED


@pytest.mark.slow
def test_process_writes_report_of_a_failure(tmp_path: Path) -> None:
    request = CalibrationRequest(tmp_path / "missing", (tmp_path,), "anna")
    (tmp_path / worker_process.REQUEST).write_bytes(request.to_json())
    command = [sys.executable, "-m", "imu_emg_estimator.calibration.worker_process", str(tmp_path), "5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=600) == 0
    report = CalibrationReport.from_json((tmp_path / worker_process.REPORT).read_bytes())
    assert (report.success, report.error) == (False, "InputError")
    assert "missing" in report.message


def test_process_refuses_damaged_request(tmp_path: Path) -> None:
    (tmp_path / worker_process.REQUEST).write_text("{}")
    assert "calibration request lacks a field" in worker_process.calibrate_in(tmp_path).message


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_process_explains_memory_limit(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    request = CalibrationRequest(tmp_path / "bundle", (tmp_path,), "anna")
    (tmp_path / worker_process.REQUEST).write_bytes(request.to_json())
    monkeypatch.setattr("imu_emg_estimator.calibration.calibrate_bags.calibrate_bags", fail)
    report = worker_process.calibrate_in(tmp_path)
    assert report.error == "MemoryError"
    assert "needs more than 4 GiB of memory; give fewer or shorter bags" in report.message


@pytest.mark.slow
def test_process_is_stopped_by_its_memory_limit(tmp_path: Path) -> None:
    """A request that takes twice the memory that the process may have."""
    (tmp_path / worker_process.REQUEST).write_bytes(CalibrationRequest(tmp_path, (), "anna").to_json())
    with subprocess.Popen([sys.executable, "-c", GREEDY, str(tmp_path), "0"], stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=600) == 0
    report = CalibrationReport.from_json((tmp_path / worker_process.REPORT).read_bytes())
    assert (report.success, report.error) == (False, "MemoryError")
    assert "needs more than 4 GiB of memory" in report.message


@pytest.mark.slow
def test_process_without_torch_names_what_to_install(
    tmp_path: Path, bundle: Bundle, make_recording: RecordingFactory
) -> None:
    write_bag(make_recording([("walking", 20.0)]), tmp_path / "bag")
    bundle.save(tmp_path / "tiny.safetensors")
    request = CalibrationRequest(tmp_path / "tiny.safetensors", (tmp_path / "bag",), "anna")
    (tmp_path / worker_process.REQUEST).write_bytes(request.to_json())
    with subprocess.Popen([sys.executable, "-c", WITHOUT_TORCH, str(tmp_path), "0"], stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=600) == 0
    report = CalibrationReport.from_json((tmp_path / worker_process.REPORT).read_bytes())
    assert not report.success
    assert report.error == "ModuleNotFoundError"
    assert needs("torch") in report.message


def test_process_does_not_hide_other_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    (tmp_path / worker_process.REQUEST).write_bytes(CalibrationRequest(tmp_path, (), "anna").to_json())
    monkeypatch.setattr("imu_emg_estimator.calibration.calibrate_bags.calibrate_bags", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        worker_process.calibrate_in(tmp_path)
