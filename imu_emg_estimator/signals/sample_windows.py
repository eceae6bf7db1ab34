"""Sums over the last fractions of a second and seconds of one part of a sensor, at a constant cost a sample.

Samples are gathered into blocks of about 50 ms. What is asked of a window of so many blocks comes from differences of
running sums, or from the few blocks themselves.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND

Vector = tuple[float, float, float]

BLOCK_NS = 45_000_000  # 50 ms at 60 and 100 Hz
MAX_BLOCKS = 41  # two seconds
MAX_GAP_NS = SECOND // 4  # longer without samples: what was before is forgotten
JUMP_RATIO = 3.5  # of the lengths of two samples in a row


class Sums(NamedTuple):
    """Sums since the start: number of samples, values, squares of each axis, and lengths."""

    count: float
    x: float
    y: float
    z: float
    xx: float
    yy: float
    zz: float
    length: float


class Block(NamedTuple):
    """What is kept of a block beside sums.

    Attributes:
        shortest, longest: squared lengths of its samples.
        largest_step: squared, from one sample to the next.
        steps: sum of squared steps to the sample before.
        double_steps: sum of squared steps to the one before that.
        jumps: samples that are much longer or shorter than the one before.
    """

    count: int
    shortest: float
    longest: float
    largest_step: float
    steps: float
    double_steps: float
    jumps: int


class Window(NamedTuple):
    """Mean, standard deviations of the axes, and mean length of so many samples."""

    mean: Vector
    deviations: Vector
    mean_length: float

    @property
    def gravity(self) -> float:
        """Length of the mean."""
        return math.hypot(*self.mean)

    @property
    def deviation(self) -> float:
        """Of all axes together."""
        return math.hypot(*self.deviations)

    @property
    def length_deviation(self) -> float:
        """Standard deviation of the lengths."""
        squares = self.gravity**2 + self.deviation**2
        return math.sqrt(max(squares - self.mean_length**2, 0.0))


class SampleWindows:
    """Follows the finite samples of one part of a sensor.

    Attributes:
        blocks: the latest ones.
    """

    def __init__(self) -> None:
        self.blocks: deque[Block] = deque(maxlen=MAX_BLOCKS)
        self._sums: deque[Sums] = deque(maxlen=MAX_BLOCKS + 1)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.keep(0)
        self._open: list[Vector] = []
        self._end = self._latest = NEVER
        self._last: Vector | None = None
        self._last_but_one: Vector | None = None

    def keep(self, blocks: int) -> None:
        """Forget all but the latest blocks."""
        while len(self.blocks) > blocks:
            self.blocks.popleft()
        while len(self._sums) > blocks + 1:
            self._sums.popleft()
        if not self._sums:
            self._sums.append(Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))

    def take(self, instant: int, sample: Vector) -> bool:
        """Take the finite values of an instant [ns]; return whether a block is complete."""
        if not 0 <= instant - self._latest <= MAX_GAP_NS:
            self.reset()
            self._end = instant + BLOCK_NS
        self._latest = instant
        self._open.append(sample)
        if instant < self._end:
            return False
        self._end = instant + BLOCK_NS
        self._close()
        return True

    def window(self, blocks: int, before: int = 0) -> Window | None:
        """Return the window of so many blocks, so many blocks before the newest; None = there are not enough yet."""
        if len(self._sums) <= blocks + before:
            return None
        newest, oldest = self._sums[-1 - before], self._sums[-1 - before - blocks]
        count, x, y, z, xx, yy, zz, length = (a - b for a, b in zip(newest, oldest, strict=True))
        mx, my, mz = x / count, y / count, z / count
        deviations = (_root(xx / count - mx * mx), _root(yy / count - my * my), _root(zz / count - mz * mz))
        return Window((mx, my, mz), deviations, length / count)

    def _close(self) -> None:
        samples, self._open = self._open, []
        _, x, y, z, xx, yy, zz, length = self._sums[-1]
        shortest, longest, largest, steps, double_steps, jumps = math.inf, 0.0, 0.0, 0.0, 0.0, 0
        last, last_but_one = self._last or samples[0], self._last_but_one or samples[0]
        lx, ly, lz = last
        before = lx * lx + ly * ly + lz * lz
        for sample in samples:
            a, b, c = sample
            aa, bb, cc = a * a, b * b, c * c
            square = aa + bb + cc
            x, y, z, xx, yy, zz, length = x + a, y + b, z + c, xx + aa, yy + bb, zz + cc, length + math.sqrt(square)
            if square < shortest:
                shortest = square
            if square > longest:
                longest = square
            if square > before * JUMP_RATIO**2 or before > square * JUMP_RATIO**2:
                jumps += 1
            step = (a - lx) ** 2 + (b - ly) ** 2 + (c - lz) ** 2
            if step > largest:
                largest = step
            steps += step
            double_steps += (a - last_but_one[0]) ** 2 + (b - last_but_one[1]) ** 2 + (c - last_but_one[2]) ** 2
            last_but_one, last, before = last, sample, square
            lx, ly, lz = sample
        self._last, self._last_but_one = last, last_but_one
        self._sums.append(Sums(self._sums[-1].count + len(samples), x, y, z, xx, yy, zz, length))
        self.blocks.append(Block(len(samples), shortest, longest, largest, steps, double_steps, jumps))


def _root(square: float) -> float:
    return math.sqrt(square) if square > 0.0 else 0.0
