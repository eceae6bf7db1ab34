"""Delays of one sensor's samples as they come: their floor, its drift, and how much they scatter above it."""

from __future__ import annotations

from dataclasses import dataclass

from imu_emg_estimator.signals.delay_floor import BLOCK_NS, NEVER_NS, DelayFloor

LONG_BLOCK = 16  # blocks to a block of the slow floor, which shows slow drifts
MAX_DRIFT = 0.012  # s/s
MIN_CHANGE_NS = 3_000_000  # over the blocks of a floor, to be called a drift


@dataclass
class CommonDelay:
    """What the sensors have in common, in ns.

    Attributes:
        usual: smallest delay of a sensor whose timestamps are used as they are.
        scatter: typical delay beyond it.
    """

    usual: int = 0
    scatter: int = 0


class DelayTracker:
    """Tracks the delays of one sensor, all in ns.

    Attributes:
        floor: of the delays of the last seconds.
        scatter: typical delay beyond the smallest one of a block.
        blocks: that have ended.
        step: change of the floor at the last block beyond its drift.
        smallest: delay in the last block.
    """

    __slots__ = (
        "_count", "_due", "_minimum", "_minimum_at", "_slow_minimum", "_slow_minimum_at", "_total", "blocks", "floor",
        "scatter", "slow_floor", "smallest", "step",
    )  # fmt: skip

    def __init__(self) -> None:
        self.floor, self.slow_floor = DelayFloor(MAX_DRIFT), DelayFloor(MAX_DRIFT)
        self._minimum, self._due, self._total, self._count = NEVER_NS, 0, 0, 0
        self.restart(0, 0)

    def restart(self, arrival: int, delay: int, scatter: int = 0) -> None:
        """Begin anew with one delay and the scatter, if it is known."""
        self.floor.clear()
        self.slow_floor.clear()
        self.floor.add(arrival, delay)
        self.blocks, self.scatter, self.step, self.smallest = 0, scatter, 0, delay
        self._slow_minimum = NEVER_NS
        self._minimum_at = self._slow_minimum_at = arrival
        self.cut(arrival, BLOCK_NS)

    def add(self, arrival: int, delay: int) -> bool:
        """Take the delay of another sample; returns whether a block ended."""
        if delay < self._minimum:
            self._minimum, self._minimum_at = delay, arrival
        self._total += delay
        self._count += 1
        if arrival < self._due:
            return False
        self._end_block(arrival)
        return True

    def cut(self, arrival: int, length: int) -> None:
        """Begin a block anew, which ends after so many ns: what came before it tells nothing of what follows."""
        self._minimum, self._due = NEVER_NS, arrival + length
        self._total = self._count = 0

    def shift(self, change: int) -> None:
        """Add to all delays."""
        self.floor.shift(change)
        self.slow_floor.shift(change)
        self._minimum += change
        self._slow_minimum += change
        self._total += change * self._count

    def is_drifting(self) -> bool:
        """Whether the floor changes steadily."""
        least = MIN_CHANGE_NS + self.scatter // 2
        return abs(self.floor.change()) > least or abs(self.slow_floor.change()) > least

    @property
    def drift(self) -> float:
        """Drift of the floor [s/s], from as long a stretch as is known."""
        return self.slow_floor.slope or self.floor.slope

    def _end_block(self, arrival: int) -> None:
        minimum, at = self._minimum, self._minimum_at
        self.smallest = minimum
        self.step = minimum - self.floor.at(at)
        self.floor.add(at, minimum)
        if minimum < self._slow_minimum:
            self._slow_minimum, self._slow_minimum_at = minimum, at
        spread = self._total // self._count - minimum
        self.scatter = spread if not self.blocks + self.scatter else self.scatter + (spread - self.scatter) // 4
        self.blocks += 1
        if self.blocks % LONG_BLOCK == 0:
            self.slow_floor.add(self._slow_minimum_at, self._slow_minimum)
            self._slow_minimum = NEVER_NS
        self.cut(arrival, BLOCK_NS)
