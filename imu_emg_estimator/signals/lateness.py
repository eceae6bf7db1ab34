"""Samples of one sensor that come late: a delay, or a clock that was set back while the sensor paused."""

from __future__ import annotations

from imu_emg_estimator.signals.delay_tracker import DelayTracker
from imu_emg_estimator.signals.grid_alignment import SECOND

LATE_NS = 15 * SECOND // 100  # without a sample on time
ON_TIME_NS = SECOND // 5  # without a late sample
LATE_SAMPLES = 3
CONSTANT_NS = SECOND  # of lateness before it can be taken for another clock


class Lateness:
    """Follows the late samples of one sensor.

    Attributes:
        samples: late ones since the last that were on time for long enough; 0 = the sensor is on time.
        latest: arrival of the last of them [ns].
        is_late: nothing has come on time lately.
        tracker: of their delays.
    """

    __slots__ = ("_begun", "_pause", "is_late", "latest", "samples", "tracker")

    def __init__(self) -> None:
        self.tracker = DelayTracker()
        self.clear()
        self.latest = 0

    def clear(self) -> None:
        """Take the sensor for one that is on time."""
        self.samples = self._begun = self._pause = 0
        self.is_late = False

    def add(self, arrival: int, delay: int, pause: int, on_time: int) -> None:
        """Take another late sample.

        Args:
            pause: since the arrival before [ns].
            on_time: arrival of the last sample on time [ns].
        """
        if not self.samples:
            self._begun, self._pause = arrival, pause
            self.tracker.restart(arrival, delay)
        self.tracker.add(arrival, delay)
        self.samples += 1
        self.latest = arrival
        if self.samples >= LATE_SAMPLES and arrival - on_time > LATE_NS:
            self.is_late = True

    def is_over(self, arrival: int) -> bool:
        """Whether no sample has been late for a while."""
        return arrival - self.latest > ON_TIME_NS

    def is_other_clock(self, excess: int, scatter: int) -> bool:
        """Whether a pause cannot explain the delay: it was much longer, and the delay neither shrinks nor scatters.

        Args:
            excess: delay beyond that before the pause [ns].
            scatter: of the delays of a sensor that is late by its clock alone, at most [ns].
        """
        constant = self.latest - self._begun > CONSTANT_NS and self.tracker.scatter <= scatter
        return constant and 2 * excess < self._pause
