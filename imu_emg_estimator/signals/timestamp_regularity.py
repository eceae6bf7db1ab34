"""How regularly the timestamps of one sensor advance from sample to sample."""

from __future__ import annotations

from collections import deque
from enum import Enum

AT_ONCE = 4  # irregular timestamps among AT_ONCE_SAMPLES are too many without waiting for more
AT_ONCE_SAMPLES = 8
MAX_SHARE = 0.4  # of samples; fewer irregular ones can be left out
MIN_IRREGULAR = 4
KEPT = 0.8  # of the counts, from block to block
ALIKE_STEPS = 3  # in a row that show another period
MAX_APART = 2  # samples from one unexpected timestamp to the next
MAX_PARTS = 4  # of the period before; shorter steps are within a burst


class Flaw(Enum):
    """What is wrong with timestamps; the values follow "its timestamps"."""

    NONE = "are not used"
    ZERO = "are zero"
    REPEATED = "are shared by several samples"
    IRREGULAR = "are irregular"
    LEAPING = "do not run with time"


def flaw_of(timestamp: int, step: int) -> Flaw | None:
    """Return what is wrong with a timestamp that is a step from the last one, both in ns; None = nothing."""
    if timestamp <= 0:
        return Flaw.ZERO
    return Flaw.REPEATED if step == 0 else Flaw.IRREGULAR if step < 0 else None


class TimestampRegularity:
    """Counts the timestamps that do not advance as samples do, and measures how the others do.

    Attributes:
        period: usual step from sample to sample [ns]; 0 = not known.
        jitter: by which a step typically differs from it [ns].
        skipped: beats without a sample in this block, for the caller to count.
    """

    __slots__ = ("_all", "_bad", "_bad_in_block", "_begin", "_flaws", "_latest", "_odd", "jitter", "period", "skipped")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._bad_in_block = 0
        self._all = self._bad = 0.0
        self._latest: deque[int] = deque(maxlen=AT_ONCE)
        self._flaws: dict[Flaw, float] = {}
        self._odd: tuple[int, int | None, int, int, int] = 0, None, -2, 0, 0  # the last unexpected timestamp
        self.begin(0, 0, None, 0, 0)

    def begin(self, index: int, timestamp: int, sequence: int | None, period: int, jitter: int) -> None:
        """Begin a block after the sample with this index, at a known period."""
        self._begin, self.skipped = (index, timestamp, sequence), 0
        self.period, self.jitter = period, jitter

    def note(self, flaw: Flaw, index: int) -> bool:
        """Note the flaw of the sample with this index; returns whether there are too many."""
        self._latest.append(index)
        self._bad_in_block += 1
        self._flaws[flaw] = self._flaws.get(flaw, 0.0) + 1.0
        if len(self._latest) == AT_ONCE and index - self._latest[0] < AT_ONCE_SAMPLES:
            return True
        bad = self._bad + self._bad_in_block
        return bad >= MIN_IRREGULAR and bad > MAX_SHARE * (self._all + index - self._begin[0])

    def leap(self) -> None:
        """Measure no period over a leap of the timestamps."""
        self._begin = self._begin[0], 0, None

    def end_block(self, index: int, timestamp: int, sequence: int | None, step: int) -> bool:
        """End a block with the sample that is a step [ns] after the last; returns whether the block was regular."""
        count, regular = max(index - self._begin[0], 1), not self._bad_in_block
        if self._begin[1]:
            self._measure(timestamp, sequence, max(count + self.skipped, 1), step)
        self._bad = KEPT * self._bad + self._bad_in_block
        self._all = KEPT * self._all + count
        self._flaws = {flaw: KEPT * number for flaw, number in self._flaws.items()}
        self._begin, self._bad_in_block, self.skipped = (index, timestamp, sequence), 0, 0
        return regular

    def _measure(self, timestamp: int, sequence: int | None, count: int, step: int) -> None:
        _, first, number = self._begin
        counted = sequence is not None and number is not None and sequence > number
        if counted:
            assert sequence is not None
            assert number is not None
            count = sequence - number
        measured = (timestamp - first) // count
        if 4 * abs(measured - self.period) < self.period:
            self.period += (measured - self.period) // 4
        if not self.period:
            return
        odd = abs(step - max(1, round(step / self.period)) * self.period)
        self.jitter += (min(odd, 2 * self.jitter + self.period // 50) - self.jitter) // 8

    def has_changed(self, timestamp: int, sequence: int | None, index: int) -> bool:
        """Whether unexpected steps up to the sample with this index are alike: another period; if so, it changes."""
        last, number, before, step_before, alike = self._odd
        counted = sequence is not None and number is not None and sequence > number
        count = sequence - number if counted else index - before  # type: ignore[operator]
        step = (timestamp - last) // max(count, 1) if index - before <= MAX_APART else 0
        alike = alike + 1 if 4 * abs(step - step_before) < step else min(step, 1)
        self._odd = timestamp, sequence, index, step, alike
        beats = 1 if counted else max(1, round(step / self.period)) if self.period else 0
        if alike < ALIKE_STEPS or MAX_PARTS * step < self.period or 4 * abs(step - beats * self.period) < self.period:
            return False
        self.period, self.jitter = step, step // 10
        return True

    @property
    def flaw(self) -> Flaw:
        """The most frequent flaw."""
        return max(self._flaws, key=lambda flaw: self._flaws[flaw], default=Flaw.IRREGULAR)
