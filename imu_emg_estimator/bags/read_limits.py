"""Limits on the time and memory that reading a bag may take, whatever the bag claims about itself.

They hold in every process. The calibration worker also limits its memory as a whole (``utils.memory_limit``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from imu_emg_estimator.errors import BagUnreadable

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True)
class BagLimits:
    """What reading a bag may take; a bag that exceeds it is refused with one sentence.

    Attributes:
        size: of all its files together, on disk [bytes].
        expansion: bytes that one byte on disk may expand to, beyond ``free_expansion`` bytes. IMU and EMG data
            compress to a half or a third, a constant signal to a fortieth: what expands further is a bomb.
        free_expansion: bytes that any bag may expand to.
        message: of one message that is read [bytes]; others are skipped at any size.
        chunk: of an uncompressed chunk or other record [bytes].
        topics: number of topics, and of message types.
        files: number of files in a folder.
        name: characters of the name of a topic or type.
        samples: memory of the decoded IMU and EMG samples [bytes].
        duration: of the longest piece between two jumps of the clock [s].
        seconds: of reading, wall time [s].
    """

    size: int = 64 * GIB
    expansion: float = 50.0
    free_expansion: int = 64 * MIB
    message: int = 8 * MIB
    chunk: int = 128 * MIB
    topics: int = 10_000
    files: int = 10_000
    name: int = 4096
    samples: int = 1 * GIB
    duration: float = 4 * 3600.0
    seconds: float = 900.0


MAX_DURATION_S = BagLimits().duration


class Meter:
    """Counts what reading one bag takes, and raises BagUnreadable where a limit is exceeded."""

    def __init__(self, path: Path, limits: BagLimits, size: int) -> None:
        """``size``: of the bag on disk [bytes]."""
        self.path, self.limits = path, limits
        self._allowed = limits.free_expansion + limits.expansion * size
        self._expanded = 0
        self._end = time.monotonic() + limits.seconds

    def rewind(self) -> None:
        """Start to read the bag anew; its time goes on."""
        self._expanded = 0

    def expand(self, size: int) -> None:
        """Count bytes that came out of a decompressor."""
        self._expanded += size
        if self._expanded > self._allowed:
            raise BagUnreadable(
                f"bag {self.path} expands to more than {self._allowed / MIB:.0f} MiB, which no IMU or EMG data do; "
                "record it again"
            )
        self.tick()

    def tick(self) -> None:
        """Check the time."""
        if self.out_of_time():
            raise BagUnreadable(
                f"bag {self.path} takes longer than {self.limits.seconds:g} s to read; cut out what is needed"
            )

    def out_of_time(self) -> bool:
        """Whether the time has run out."""
        return time.monotonic() > self._end
