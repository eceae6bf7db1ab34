"""Samples of one sensor that come late: a delay, or a clock that was set back while the sensor paused."""

from __future__ import annotations

from imu_emg_estimator.signals.delay_tracker import DelayTracker
from imu_emg_estimator.signals.grid_alignment import SECOND

LATE_NS = 15 * SECOND // 100  # without a sample on time
BURST_NS = SECOND // 20  # in which the late samples of a burst come
LATE_SAMPLES = 3
STRAGGLING_NS = SECOND // 10  # from one late sample to the next
CONSTANT_NS = SECOND  # of lateness before it can be taken for another clock


class Lateness:
    """Follows the late samples of one sensor.

    Attributes:
        samples: late ones since others were on time for long enough; 0 = the sensor is on time.
        latest: arrival of the last of them [ns].
        is_late: nothing has come on time lately, but late samples have.
        tracker: of their delays.
    """

    __slots__ = ("_begun", "_blocks", "_pause", "_since", "is_late", "latest", "samples", "tracker")

    def __init__(self) -> None:
        self.tracker = DelayTracker()
        self.clear()
        self.latest = 0

    def clear(self) -> None:
        """Take the sensor for one that is on time."""
        self.samples = self._begun = self._since = self._pause = self._blocks = 0
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
        if on_time >= self._since:
            self._since = arrival
        if self.samples >= LATE_SAMPLES and arrival - on_time > LATE_NS and arrival - self._since > BURST_NS:
            self.is_late = True
            self._blocks = 0

    def goes_on(self, arrival: int) -> bool:
        """Whether the sample that arrives follows late ones closely; if so, it counts as one."""
        if arrival - self.latest > STRAGGLING_NS:
            return False
        self.latest = arrival
        return True

    def end_block(self) -> None:
        """End a block of samples on time; a whole one shows that the sensor is on time, whatever else still comes."""
        self._blocks += 1
        if self._blocks > 1:
            self.clear()

    def is_other_clock(self, excess: int, scatter: int) -> bool:
        """Whether a pause cannot explain the delay: it was much longer, and the delay neither shrinks nor scatters.

        Args:
            excess: delay beyond that before the pause [ns].
            scatter: of the delays of a sensor that is late by its clock alone, at most [ns].
        """
        constant = self.latest - self._begun > CONSTANT_NS and self.tracker.scatter <= scatter
        return constant and 2 * excess < self._pause
