"""Schedule the data threads: real-time priority and processors, where the system allows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

TASKS_FOLDER = Path("/proc/self/task")


def current_threads() -> list[int]:
    """List the ids of all threads of this process, including the middleware's."""
    if not TASKS_FOLDER.is_dir():
        return [0]  # the calling thread; not Linux
    return sorted(int(entry.name) for entry in TASKS_FOLDER.iterdir())


def schedule(threads: Sequence[int], priority: int, processors: Sequence[int]) -> list[str]:
    """Give threads a real-time priority and processors of their own.

    Threads that they start later inherit both; threads that others start do not.

    Args:
        priority: SCHED_FIFO, 1 to 99; 0 = leave it as it is.
        processors: numbers; empty = leave them as they are.

    Returns:
        One sentence for each setting that the system refused, with what to do.
    """
    refusals = []
    if processors and (cause := _refused(threads, lambda thread: os.sched_setaffinity(thread, processors))):
        refusals.append(
            f"cpu_affinity {list(processors)} was refused ({cause}): the node runs on any processor; "
            f"give some of 0 to {(os.cpu_count() or 1) - 1} that this process may use"
        )
    if priority and (cause := _refused(threads, lambda thread: _make_realtime(thread, priority))):
        refusals.append(
            f"realtime_priority {priority} was refused ({cause}): the node runs at normal priority; "
            f"allow it with a line '<user> - rtprio {priority}' in /etc/security/limits.conf and a new login, "
            "or in a container with --cap-add=SYS_NICE"
        )
    return refusals


def _make_realtime(thread: int, priority: int) -> None:
    os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))


def _refused(threads: Sequence[int], change: Callable[[int], None]) -> str:
    """Change all threads; return why that failed, or empty text."""
    try:
        for thread in threads:
            with suppress(ProcessLookupError):  # it has ended
                change(thread)
    except AttributeError:
        return "not supported by this system"
    except (OSError, ValueError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
