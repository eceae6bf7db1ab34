"""Gravity that vanishes from one sensor in one step, and leaves less than any of its movements did before.

A driver that begins to remove gravity takes it away from one sample to the next, and what is left averages to nothing.
Legs that swing and land come near to both, which is why a sensor is compared with itself: with the last seconds, and
with the stride before, from which it differs by gravity. The limits of the first were chosen on HuGaDB's 13 subjects,
each with gravity removed in a walk, and clean: one step in 24 minutes of locomotion of six of them is taken for a loss
that is none. Those of the second were chosen on subjects 2, 3, 5, 6, 7 and 8, and hold on the others.
"""

from __future__ import annotations

import itertools
import math
from collections import deque

import numpy as np

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector, dot

BEFORE, AFTER = 17, 3  # blocks beside the block of the step: 0.85 and 0.15 s
GRAVITY_MPS2 = (3.0, 13.0)  # of a mean that shows its direction: feet are at the end of their range for a while
STANDARD_MPS2 = 9.81
MIN_STEP_MPS2 = 4.0
MIN_LEFT_MPS2 = -6.0  # along gravity, on average afterwards; less is that of a sensor that turned over
MIN_LONGEST_MPS2 = 2.5  # sample afterwards; shorter ones are in g, or of a sensor at rest, which more than a step shows
UNLIKE_WEIGHT = 2.0  # of the difference between the step and gravity
MIN_SCORE = -0.25
STRIDES = np.arange(8, 33)[:, None]  # blocks: 0.4 to 1.6 s
FIT, LATER = 5, 4  # blocks before and after the block of the step that are compared with those a stride before
MAX_LATER_MPS2 = 6.0  # along gravity, on average afterwards
LESS_WEIGHT, LATER_UNLIKE_WEIGHT = 0.6, 1.5  # of how little is left, and of the difference between step and gravity
STRIDE_NOISE = 0.03  # mean square difference from stride to stride, in squared gravities
MIN_STRIDE_SCORE = 0.15  # logarithm of a ratio
MEMORY_NS = 5 * SECOND  # of movements, at least; at most twice as long
WRONG_NS, WARY_NS = 2 * SECOND, 60 * SECOND  # gravity that is there again so soon was not lost; and what follows


class GravityLoss:
    """Follows the gravity of one sensor."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what the sensor did."""
        self._waiting: deque[float] = deque(maxlen=AFTER + 1)  # of the newest blocks, which may be after a step
        self._least = self._least_before = math.inf  # of gravity [m/s²] that was left of late, and before
        self._period_end = self._lost_at = self._wary_until = NEVER

    def take(self, instant: int, windows: SampleWindows) -> bool:
        """Look at the newest block, which ended at an instant [ns]; return whether gravity vanished a moment ago."""
        before, after = windows.mean(BEFORE, AFTER + 1), windows.mean(AFTER)
        if before is None or after is None:
            return False
        length = math.sqrt(dot(before, before))
        if not GRAVITY_MPS2[0] < length < GRAVITY_MPS2[1]:
            return False
        left = dot(after, before) / length
        is_known = self._least_before < math.inf and instant >= self._wary_until
        least = min(self._least, self._least_before)
        self._remember(instant, left)
        if not is_known or not (self._vanished(windows, before, left, least) or _differs(windows, least)):
            return False
        self._waiting.clear()
        self._lost_at = instant
        return True

    def returned(self, instant: int) -> None:
        """Note that gravity is there, where its loss was suspected."""
        self._waiting.clear()
        if instant - self._lost_at < WRONG_NS:
            self._wary_until = instant + WARY_NS

    def _vanished(self, windows: SampleWindows, before: Vector, left: float, least: float) -> bool:
        """Whether a step like the loss of gravity left less of it than there was."""
        less = min((least - left) / STANDARD_MPS2, 1.0)  # more is another fault's
        if less < MIN_SCORE or left < MIN_LEFT_MPS2 or not _steps(windows, AFTER):
            return False
        return less - UNLIKE_WEIGHT * _unlike(windows, before, AFTER) >= MIN_SCORE

    def _remember(self, instant: int, left: float) -> None:
        if len(self._waiting) > AFTER:
            self._least = min(self._least, self._waiting[0])
        self._waiting.append(left)
        if instant >= self._period_end:
            if self._period_end > NEVER:
                self._least_before, self._least = self._least, math.inf
            self._period_end = instant + MEMORY_NS


def _differs(windows: SampleWindows, least: float) -> bool:
    """Whether a step like the loss of gravity was followed by what is, without it, the same as a stride before."""
    if not _steps(windows, LATER):
        return False
    before, after = windows.mean(BEFORE, LATER + 1), windows.mean(LATER)
    if before is None or after is None:
        return False
    length = math.sqrt(dot(before, before))
    left = dot(after, before) / max(length, 1e-9)
    if not (GRAVITY_MPS2[0] < length < GRAVITY_MPS2[1] and MIN_LEFT_MPS2 < left < MAX_LATER_MPS2):
        return False
    less = min((least - left) / STANDARD_MPS2, 1.0)
    score = LESS_WEIGHT * less - LATER_UNLIKE_WEIGHT * _unlike(windows, before, LATER)
    return score + _stride_evidence(windows, before) > MIN_STRIDE_SCORE


def _stride_evidence(windows: SampleWindows, before: Vector) -> float:
    """Return how much more what followed the step is like a stride before without its gravity than with it."""
    blocks = windows.block_means(int(STRIDES[-1, 0]) + FIT + 1 + LATER)
    if blocks is None:
        return -math.inf
    event = len(blocks) - 1 - LATER
    compared = np.r_[event - FIT : event, event + 1 : len(blocks)]
    change = blocks[compared] - blocks[compared - STRIDES]  # [strides, blocks, 3]
    as_it_is = (change**2).sum(axis=(1, 2)).min()
    change[:, FIT:] += np.array(before) * (STANDARD_MPS2 / math.hypot(*before))
    without = (change**2).sum(axis=(1, 2)).min()
    noise = STRIDE_NOISE * STANDARD_MPS2**2 * len(compared)
    return math.log((as_it_is + noise) / (without + noise))


def _steps(windows: SampleWindows, after: int) -> bool:
    """Whether there is a step so many blocks before the newest, and more afterwards than in g or at rest."""
    return windows.step(1, after) >= MIN_STEP_MPS2 and windows.longest(after) >= MIN_LONGEST_MPS2


def _unlike(windows: SampleWindows, before: Vector, after: int) -> float:
    """Return by how much the step so many blocks ago that is most like the loss of gravity differs from it [g]."""
    scale = STANDARD_MPS2 / math.hypot(*before)
    x, y, z = before[0] * scale, before[1] * scale, before[2] * scale
    samples = [windows.blocks[-2 - after][-1], *windows.blocks[-1 - after]]
    steps = itertools.pairwise(samples)
    return min([math.hypot(d - a + x, e - b + y, f - c + z) for (a, b, c), (d, e, f) in steps]) / STANDARD_MPS2
