"""A limit on a process's memory: the outermost fence around the reading of files that nobody vouches for."""

from __future__ import annotations

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def limit_memory(extra_bytes: int) -> None:
    """Limit this process, for good, to some bytes beyond what it has now; an allocation past them is a MemoryError.

    Counts private writable memory (RLIMIT_DATA), not the whole address space: libraries of mathematics and of GPUs
    reserve far more addresses than they ever write to. Processes that are forked or started later inherit the limit. A
    lower limit that is already in force stays. Does nothing where the kernel does not report what a process has (it
    does on Linux).

    Args:
        extra_bytes: bytes that may be added.

    Source: getrlimit(2), proc_pid_status(5).
    """
    used_bytes = _writable_bytes()
    if used_bytes is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (used_bytes + extra_bytes, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))


def _writable_bytes() -> int | None:
    """Private writable memory of this process [bytes]; None = not known."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("VmData:")]
    return 1024 * int(sizes[0]) if sizes else None
