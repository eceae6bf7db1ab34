"""Processes under test: their use is measured and limited, their failures reported."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from fixtures.factories import refusal

from benchmarks.latency.measured_processes import Child, Limits, machine_time, memory_of

PATIENCE_S = 600.0  # only a test that fails waits so long
BUSY = "import time; end = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"
LARGE = "data = bytearray({size})\n"


def python(code: str, folder: Path, limits: Limits | None = None) -> Child:
    """A process that runs code."""
    return Child([sys.executable, "-c", code], folder / "child.log", limits or Limits())


@pytest.mark.slow
def test_processor_time_includes_children(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY.format(seconds=0.3)!r}])\n"
        f"{BUSY.format(seconds=0.2)}print('done', flush=True); time.sleep(1000)"
    )
    before = machine_time()
    with python(code, tmp_path) as child:
        child.wait_for("done", PATIENCE_S)
        assert 0.45 < child.processor_time() < 5.0
    assert machine_time() - before > 0.45


def test_memory_is_that_of_process(tmp_path: Path) -> None:
    size = 100 << 20
    with python(
        f"{LARGE.format(size=size)}data[::4096] = data[::4096]\nprint('done', flush=True); input()", tmp_path
    ) as child:
        child.wait_for("done", PATIENCE_S)
        memory = child.memory()
        assert 100 < memory["rss"] < 200
        assert memory["processes"] == 1
        assert memory_of(child.process.pid)["rss"] == pytest.approx(memory["rss"], rel=0.1)


def test_cores_are_limited(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    code = "import os; input(); print('cores', *os.sched_getaffinity(0), flush=True)"
    with python(code, tmp_path, Limits(cores=(core,))) as child:
        child.write_line("limits are set")
        assert child.wait_for("cores", PATIENCE_S) == str(core)
        child.wait(PATIENCE_S)


def test_memory_is_limited(tmp_path: Path) -> None:
    code = f"input(); {LARGE.format(size=400 << 20)}data[::4096] = data[::4096]\nprint('done')"
    with python(code, tmp_path, Limits(memory=200 << 20)) as child, refusal("child ended with status"):
        child.write_line("limits are set")
        child.wait(PATIENCE_S)


def test_load_gets_remaining_cores() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    assert Limits().rest().cores is None
    assert Limits(cores=tuple(allowed)).rest().cores is None
    if len(allowed) > 1:
        assert Limits(cores=(allowed[0],)).rest().cores == tuple(allowed[1:])


def test_process_waits_for_line(tmp_path: Path) -> None:
    with python("print('ready', flush=True); print('got', input(), flush=True); input()", tmp_path) as child:
        child.wait_for("ready", PATIENCE_S)
        child.write_line("this")
        assert child.wait_for("got ", PATIENCE_S) == "this"
        with refusal("said nothing of 'more'", "child.log"):
            child.wait_for("more", 0.05)


def test_process_reports_failure_with_last_line(tmp_path: Path) -> None:
    with (
        python("raise SystemExit('the bundle is missing')", tmp_path) as child,
        refusal("child ended with status 1", "the bundle is missing"),
    ):
        child.wait_for("ready", PATIENCE_S)


def test_process_ends_with_its_context(tmp_path: Path) -> None:
    with python("import time; print('ready', flush=True); time.sleep(1000)", tmp_path) as child:
        child.wait_for("ready", PATIENCE_S)
    assert child.process.poll() == -signal.SIGTERM


def test_process_ends_with_killed_benchmark(tmp_path: Path) -> None:
    """A load that played on for ever would spoil whatever is measured next."""
    parent = f"""
import sys, time
from pathlib import Path
from benchmarks.latency.measured_processes import Child
with Child([sys.executable, "-c", "import time; time.sleep(999)"], Path({str(tmp_path / "grandchild.log")!r})) as child:
    print("child", child.process.pid, flush=True)
    time.sleep(1000)
"""
    with python(parent, tmp_path) as child:
        pid = int(child.wait_for("child ", PATIENCE_S))
        child.process.kill()
        child.process.wait()
        deadline = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(f"/proc/{pid}").exists()
