"""The memory limit: allocations past it fail with MemoryError, in this process and in its children."""

import subprocess
import sys
import textwrap

import pytest

MIB = 1 << 20


def run(script: str) -> str:
    """What a script prints that runs in a process of its own, so that no limit stays behind."""
    head = "import resource\nfrom imu_emg_estimator.utils.memory_limit import limit_memory\nMIB = 1 << 20\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


@pytest.mark.hostile
@pytest.mark.parametrize("allocate", ["bytes(600 * MIB)", "bytearray(600 * MIB)", "__import__('numpy').ones(75 * MIB)"])
def test_limit_memory_refuses_what_is_past_the_limit(allocate: str) -> None:
    script = f"""
        limit_memory(400 * MIB)
        kept = bytes(100 * MIB)
        try:
            {allocate}
        except MemoryError:
            print("refused")
    """
    assert run(script) == "refused"


def test_limit_memory_counts_from_what_the_process_has() -> None:
    script = """
        before = bytearray(500 * MIB)
        limit_memory(200 * MIB)
        after = bytearray(150 * MIB)
        print(len(before) + len(after) == 650 * MIB)
    """
    assert run(script) == "True"


def test_limit_memory_keeps_a_lower_limit() -> None:
    script = """
        limit_memory(300 * MIB)
        lower = resource.getrlimit(resource.RLIMIT_DATA)
        limit_memory(4000 * MIB)
        print(resource.getrlimit(resource.RLIMIT_DATA) == lower)
    """
    assert run(script) == "True"


@pytest.mark.hostile
def test_limit_memory_holds_for_children() -> None:
    script = """
        import subprocess, sys
        limit_memory(300 * MIB)
        child = "try:\\n    bytes(800 << 20)\\nexcept MemoryError:\\n    print('refused')"
        print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
    """
    assert run(script) == "refused"


def test_limit_memory_does_nothing_where_memory_is_not_reported() -> None:
    script = """
        from pathlib import Path
        from imu_emg_estimator.utils import memory_limit
        memory_limit.STATUS = Path("/nowhere/status")
        limit_memory(0)
        print(resource.getrlimit(resource.RLIMIT_DATA) == (resource.RLIM_INFINITY,) * 2)
    """
    assert run(script) == "True"
