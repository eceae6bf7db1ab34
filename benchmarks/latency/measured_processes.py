"""Processes that are measured: their limits, processor time and memory, read from /proc."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from imu_emg_estimator.errors import InputError

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")  # unit of processor time in /proc
MEGABYTE = 1 << 20
POLL_S = 0.01  # s
GRACE_S = 15.0  # between SIGTERM and SIGKILL
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Limits:
    """Resources of a process under test, as a stand-in for a smaller machine.

    Attributes:
        cores: processor cores; None = all.
        memory: bytes; None = all.
    """

    cores: tuple[int, ...] | None = None
    memory: int | None = None

    def rest(self) -> Limits:
        """Cores for the other processes: the remaining ones, or all if there are none."""
        others = tuple(sorted(os.sched_getaffinity(0) - set(self.cores or ())))
        return Limits(cores=others if self.cores and others else None)


NONE = Limits()


class Child:
    """A process that ends with the context.

    Its output goes to a file; ``wait_for`` waits for a line in it.

    Args:
        output: file for its standard output and error.
        threads: limit for numerical libraries; None = the default, as for a user.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        limits: Limits = NONE,
        threads: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = output.stem
        self._output = output
        self._command = list(command)
        self._limits = limits
        self._environment = {key: value for key, value in os.environ.items() if key not in THREAD_VARIABLES}
        self._environment |= {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
        self._environment |= {"PYTHONUNBUFFERED": "1"} | dict(environment or {})
        self._group: Path | None = None

    def __enter__(self) -> Child:
        with self._output.open("wb") as output:
            self.launched = time.time_ns()
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                preexec_fn=_bind,
            )
        self._group = limit(self.process.pid, self._limits)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._group is not None:
            with suppress(OSError):
                self._group.rmdir()

    def said(self) -> str:
        """Return its output so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def lines(self, start: str) -> list[str]:
        """Return its complete lines with this prefix, without the prefix."""
        finished, _, _ = self.said().rpartition("\n")
        return [line[len(start) :].strip() for line in finished.split("\n") if line.startswith(start)]

    def wait_for(self, start: str, timeout: float) -> str:
        """Wait for a line with this prefix; return the rest of it."""
        deadline = time.monotonic() + timeout
        while not (found := self.lines(start)):
            self.check()
            if time.monotonic() > deadline:
                raise InputError(f"{self.name} said nothing of '{start}' within {timeout:.0f} s; see {self._output}")
            time.sleep(POLL_S)
        return found[-1]

    def check(self) -> None:
        """Raise InputError if it has ended."""
        if self.process.poll() is not None:
            last = (self.said().strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{self.name} ended with status {self.process.returncode} ({last}); see {self._output}")

    def write_line(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def wait(self, timeout: float) -> str:
        """Wait until it ends by itself; return its output. Raise InputError if it fails."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise InputError(f"{self.name} did not end within {timeout:.0f} s; see {self._output}") from None
        if status:
            self.check()
        return self.said()

    def stop(self) -> None:
        """End it, by SIGTERM first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()

    def processor_time(self) -> float:
        """Return the processor time [s] of it and its children."""
        return sum(_processor_time(pid) for pid in _family(self.process.pid))

    def memory(self) -> dict[str, float | None]:
        """Return the memory [MB] of it and its children, see ``memory_of``, and their number ``processes``."""
        family = _family(self.process.pid)
        parts = [memory_of(pid) for pid in family]
        total = {name: _sum([part[name] for part in parts]) for name in parts[0]} if parts else {}
        return {**total, "processes": len(family)}


def _bind() -> None:
    """In the new process: Ctrl-C is for the benchmark, which then ends its processes, and they end with it.

    Not a session of its own: Linux may share the processor out by session, and then a nice value counts within a
    session only.
    """
    os.setpgrp()
    with suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def limit(pid: int, limits: Limits) -> Path | None:
    """Limit a process that has just started; return the control group made for its memory, if any."""
    with suppress(ProcessLookupError):
        if limits.cores:
            os.sched_setaffinity(pid, limits.cores)
        if limits.memory:
            group = _memory_group(pid, limits.memory)
            if group is None:
                resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory, limits.memory))
            return group
    return None


def memory_limit_kind() -> str:
    """Return how memory is limited here: by a control group if possible, else by address space."""
    return "control group" if _memory_controller() else "address space (ulimit -v)"


def memory_of(pid: int | None) -> dict[str, float | None]:
    """Return the memory of a process [MB]: ``rss`` resident, ``pss`` with shared pages divided, ``peak`` of resident.

    None where the kernel does not report it. A pid of None is this process.
    """
    folder = Path("/proc") / ("self" if pid is None else str(pid))
    status = _fields(folder / "status")
    return {
        "rss": status.get("VmRSS"),
        "pss": _fields(folder / "smaps_rollup").get("Pss"),
        "peak": status.get("VmHWM"),
    }


def machine_time() -> float:
    """Return the processor time [s] of all processes since this machine started."""
    values = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = values[3] + values[4]
    return (sum(values[:8]) - idle) * TICK_S


def _fields(path: Path) -> dict[str, float]:
    """Parse lines like ``VmRSS:  1234 kB`` to MB."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {part[0].rstrip(":"): int(part[1]) / 1024 for part in parts if len(part) == 3 and part[2] == "kB"}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _family(pid: int) -> list[int]:
    """List the process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    family = [pid] if pid in parents else []
    for member in family:
        family.extend(child for child, parent in parents.items() if parent == member)
    return family


def _processor_time(pid: int) -> float:
    """Return the processor time [s] of the process and its ended children."""
    with suppress(OSError):
        return sum(int(value) for value in _stat(pid)[11:15]) * TICK_S
    return 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; the name before may contain anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _memory_group(pid: int, size: int) -> Path | None:
    """Make a control group with so many bytes; None if that is not possible."""
    controller = _memory_controller()
    if controller is None:
        return None
    folder, name = controller
    group = folder / f"imu_emg_bench_{pid}"
    try:
        group.mkdir()
        (group / name).write_text(str(size))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def _memory_controller() -> tuple[Path, str] | None:
    """Return the folder for new groups and the name of their limit; None without one."""
    root = Path("/sys/fs/cgroup")
    for folder, name in ((root / "memory", "memory.limit_in_bytes"), (root, "memory.max")):
        # The root of the second kind holds no limit itself, but says whether its children may.
        first = (folder / name).is_file()
        second = "memory" in _words(folder / "cgroup.subtree_control")
        if (first or second) and os.access(folder, os.W_OK):
            return folder, name
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
