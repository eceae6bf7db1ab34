"""A process in the background: it disturbs nobody, and ends with whoever started it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imu_emg_estimator.calibration import background

AT_WORK = """
import sys, time
from imu_emg_estimator.calibration import background
cli.main = lambda: print("at work", flush=True) or time.sleep(1000)
sys.exit(background.main())
"""
SHOW_AUTOGROUP = "print(open('/proc/self/autogroup').read())"


def in_a_session_of_its_own(script: str) -> str:
    """What a script says that leads a session."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, start_new_session=True, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process that is at work in the background."""
    command = [sys.executable, "-c", AT_WORK, str(background.LOWEST)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the priorities of Linux")
def test_lowest_priority(worker: subprocess.Popen[str]) -> None:
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == background.LOWEST
    assert os.sched_getscheduler(worker.pid) == os.SCHED_IDLE


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroups")
def test_lowest_priority_among_sessions() -> None:
    script = f"from imu_emg_estimator.calibration import background; background.yield_to_others(); {SHOW_AUTOGROUP}"
    assert f"nice {background.LOWEST}" in in_a_session_of_its_own(script)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the priorities of Linux")
def test_a_share_of_a_busy_machine() -> None:
    """Above the lowest priority it gets on, however busy the others are."""
    show = "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0) == os.SCHED_OTHER)"
    script = f"from imu_emg_estimator.calibration import background; background.yield_to_others(7); {show}"
    assert in_a_session_of_its_own(script) == "7 True\n"


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroups")
def test_others_of_its_session_keep_their_priority() -> None:
    lower = "from imu_emg_estimator.calibration import background; background.yield_to_others()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {lower!r}], check=True); {SHOW_AUTOGROUP}"
    assert "nice 0" in in_a_session_of_its_own(script)


def test_ends_with_whoever_started_it(worker: subprocess.Popen[str]) -> None:
    assert worker.poll() is None
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=60) == background.ORPHANED


def test_runs_the_command() -> None:
    command = [sys.executable, "-m", "imu_emg_estimator.calibration.background", "5", "--version"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read().startswith("imu-emg ")
        assert process.wait(timeout=60) == 0
