"""The process that calibrates, and when it can be stopped."""

import math
import signal
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest

from imu_emg_estimator.calibration import worker_control
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.calibration.worker_control import OutOfTime, ProcessorTime, Worker, processor_time
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import Stopped
from imu_emg_estimator.utils.shipped_files import shipped_bundle

PATIENCE = 600.0  # s; only a test that fails waits so long
WORK = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"


def request(bag: Path) -> CalibrationRequest:
    return CalibrationRequest(shipped_bundle(), (bag,), "anna")


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path, nice=0, on_progress=lambda progress: None)


def test_stop_comes_too_late_for_finished_work(worker: Worker, tmp_path: Path) -> None:
    report = worker.run(request(tmp_path / "nowhere"), PATIENCE)
    assert "does not exist" in report.message
    assert not worker.stop()


def test_progress_is_told_until_the_end_and_other_lines_are_not(tmp_path: Path) -> None:
    told: list[float] = []
    worker = Worker(tmp_path, nice=0, on_progress=lambda progress: told.append(progress.fraction))
    line = b'{"phase": "judging", "fraction": 0.5, "seconds_left": null, "loss": null}\n'
    worker._listen(BytesIO(b"a library's remark\n" + line))
    worker._done = True
    worker._listen(BytesIO(line))
    assert told == [0.5]


def test_stop_before_start(worker: Worker, tmp_path: Path) -> None:
    assert worker.stop()
    with pytest.raises(Stopped):
        worker.run(request(tmp_path), PATIENCE)
    assert not (tmp_path / "report.json").exists()


def test_stop_during_work(worker: Worker, tmp_path: Path) -> None:
    """While Python starts, which takes longer than this."""
    threading.Timer(0.05, worker.stop).start()
    with pytest.raises(Stopped):
        worker.run(request(tmp_path / "nowhere"), PATIENCE)


def test_run_times_out(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(OutOfTime, match=r"it was 0% done after 0.0 s .*: allow more than 0 s"):
        worker.run(request(tmp_path / "nowhere"), 0.0)


def test_run_out_of_time_names_time_that_is_needed(worker: Worker) -> None:
    worker.time, worker._fraction = ProcessorTime(38.0, 1.0, 40.0), 0.5
    said = worker._why_out_of_time()
    assert said == "it was 50% done after 40.0 s (38.0 s of processor time): give shorter or fewer bags, or 120 s"


def test_starved_run_names_others_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starved, told = ProcessorTime(0.2, 8.0, 9.0), []
    monkeypatch.setattr(worker_control, "processor_time", lambda process, wall_s: starved)
    worker = Worker(tmp_path, nice=3, on_progress=lambda progress: None, on_time=told.append)
    with pytest.raises(OutOfTime) as failure:
        worker.run(request(tmp_path / "nowhere"), 0.0)
    said = str(failure.value)
    assert "other processes keep this computer busy" in said
    assert "had the processor for 0.2 s of 9 s" in said
    assert said.endswith("stop some of them, or lower the parameter 'calibration_nice' (3)")
    assert "more time" not in said
    assert told == [starved]


def test_starvation_at_normal_priority_does_not_advise_a_lower_niceness() -> None:
    assert "calibration_nice" not in worker_control.starvation(ProcessorTime(0.2, 8.0, 9.0), 0)


@pytest.mark.slow
def test_dead_worker_is_reported_with_last_stderr_line(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()  # so that it cannot write one
    with pytest.raises(InputError, match=r"ended without a report .*report\.json"):
        worker.run(request(tmp_path / "nowhere"), PATIENCE)


def test_live_node_needs_no_torch_scipy_or_bag_reader_to_calibrate() -> None:
    """Importing them while it estimates would stop the estimates for a moment."""
    script = """
import sys
import imu_emg_estimator.bags.bag_files
import imu_emg_estimator.calibration.calibration_store, imu_emg_estimator.calibration.worker_control
print([name for name in ("torch", "scipy", "rosbags", "imu_emg_estimator.bags.bag_reader") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_worker_is_killed_with_what_it_has_started() -> None:
    """The child holds the pipe: it ends only with all of them."""
    command = ["sh", "-c", "sleep 100 & echo started; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        try:
            worker_control._kill(process)
            assert process.wait(timeout=30) == -signal.SIGKILL
            assert process.stdout.read() == b""
        finally:
            process.kill()
    worker_control._kill(process)  # nothing is left


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="a kernel without schedstat")
def test_processor_time_counts_what_a_process_used() -> None:
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        got = processor_time(process.pid, 7.0)
        process.communicate(b"\n")
    assert got.running_s + 0.02 >= 0.3
    assert got.running_s < 60.0  # by the unit
    assert got.waiting_s >= 0.0
    assert got.wall_s == 7.0


def test_processor_time_of_unknown_process_is_not_known() -> None:
    got = processor_time(1 << 30, 7.0)
    assert math.isnan(got.running_s)
    assert not got.is_starved
    assert str(got) == "7.0 s"


@pytest.mark.parametrize(
    ("running_s", "waiting_s", "wall_s", "starved"),
    [
        (1.0, 9.0, 10.0, True),
        (4.0, 6.0, 10.0, False),  # a fair share beside two others
        (1.0, 1.0, 10.0, False),  # it waits for a disk
        (0.1, 3.9, 4.0, False),  # too early to tell
    ],
)
def test_process_is_starved_by_others_alone(running_s: float, waiting_s: float, wall_s: float, starved: bool) -> None:
    assert ProcessorTime(running_s, waiting_s, wall_s).is_starved is starved


def test_processor_time_reads_in_a_sentence() -> None:
    assert str(ProcessorTime(9.12, 2.0, 12.34)) == "12.3 s (9.1 s of processor time)"
