"""Scheduling of the threads that carry the data: real-time priority and processors, where the system allows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


def current_threads() -> list[int]:
    """Ids of all threads of this process, the middleware's included."""
    if not TASKS.is_dir():
        return [0]  # the calling one; not Linux
    return sorted(int(entry.name) for entry in TASKS.iterdir())


def schedule(threads: Sequence[int], priority: int, processors: Sequence[int]) -> list[str]:
    """Run threads before all others, on processors of their own.

    What they start later inherits both; what other threads start does not.

    Args:
        priority: SCHED_FIFO, 1 to 99; 0 = leave it as it is.
        processors: numbers; empty = leave them as they are.

    Returns:
        What the system refused and what to do, in a sentence each.
    """
    refusals = []
    if processors and (cause := _refused(threads, lambda thread: os.sched_setaffinity(thread, processors))):
        refusals.append(
            f"cpu_affinity {list(processors)} was refused ({cause}): estimates go on, on any processor; "
            f"give some of 0 to {(os.cpu_count() or 1) - 1} that this process may use"
        )
    if priority and (cause := _refused(threads, lambda thread: _make_realtime(thread, priority))):
        refusals.append(
            f"realtime_priority {priority} was refused ({cause}): estimates go on, at the usual priority; "
            f"allow it with a line '<user> - rtprio {priority}' in /etc/security/limits.conf and a new login, "
            "or in a container with --cap-add=SYS_NICE"
        )
    return refusals


def _make_realtime(thread: int, priority: int) -> None:
    os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))


def _refused(threads: Sequence[int], change: Callable[[int], None]) -> str:
    """Why a change of all threads failed; empty if it did not."""
    try:
        for thread in threads:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                change(thread)
    except AttributeError:
        return "this system does not know it"
    except (OSError, ValueError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
