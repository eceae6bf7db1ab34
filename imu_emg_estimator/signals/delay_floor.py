"""Lower envelope of delays: what the least delayed messages say of an offset and its drift, robust to bursts."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from imu_emg_estimator.signals.grid_alignment import SECOND

BLOCK_NS = SECOND // 4  # over which the smallest delay is looked for
BLOCKS = 16  # that are kept
NEVER_NS = 1 << 62
MIN_SLOPE_SPAN_NS = 7 * SECOND // 10  # a shorter stretch says nothing of a drift
STEADY_SHARE = 0.4  # of its share of a change that every quarter of a stretch must show, for the change to be a drift
MIN_STEADY_BLOCKS = 8


class DelayFloor:
    """Line below the smallest delays of successive blocks of time, which touches them about their middle.

    Args:
        max_slope: bound on the drift [s/s].

    Attributes:
        slope: drift of the delays [s/s].
    """

    __slots__ = ("_anchor", "_delays", "_level", "_max_slope", "_times", "slope")

    def __init__(self, max_slope: float) -> None:
        self._max_slope = max_slope
        self._times: deque[int] = deque(maxlen=BLOCKS)
        self._delays: deque[int] = deque(maxlen=BLOCKS)
        self.clear()

    def clear(self) -> None:
        """Forget all blocks."""
        self._times.clear()
        self._delays.clear()
        self._anchor = self._level = 0
        self.slope = 0.0

    def add(self, time: int, delay: int) -> None:
        """Take the smallest delay of another block and the time at which it was seen, both in ns."""
        times, delays = self._times, self._delays
        times.append(time)
        delays.append(delay)
        self._anchor = time
        if time - times[0] < MIN_SLOPE_SPAN_NS:
            self._level = min(delay, delays[-2]) if len(delays) > 1 else delay
            return
        slope = _middle_slope([float(x - time) for x in times], [float(y - delay) for y in delays])
        self.slope = max(-self._max_slope, min(self._max_slope, slope))
        lowest = min([y - self.slope * (x - time) for x, y in zip(times, delays, strict=True)])
        self._level = int(lowest)

    def at(self, time: int) -> int:
        """Return the smallest delay to be expected at a time [ns]."""
        return self._level + int(self.slope * (time - self._anchor))

    def lower(self, time: int, delay: int) -> None:
        """Lower the line to a delay that is below it."""
        self._level += min(0, delay - self.at(time))

    def shift(self, change: int) -> None:
        """Add to all delays [ns]."""
        self._level += change
        self._delays = deque((delay + change for delay in self._delays), BLOCKS)

    def change(self) -> float:
        """Return by how much the delays change steadily over the blocks [ns]; 0 where they step, or do not change."""
        count = len(self._delays)
        if count < MIN_STEADY_BLOCKS:
            return 0.0
        edges = [count * quarter // 4 for quarter in range(5)]
        delays = [delay - self._delays[0] for delay in self._delays]
        means = [sum(delays[first:last]) / (last - first) for first, last in pairwise(edges)]
        total = means[3] - means[0]
        steady = all((after - before) * total >= STEADY_SHARE / 3 * total**2 for before, after in pairwise(means))
        return total * 4 / 3 if steady else 0.0


def _middle_slope(x: list[float], y: list[float]) -> float:
    """Return the slope of the edge of the lower convex hull over the mean of the points' times."""
    hull: list[int] = []
    for new in range(len(x)):
        while len(hull) > 1:
            first, middle = hull[-2], hull[-1]
            if (y[middle] - y[first]) * (x[new] - x[first]) < (y[new] - y[first]) * (x[middle] - x[first]):
                break
            hull.pop()
        hull.append(new)
    mean = sum(x) / len(x)
    for before, after in pairwise(hull):
        if x[after] >= mean:
            return (y[after] - y[before]) / max(x[after] - x[before], 1.0)
    return 0.0
