"""How much of the processors a process gets, by the kernel's account; Linux only."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIN_WALL_S = 5.0  # before that, nothing is said of a process
STARVED_SHARE = 0.25  # of one processor; a process that waits and gets less is starved
NANOSECOND_S = 1e-9


@dataclass(frozen=True)
class ProcessorTime:
    """What a process got since its start.

    Attributes:
        running_s: on a processor, all threads together; NaN = not known.
        waiting_s: ready to run while other processes had the processors; NaN = not known.
        wall_s: since its start.
    """

    running_s: float
    waiting_s: float
    wall_s: float

    @property
    def is_starved(self) -> bool:
        """Whether other processes leave it next to nothing; one that waits for a disk is not starved."""
        hungry = self.running_s < STARVED_SHARE * self.wall_s and self.waiting_s > 0.5 * self.wall_s
        return self.wall_s >= MIN_WALL_S and hungry

    def __str__(self) -> str:
        """Say it as in "it took ..."."""
        wall = f"{self.wall_s:.1f} s"
        return wall if math.isnan(self.running_s) else f"{wall} ({self.running_s:.1f} s of processor time)"


def processor_time(process: int, wall_s: float) -> ProcessorTime:
    """Read what a process got so far; figures of threads that have ended are missing.

    Args:
        process: its id.
        wall_s: since its start.
    """
    running = waiting = 0
    threads = list(Path(f"/proc/{process}/task").glob("*/schedstat"))
    for thread in threads:
        with suppress(OSError, ValueError):  # it has ended
            ran, waited, _ = map(int, thread.read_text().split())
            running, waiting = running + ran, waiting + waited
    if not threads:
        return ProcessorTime(math.nan, math.nan, wall_s)
    return ProcessorTime(running * NANOSECOND_S, waiting * NANOSECOND_S, wall_s)
