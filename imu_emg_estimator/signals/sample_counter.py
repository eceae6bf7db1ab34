"""Instants of samples without useful timestamps: arrivals, smoothed by counting samples."""

from __future__ import annotations

from itertools import pairwise

from imu_emg_estimator.signals.delay_floor import BLOCK_NS, NEVER_NS, DelayFloor
from imu_emg_estimator.signals.grid_alignment import SECOND

MAX_PERIOD_ERROR = 0.1  # that the envelope can put right
LEARNING_NS = 3 * SECOND // 10
MIN_LEARNED = 4  # samples at the ends of bursts
MAX_LEARNING = 200  # samples
PAUSE_NS = SECOND // 20  # by which samples that are not in a burst must be behind for the sensor to have paused
STEP_NS = 3 * SECOND // 200  # by which a block may be off before the count is doubted, besides a period and a half
MAX_LOST = 1000  # samples in one go; a larger step of the publisher's count is another publisher
LOST_SHARE = 0.3  # of a period by which a sample may come too early for the one after a lost one
MAX_SHORTS = 0.1  # share of short intervals, from which samples come in bursts
SHORT = 0.4  # of a period; a shorter interval is within a burst


class SampleCounter:
    """Lays samples at equal distances below their arrivals, each as late as the most prompt ones.

    Losses show in the publisher's count of its messages, or in the intervals where samples do not come in bursts.
    """

    __slots__ = (
        "_arrival", "_due", "_floor", "_learnt", "_minimum", "_minimum_at", "_odd_blocks", "_paused", "_sequence",
        "_shorts", "_skipped", "_value", "period",
    )  # fmt: skip

    def __init__(self) -> None:
        self._floor = DelayFloor(MAX_PERIOD_ERROR)
        self._minimum, self._paused = NEVER_NS, 0
        self.restart()

    def restart(self) -> None:
        """Forget everything; the period must be learned anew."""
        self._begin(0, 0, None)
        self._learnt: list[tuple[int, int]] | None = []
        self.period = 0

    def start(self, instant: int, steps: int, period: int, sequence: int | None) -> None:
        """Continue after a sample with a known instant [ns], whose next one is that many samples later, or as counted.

        Args:
            period: ns between two samples.
            sequence: number of the known sample by its publisher's count.
        """
        self._begin(instant if sequence is not None else instant + (steps - 1) * period, 0, sequence)
        self.period, self._learnt = period, None

    def expect(self, arrival: int, delay: int) -> None:
        """Expect samples to come with this delay from the known instant, from this arrival on [ns]."""
        self._arrival, self._due = arrival, arrival + BLOCK_NS
        self._floor.add(arrival, delay)

    def instant(self, arrival: int, sequence: int | None) -> int | None:
        """Return when the next sample would have arrived without bursts and jitter [ns]; None while learning."""
        steps = self._steps(arrival, sequence)
        interval = arrival - self._arrival
        self._arrival, self._sequence = arrival, sequence
        if self._learnt is not None and not self._learn(arrival, steps):
            return None
        self._value += steps * self.period
        delay = arrival - self._value
        expected = self._floor.at(arrival)
        if delay - expected > PAUSE_NS:
            self._note_pause(interval, delay - expected)
            delay = arrival - self._value
        elif self._paused:
            self._paused = 0
        if delay < self._minimum:
            self._minimum, self._minimum_at = delay, arrival
        if arrival >= self._due:
            self._end_block(arrival)
            if self._learnt is not None:
                return None
            expected = self._floor.at(arrival)
        if delay < expected:
            self._floor.lower(arrival, delay)
            return arrival
        return self._value + expected

    def _begin(self, value: int, arrival: int, sequence: int | None) -> None:
        self._floor.clear()
        self._value, self._arrival, self._sequence = value, arrival, sequence
        self._minimum, self._minimum_at, self._due = NEVER_NS, arrival, arrival + BLOCK_NS
        self._paused = self._odd_blocks = 0
        self._shorts, self._skipped = 0.0, False

    def _steps(self, arrival: int, sequence: int | None) -> int:
        """Return by how many samples this one is later than the last."""
        if sequence is not None and self._sequence is not None and 0 < abs(sequence - self._sequence) < MAX_LOST:
            return sequence - self._sequence
        if not self.period:
            return 1
        interval = arrival - self._arrival
        self._shorts += ((interval < SHORT * self.period) - self._shorts) / 16
        if self._shorts > MAX_SHORTS:
            return 1
        steps = int((arrival - self._floor.at(arrival) - self._value) / self.period + LOST_SHARE)
        steps = min(max(steps, 0 if self._skipped else 1), MAX_LOST)
        self._skipped = steps > 1
        return steps

    def _learn(self, arrival: int, steps: int) -> bool:
        """Take another sample to learn the period from; returns whether it is known now."""
        learnt = self._learnt
        assert learnt is not None
        learnt.append((arrival, learnt[-1][1] + steps if learnt else 0))
        if arrival - learnt[0][0] < LEARNING_NS:
            return False
        ends = _ends_of_bursts(learnt)
        if len(ends) < MIN_LEARNED and len(learnt) < MAX_LEARNING:
            return False
        (first, count), (last, total) = ends[0], ends[-1]
        if total <= count:
            del learnt[0]
            return False
        self.period = round((last - first) / (total - count))
        value = last + self.period * (learnt[-1][1] - total)
        self._begin(value - steps * self.period, arrival, self._sequence)
        self._floor.add(arrival, min(time - last + self.period * (total - index) for time, index in ends))
        self._shorts = 1.0 - len(ends) / (len(learnt) - 1)
        self._learnt = None
        return True

    def _note_pause(self, interval: int, excess: int) -> None:
        """Continue later where samples that are not in a burst stay behind: the sensor paused, or samples were lost."""
        if interval > SHORT * self.period:
            self._paused += 1
            if self._paused >= 3:
                self._value += excess
                self._paused = 0
        else:
            self._paused = 0

    def _end_block(self, arrival: int) -> None:
        change = self._minimum - self._floor.at(self._minimum_at)
        if abs(change) > STEP_NS + 1.5 * self.period:
            self._odd_blocks += 1
            self._floor.clear()
        else:
            self._odd_blocks = 0
        if self._odd_blocks > 2:
            self.restart()
            self._arrival, self._learnt = arrival, [(arrival, 0)]
            return
        self._floor.add(self._minimum_at, self._minimum)
        self._minimum, self._due = NEVER_NS, arrival + BLOCK_NS


def _ends_of_bursts(samples: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the samples, as arrival [ns] and count, that were followed by a pause."""
    mean = (samples[-1][0] - samples[0][0]) / (len(samples) - 1)
    pairs = pairwise(samples)
    return [before for before, after in pairs if after[0] - before[0] > SHORT * mean]
