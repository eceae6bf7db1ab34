"""Timestamps that leap: a clock that was set, a sample that was stamped late, or samples that were lost before it."""

from __future__ import annotations

SAME_LEAP_NS = 30_000_000  # by which the delays of samples after a leap may differ
LEAP_SAMPLES = 3  # that must agree on it
MIN_APART = 0.3  # of a period between them
MAX_INDEX_STEP = 2  # from one to the next: hardly a sample between them may be good
MAX_LEAPS = 3.5  # lately
KEPT_LEAPS = 0.95  # from block to block
MAX_DOUBT = 4.0
TAKEN_BACK, KEPT = 1.25, 0.25  # weights of long steps
MIN_PAUSE = 2.5  # periods without a sample, though none was lost, that may end in a burst
MAX_IN_BURST = 0.4  # of a period between its samples


class SuspectedLeap:
    """Tells the leap of a clock from single impossible timestamps: a few of the next ones agree on it.

    Attributes:
        delay: smallest from timestamp to arrival of those that agree [ns].
    """

    __slots__ = ("_index", "_leaps", "_samples", "_timestamp", "delay")

    def __init__(self) -> None:
        self._leaps = 0.0
        self.clear()

    def clear(self) -> None:
        """Take the latest timestamps for possible."""
        self._samples = self._timestamp = self._index = self.delay = 0

    def add(self, timestamp: int, delay: int, period: int, index: int) -> bool:
        """Take the impossible timestamp of the sample with this index; returns whether enough in a row agree on it."""
        apart = timestamp - self._timestamp >= MIN_APART * period and index - self._index <= MAX_INDEX_STEP
        self._index = index
        if self._samples and apart and abs(delay - self.delay) < SAME_LEAP_NS:
            self._samples += 1
            self.delay = min(self.delay, delay)
        else:
            self._samples, self.delay = 1, delay
        self._timestamp = timestamp
        return self._samples >= LEAP_SAMPLES

    def count(self) -> bool:
        """Count a leap; returns whether there are so many that the timestamps do not run with time."""
        self._leaps += 1
        return self._leaps > MAX_LEAPS

    def end_block(self) -> None:
        """Forget older leaps little by little."""
        self._leaps *= KEPT_LEAPS


class LongSteps:
    """Steps between timestamps that no known loss explains: samples were lost, or one was stamped late.

    Only the next timestamp tells. Where it mostly lies before the end of the step, such samples are left out.
    """

    __slots__ = ("_before", "_doubt", "_index")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all steps."""
        self._doubt, self._before, self._index = 0.0, 0, -2

    def may_take(self, before: int, index: int) -> bool:
        """Note a long step from a timestamp to the sample with this index; returns whether to believe it."""
        explained = self._index == index - 1
        self._before, self._index = before, index
        if self._doubt > 0 and not explained:
            return False
        self._doubt = max(self._doubt - KEPT, -MAX_DOUBT)
        return True

    def taken_back(self, timestamp: int, last: int, index: int) -> int | None:
        """Return where the last step began if this timestamp shows that it was none; else None."""
        if self._index != index - 1 or not self._before < timestamp < last:
            return None
        self._doubt = min(self._doubt + TAKEN_BACK, MAX_DOUBT)
        return self._before


class CountedPause:
    """Pause after which the publisher counts on, as if nothing was lost: a burst stamped on arrival may end it.

    Only the sample after its first one tells, so that the first one is left out.
    """

    __slots__ = ("_arrival", "_index", "_timestamp")

    def __init__(self) -> None:
        self._index, self._timestamp, self._arrival = -2, 0, 0

    def ends_with(self, timestamp: int, arrival: int, index: int, beyond: int, period: int) -> bool:
        """Whether to leave out the sample with this index, which is so many ns later than its count says."""
        if not period or beyond < (MIN_PAUSE - 1.0) * period or self._index == index - 1:
            return False
        self._index, self._timestamp, self._arrival = index, timestamp, arrival
        return True

    def hid_burst(self, timestamp: int, arrival: int, index: int, period: int) -> bool:
        """Whether the sample with this index came together with one that was left out, and is stamped like it."""
        apart = max(abs(timestamp - self._timestamp), arrival - self._arrival)
        return self._index == index - 1 and apart < MAX_IN_BURST * period
