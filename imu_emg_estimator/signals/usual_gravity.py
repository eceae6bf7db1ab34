"""Where gravity lay in a sensor's axes of late, second by second: tells a turn from a turn back.

While limbs swing, one of two turns stays unseen: of those of axes that were negated for a while, often the first.
"""

from __future__ import annotations

import math
from collections import deque

from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector, dot

SECOND_BLOCKS = 20
KEPT_SECONDS = 60
MIN_SECONDS = 2  # in a posture that is known
# Shares of a turn: along its way, and across it, where a second lay. What is known of gravity after a turn may still be
# half of that before it, so that seconds lie beyond.
MAX_BEFORE, MIN_AFTER, MAX_ACROSS = 0.4, 0.6, 0.5


class UsualGravity:
    """Remembers the gravity of a sensor while nothing is seen to be wrong with it."""

    def __init__(self) -> None:
        self._seconds: deque[Vector] = deque(maxlen=KEPT_SECONDS)
        self._blocks = 0

    def reset(self) -> None:
        """Forget all seconds."""
        self._seconds.clear()
        self._blocks = 0

    def take(self, windows: SampleWindows) -> None:
        """Take the newest block, in which nothing is seen to be wrong."""
        self._blocks += 1
        if self._blocks >= SECOND_BLOCKS and (mean := windows.mean(SECOND_BLOCKS)):
            self._seconds.append(mean)
            self._blocks = 0

    def is_turn_back(self, before: Vector, after: Vector) -> bool:
        """Whether a turn leads to where gravity lay first; then forget where it comes from, which was wrong."""
        sides = [_side(second, before, after) for second in self._seconds]
        if sides.count(1) < MIN_SECONDS or -1 in sides[: sides.index(1)]:
            return False
        right = [second for second, side in zip(self._seconds, sides, strict=True) if side >= 0]
        self._seconds = deque(right, maxlen=KEPT_SECONDS)
        return True


def _side(gravity: Vector, before: Vector, after: Vector) -> int:
    """Return -1 for gravity as before a turn, 1 as after it, 0 as neither."""
    way = after[0] - before[0], after[1] - before[1], after[2] - before[2]
    moved = gravity[0] - before[0], gravity[1] - before[1], gravity[2] - before[2]
    square = dot(way, way)
    along = dot(moved, way) / square
    across = math.sqrt(max(dot(moved, moved) / square - along * along, 0.0))
    if along > MIN_AFTER:
        return int(across < along)
    return -int(along < MAX_BEFORE and across < MAX_ACROSS)
