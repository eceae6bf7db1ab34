"""Statistics over the last fractions of a second and seconds of one part of a sensor, at a constant cost a sample.

Samples are gathered into blocks of about 50 ms; a window of so many blocks is the difference of two running sums.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.imu_units import GRAVITY_MPS2

Vector = tuple[float, float, float]  # of the axes of one part

BLOCK_NS = 45_000_000  # 50 ms at 60 and 100 Hz
MAX_BLOCKS = 43  # two seconds
KEPT_BLOCKS = 6  # whose samples are kept
MAX_GAP_NS = SECOND // 4  # longer without samples: what was before is forgotten
JUMP_RATIO = 3.5  # of the lengths of two samples in a row
JUMP_SQUARES = JUMP_RATIO**2
MAX_UNLIKE, MIN_IN_MPS2 = 0.3, 4.0  # share by which a sample in g may differ from the one beside it, in m/s²
MIN_RETURN_SQUARE = 8.0**2  # of a step that counts, in the unit of the part ...
MAX_LEFT_SQUARE = 0.35**2  # ... and of what is left of it after one that takes it back, as a share

# Since the start: samples; sums of x, y, z, their squares, and lengths; jumps of the length; squared steps from the
# sample before, and from the one before that; returns; changes of unit.
_Sums = tuple[int, float, float, float, float, float, float, float, int, float, float, int, int]
# Of a block: shortest and longest length and largest step, squared, and that step.
_Extremes = tuple[float, float, float, "Vector"]
NOTHING: _Sums = (0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0, 0)
NO_STEP: Vector = (0.0, 0.0, 0.0)


class Window:
    """Statistics of the samples between two running sums.

    Attributes:
        samples: number of them.
        mean, variances: of each axis.
        gravity: length of the mean.
        deviation: standard deviation, of all axes together.
        mean_length: of the vectors.
        jumps: samples that are much longer or shorter than the one before.
        steps, double_steps: sums of squared changes from the sample before, and from the one before that.
        returns: large steps that take back the large one before.
        unit_changes: from a sample in m/s² to nearly the same in g, or back.
    """

    __slots__ = (
        "deviation", "double_steps", "gravity", "jumps", "mean", "mean_length", "returns", "samples", "steps",
        "unit_changes", "variances",
    )  # fmt: skip

    def __init__(self, before: _Sums, after: _Sums) -> None:
        n0, x0, y0, z0, xx0, yy0, zz0, length0, jumps0, steps0, double0, returns0, units0 = before
        n, x, y, z, xx, yy, zz, length, jumps, steps, double, returns, units = after
        self.samples = count = n - n0
        mx, my, mz = self.mean = (x - x0) / count, (y - y0) / count, (z - z0) / count
        vx, vy, vz = (xx - xx0) / count - mx * mx, (yy - yy0) / count - my * my, (zz - zz0) / count - mz * mz
        self.variances = vx, vy, vz
        self.gravity = math.sqrt(mx * mx + my * my + mz * mz)
        self.deviation = math.sqrt(max(vx + vy + vz, 0.0))
        self.mean_length = (length - length0) / count
        self.jumps, self.steps, self.double_steps = jumps - jumps0, steps - steps0, double - double0
        self.returns, self.unit_changes = returns - returns0, units - units0

    @property
    def length_variation(self) -> float:
        """Standard deviation of the lengths over their mean."""
        squares = sum(self.variances) + self.gravity**2
        return math.sqrt(max(squares - self.mean_length**2, 0.0)) / max(self.mean_length, 1e-9)


class SampleWindows:
    """Follows the finite samples of one part of a sensor.

    Attributes:
        blocks: samples of the newest blocks.
    """

    def __init__(self) -> None:
        self.blocks: deque[list[Vector]] = deque(maxlen=KEPT_BLOCKS)
        self._extremes: deque[_Extremes] = deque(maxlen=MAX_BLOCKS)
        self._sums: deque[_Sums] = deque(maxlen=MAX_BLOCKS + 1)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.blocks.clear()
        self._extremes.clear()
        self._sums.clear()
        self._sums.append(NOTHING)
        self._open: list[Vector] = []
        self._end = self._latest = NEVER
        self._last: tuple[Vector, Vector] | None = None  # last sample but one, and last
        self._leap = NO_STEP  # the latest step that counts for returns

    def forget_blocks(self) -> None:
        """Forget what was before the newest block."""
        while len(self._extremes) > 1:
            self._extremes.popleft()
            self._sums.popleft()

    def take(self, instant: int, sample: Vector) -> bool:
        """Take the finite values of an instant [ns]; return whether a block is complete."""
        step = instant - self._latest
        if not -MAX_GAP_NS <= step <= MAX_GAP_NS:  # radio lets some messages overtake others
            self.reset()
            self._latest, self._end = instant, instant + BLOCK_NS
        elif step > 0:
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
        return Window(self._sums[-1 - before - blocks], self._sums[-1 - before])

    def mean(self, blocks: int, before: int = 0) -> Vector | None:
        """Return the mean of such a window, in less time."""
        if len(self._sums) <= blocks + before:
            return None
        first, last = self._sums[-1 - before - blocks], self._sums[-1 - before]
        count = last[0] - first[0]
        return (last[1] - first[1]) / count, (last[2] - first[2]) / count, (last[3] - first[3]) / count

    def block_means(self, blocks: int) -> NDArray[np.float64] | None:
        """Return the mean of each of so many blocks [blocks, 3], the newest last; None = there are not enough yet."""
        if len(self._sums) <= blocks:
            return None
        sums = np.diff([self._sums[index][:4] for index in range(-1 - blocks, 0)], axis=0)
        return np.asarray(sums[:, 1:] / sums[:, :1])

    def shortest(self, blocks: int) -> float:
        """Return the length of the shortest sample of so many blocks that are there."""
        return math.sqrt(min([self._extremes[-1 - index][0] for index in range(blocks)]))

    def longest(self, blocks: int) -> float:
        """Return the length of the longest sample of so many blocks that are there."""
        return math.sqrt(max([self._extremes[-1 - index][1] for index in range(blocks)]))

    def step(self, blocks: int, before: int = 0) -> float:
        """Return the length of the largest step from sample to sample in so many blocks that are there."""
        return math.sqrt(max([self._extremes[-1 - before - index][2] for index in range(blocks)]))

    def step_towards(self, change: Vector, blocks: int) -> float:
        """Return how far the largest step in so many blocks that are there goes in the direction of a change."""
        newest = [self._extremes[-1 - index] for index in range(blocks)]
        return dot(max(newest, key=lambda extremes: extremes[2])[3], change) / math.hypot(*change)

    def _close(self) -> None:
        samples, self._open = self._open, []
        self.blocks.append(samples)
        count, x, y, z, xx, yy, zz, length, jumps, steps, double, returns, units = self._sums[-1]
        shortest, longest, largest, leap = math.inf, 0.0, 0.0, NO_STEP
        (px, py, pz), (lx, ly, lz) = self._last or (samples[0], samples[0])
        before = lx * lx + ly * ly + lz * lz
        for a, b, c in samples:
            aa, bb, cc = a * a, b * b, c * c
            square = aa + bb + cc
            x, y, z, xx, yy, zz, length = x + a, y + b, z + c, xx + aa, yy + bb, zz + cc, length + math.sqrt(square)
            if square < shortest:
                shortest = square
            if square > longest:
                longest = square
            if square > before * JUMP_SQUARES or before > square * JUMP_SQUARES:
                jumps += 1
                units += _changes_unit((a, b, c), (lx, ly, lz)) or _changes_unit((lx, ly, lz), (a, b, c))
            dx, dy, dz = a - lx, b - ly, c - lz
            step = dx * dx + dy * dy + dz * dz
            if step > largest:
                largest, leap = step, (dx, dy, dz)
            steps += step
            if step > MIN_RETURN_SQUARE:
                returns += _takes_back((dx, dy, dz), self._leap)
                self._leap = dx, dy, dz
            dx, dy, dz = a - px, b - py, c - pz
            double += dx * dx + dy * dy + dz * dz
            px, py, pz, lx, ly, lz, before = lx, ly, lz, a, b, c, square
        self._last = (px, py, pz), (lx, ly, lz)
        self._sums.append((count + len(samples), x, y, z, xx, yy, zz, length, jumps, steps, double, returns, units))
        self._extremes.append((shortest, longest, largest, leap))


def _takes_back(step: Vector, before: Vector) -> bool:
    left = step[0] + before[0], step[1] + before[1], step[2] + before[2]
    return dot(left, left) < MAX_LEFT_SQUARE * min(dot(step, step), dot(before, before))


def _changes_unit(in_g: Vector, in_mps2: Vector) -> bool:
    """Whether one sample is another in g."""
    square = dot(in_mps2, in_mps2)
    left = [GRAVITY_MPS2 * a - b for a, b in zip(in_g, in_mps2, strict=True)]
    return square > MIN_IN_MPS2**2 and math.hypot(*left) < MAX_UNLIKE * math.sqrt(square)


def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
