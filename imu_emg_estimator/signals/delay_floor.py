"""Lower envelope of delays: what the least delayed messages say of an offset and its drift, robust to bursts."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from imu_emg_estimator.signals.grid_alignment import SECOND

MIN_SLOPE_SPAN_NS = 7 * SECOND // 10  # a shorter stretch says nothing of a drift
STEADY_SHARE = 0.4  # of its share of a change that every quarter of a stretch must show, for the change to be a drift


class DelayFloor:
    """Line below the smallest delays of successive blocks of time, which touches them about their middle.

    Args:
        blocks: number of blocks that are kept.
        max_slope: bound on the drift [s/s].

    Attributes:
        slope: drift of the delays [s/s].
    """

    __slots__ = ("_anchor", "_level", "_max_slope", "_points", "slope")

    def __init__(self, blocks: int, max_slope: float) -> None:
        self._max_slope = max_slope
        self._points: deque[tuple[int, int]] = deque(maxlen=blocks)
        self.clear()

    def clear(self) -> None:
        """Forget all blocks."""
        self._points.clear()
        self._anchor = self._level = 0
        self.slope = 0.0

    def add(self, time: int, delay: int) -> None:
        """Take the smallest delay of another block and the time at which it was seen, both in ns."""
        self._points.append((time, delay))
        self._anchor = time
        if time - self._points[0][0] < MIN_SLOPE_SPAN_NS:
            self._level = min(delay for _, delay in list(self._points)[-2:])
            return
        self.slope = max(-self._max_slope, min(self._max_slope, _middle_slope(self._relative())))
        self._level = delay + round(min(y - self.slope * x for x, y in self._relative()))

    def at(self, time: int) -> int:
        """Return the smallest delay to be expected at a time [ns]."""
        return self._level + int(self.slope * (time - self._anchor))

    def lower(self, time: int, delay: int) -> None:
        """Lower the line to a delay that is below it."""
        self._level += min(0, delay - self.at(time))

    def shift(self, change: int) -> None:
        """Add to all delays [ns]."""
        self._level += change
        self._points = deque(((time, delay + change) for time, delay in self._points), self._points.maxlen)

    def change(self) -> float:
        """Return by how much the delays change steadily over the blocks [ns]; 0 where they step, or do not change."""
        count = len(self._points)
        if count < 8 or count < (self._points.maxlen or 0) // 2:
            return 0.0
        delays = [delay for _, delay in self._relative()]
        quarters = [
            sum(delays[count * q // 4 : count * (q + 1) // 4]) / (count * (q + 1) // 4 - count * q // 4)
            for q in range(4)
        ]
        total = quarters[3] - quarters[0]
        least = STEADY_SHARE * total / 3
        if all((after - before) * total >= least * total for before, after in pairwise(quarters)):
            return total * 4 / 3
        return 0.0

    def _relative(self) -> list[tuple[float, float]]:
        time, delay = self._points[-1]
        return [(float(x - time), float(y - delay)) for x, y in self._points]


def _middle_slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the edge of the lower convex hull over the mean of the points' times."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1 and _is_above(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    mean = sum(x for x, _ in points) / len(points)
    for (x0, y0), (x1, y1) in pairwise(hull):
        if x1 >= mean:
            return (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
    return 0.0


def _is_above(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether a point is on or above the line between two others."""
    (x0, y0), (x1, y1), (x2, y2) = first, middle, last
    return (y1 - y0) * (x2 - x0) >= (y2 - y0) * (x1 - x0)
