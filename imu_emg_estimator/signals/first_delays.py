"""First samples of a sensor: their period and their delay, before anything is concluded from their timestamps."""

from __future__ import annotations

from itertools import pairwise

from imu_emg_estimator.signals.grid_alignment import SECOND

STARTING_NS = SECOND // 10  # of arrivals
MIN_SAMPLES = 5
AGREEING_NS = SECOND // 50  # by which the delays of the most prompt samples differ


class FirstDelays:
    """Collects the first samples.

    Attributes:
        period: ns between two of them, once ``add`` has returned True.
        jitter: by which a step between timestamps typically differs from it [ns], likewise.
        floor: smallest delay that others come close to [ns], likewise.
        scatter: mean delay beyond it [ns], likewise.
    """

    __slots__ = ("_delays", "_steps", "_timestamps", "floor", "jitter", "period", "scatter")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all samples."""
        self._timestamps: list[int] = []
        self._delays: list[int] = []
        self._steps: list[int] = []

    def add(self, timestamp: int, arrival: int, steps: int) -> bool:
        """Take another sample, that many samples after the last one; returns whether they suffice."""
        self._timestamps.append(timestamp)
        self._delays.append(arrival - timestamp)
        self._steps.append(steps)
        if arrival - self._delays[0] - self._timestamps[0] < STARTING_NS or len(self._delays) < MIN_SAMPLES:
            return False
        self._conclude()
        return True

    def _conclude(self) -> None:
        steps = [after - before for before, after in pairwise(self._timestamps)]
        each = sorted(step // count for step, count in zip(steps, self._steps[1:], strict=True))
        mean = sum(steps) // sum(self._steps[1:])
        small = each[len(each) // 4]  # where samples were lost, the shorter steps are those of one period
        self.period = max(0, small if small > mean // 4 else mean)
        self.jitter = sorted(abs(step - self.period) for step in each)[len(each) // 2]
        delays = sorted(self._delays)
        close = (low for low, high in zip(delays, delays[len(delays) // 4 :], strict=False) if high - low < AGREEING_NS)
        self.floor = next(close, delays[0])
        self.scatter = max(0, sum(delays) // len(delays) - self.floor)
