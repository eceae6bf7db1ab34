"""How regularly the timestamps of one sensor advance from sample to sample."""

from __future__ import annotations

from collections import deque
from enum import Enum

AT_ONCE = 3  # irregular timestamps among AT_ONCE_SAMPLES are too many without waiting for more
AT_ONCE_SAMPLES = 8
MAX_SHARE = 0.1
MIN_IRREGULAR = 4
KEPT = 0.8  # of the counts, from block to block
CALM_SHARE = 0.02
CALM_BLOCKS = 8


class Flaw(Enum):
    """What is wrong with timestamps; the values follow "its timestamps"."""

    NONE = "are not used"
    ZERO = "are zero"
    REPEATED = "are shared by several samples"
    IRREGULAR = "are irregular"
    LEAPING = "do not run with time"


class TimestampRegularity:
    """Counts the timestamps that do not advance as samples do.

    Attributes:
        period: usual step between two samples [ns]; 0 = not known.
        calm_blocks: successive blocks that were regular.
    """

    __slots__ = ("_all", "_bad", "_flaws", "_latest", "_samples", "calm_blocks", "period")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.period = self.calm_blocks = self._samples = 0
        self._all = self._bad = 0.0
        self._latest: deque[int] = deque(maxlen=AT_ONCE)
        self._flaws: dict[Flaw, float] = {}

    def note(self, flaw: Flaw, index: int) -> bool:
        """Note the flaw of the sample with this index; returns whether there are too many."""
        self._latest.append(index)
        self._bad += 1
        self._flaws[flaw] = self._flaws.get(flaw, 0.0) + 1.0
        if len(self._latest) == AT_ONCE and index - self._latest[0] < AT_ONCE_SAMPLES:
            return True
        return self._bad >= MIN_IRREGULAR and self._bad > MAX_SHARE * (self._all + index - self._samples)

    def end_block(self, index: int) -> None:
        """Forget older samples little by little, given the index of the newest."""
        calm = self._bad <= CALM_SHARE * max(self._all + index - self._samples, 1)
        self.calm_blocks = self.calm_blocks + 1 if calm else 0
        self._all = KEPT * (self._all + index - self._samples)
        self._bad *= KEPT
        self._flaws = {flaw: KEPT * count for flaw, count in self._flaws.items()}
        self._samples = index

    @property
    def flaw(self) -> Flaw:
        """The most frequent flaw."""
        return max(self._flaws, key=lambda flaw: self._flaws[flaw], default=Flaw.IRREGULAR)
