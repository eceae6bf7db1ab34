"""How much of the processors a process gets, and when others starve it."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from imu_emg_estimator.utils.processor_time import ProcessorTime, processor_time

WORK = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"


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
