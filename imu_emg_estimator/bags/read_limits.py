"""Bounds on what reading a bag may cost, whatever the bag says of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from imu_emg_estimator.bags.bag_errors import BagUnreadable

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True)
class BagLimits:
    """What a bag may cost; beyond, it is refused with one sentence.

    Attributes:
        size: bytes of all its files together, on disk.
        expansion: bytes that one byte on disk may expand to, beyond ``free_expansion`` bytes. IMU and EMG data
            shrink to a half or a third, a constant signal to a fortieth: more is a bomb.
        free_expansion: bytes that any bag may expand to.
        message: bytes of one message that is read; others are skipped at any size.
        chunk: bytes of an uncompressed chunk or other record.
        topics: topics, and definitions of message types.
        files: files in a folder.
        name: characters of the name of a topic or type.
        samples: bytes of decoded IMU and EMG samples that are held in memory at once.
        duration: s that the longest piece between two jumps of the clock may last.
        seconds: s of wall time that reading may take.
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


class Meter:
    """Counts what reading one bag costs, and ends it where a limit is passed."""

    def __init__(self, path: Path, limits: BagLimits, size: int) -> None:
        """``size``: bytes of the bag on disk."""
        self.path, self.limits = path, limits
        self._allowed = limits.free_expansion + limits.expansion * size
        self._expanded = 0
        self._end = time.monotonic() + limits.seconds

    def rewind(self) -> None:
        """The bag is read anew; the clock goes on."""
        self._expanded = 0

    def expand(self, size: int) -> None:
        """So many bytes more came out of a decompressor."""
        self._expanded += size
        if self._expanded > self._allowed:
            raise BagUnreadable(
                f"bag {self.path} expands to more than {self._allowed / MIB:.0f} MiB, which no IMU or EMG data do; "
                "record it again"
            )
        self.tick()

    def tick(self) -> None:
        """Has the time run out?"""
        if self.out_of_time():
            raise BagUnreadable(
                f"bag {self.path} takes longer than {self.limits.seconds:g} s to read; cut out what is needed"
            )

    def out_of_time(self) -> bool:
        """Whether reading has taken as long as it may."""
        return time.monotonic() > self._end
