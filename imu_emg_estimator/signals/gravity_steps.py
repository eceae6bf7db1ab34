"""Gravity that vanishes from most sensors of the rig in one instant, or returns: as drivers do, and no movement does.

A limb that swings or lands looks like it for a moment; that of one sensor alone proves nothing. The limits were chosen
on HuGaDB's 13 subjects, clean, where gravity seems to vanish once in 6 minutes at most, and on faults of 2, 7 and 13.
"""

from __future__ import annotations

import itertools

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sample_windows import BLOCK_NS, SampleWindows, Vector, dot

BEFORE, AFTER = 18, 2  # blocks beside the block of the step: 0.9 and 0.1 s
GRAVITY_MPS2 = (5.0, 12.0)  # of a mean that may be it
MIN_STEP_MPS2 = 4.0
MAX_UNLIKE, LEFT = 0.5, 0.6  # of gravity: by which a step in its direction may differ from it, and what may be left
TOGETHER_NS = 3 * SECOND // 100
MIN_VANISHED, MIN_RETURNED = 2 / 3, 5 / 6  # shares of the sensors, for all
MIN_IN_MPS2 = 2.5  # longest sample of 0.1 s afterwards; shorter ones are in g
MIN_SENSORS = 3
MAX_AGE_NS = SECOND // 4  # of what is known of a sensor


class GravitySteps:
    """Follows the steps of all sensors of a rig.

    Attributes:
        vanished, returned: instants [ns] when gravity last did, for most sensors at once.
    """

    def __init__(self, sensors: int) -> None:
        self._known = [NEVER] * sensors
        self._vanished, self._returned = [NEVER] * sensors, [NEVER] * sensors
        self.vanished = self.returned = NEVER

    def reset(self, sensor: int) -> None:
        """Forget the steps of a sensor."""
        self._known[sensor] = self._vanished[sensor] = self._returned[sensor] = NEVER
        self.vanished = self.returned = NEVER

    def take(self, sensor: int, instant: int, windows: SampleWindows) -> None:
        """Look at the newest block of a sensor, which ended at an instant [ns]."""
        self._known[sensor] = instant
        before, after = windows.mean(BEFORE, AFTER + 1), windows.mean(AFTER)
        if before is None or after is None or windows.step(1, AFTER) < MIN_STEP_MPS2:
            return
        samples = [windows.blocks[-2 - AFTER][-1], *windows.blocks[-1 - AFTER]]
        begin, apart = instant - (AFTER + 1) * BLOCK_NS, BLOCK_NS // (len(samples) - 1)
        if (step := _step(samples, before, after, -1.0)) and windows.longest(AFTER) > MIN_IN_MPS2:
            self.vanished = self._vote(self._vanished, sensor, begin + step * apart, MIN_VANISHED) or self.vanished
        elif step := _step(samples, after, before, 1.0):
            self.returned = self._vote(self._returned, sensor, begin + step * apart, MIN_RETURNED) or self.returned

    def has_returned(self, sensor: int, since: int) -> bool:
        """Whether gravity returned to a sensor after an instant [ns], for all that its own step tells."""
        return self._returned[sensor] > since and self.vanished <= self.returned

    def _vote(self, votes: list[int], sensor: int, at: int, least: float) -> int | None:
        """Return the instant if so large a share of the sensors agrees on it."""
        votes[sensor] = at
        alive = sum(known > self._known[sensor] - MAX_AGE_NS for known in self._known)
        agreeing = sum(abs(vote - at) < TOGETHER_NS for vote in votes)
        return at if alive >= MIN_SENSORS and agreeing >= least * alive else None


def _step(samples: list[Vector], gravity: Vector, rest: Vector, sign: float) -> int:
    """Return before which sample gravity comes or goes, where on the other side of the step little of it is left.

    Args:
        sign: -1 = it goes.

    Returns:
        Index of the sample that differs most like that from the one before; 0 = none does.
    """
    square = dot(gravity, gravity)
    if not GRAVITY_MPS2[0] ** 2 < square < GRAVITY_MPS2[1] ** 2 or abs(dot(rest, gravity)) > LEFT * square:
        return 0
    along = [sign * dot(sample, gravity) / square for sample in samples]
    unlike = [abs(after - before - 1.0) for before, after in itertools.pairwise(along)]
    least = min(unlike)
    return unlike.index(least) + 1 if least < MAX_UNLIKE else 0
