"""Joins the messages of a sensor that sends acceleration and angular rate in turns, as REP 145 allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

PARTS = (slice(0, 3), slice(3, 6))  # of a sample: acceleration, angular rate
NEVER = -(1 << 80)  # ns, before every timestamp
MIN_TURNS = 4  # messages in a row that each have one part alone

Values = tuple[float, ...]
Known = tuple[int, Values]  # timestamp [ns] of a message that had a part, and the part


class _Message:
    """A message that may wait for what its neighbours know.

    Attributes:
        missing: the parts that it lacks.
    """

    __slots__ = ("missing", "sample", "timestamp")

    def __init__(self, timestamp: int, sample: Sequence[float]) -> None:
        self.timestamp, self.sample = timestamp, list(sample)
        self.missing = [part for part in (0, 1) if sum(self.sample[PARTS[part]]) != sum(self.sample[PARTS[part]])]


class AlternatingParts:
    """Interpolates each part of one sensor between the messages that have it.

    While messages with the one part alone and with the other alone come in turns, a message waits for the next one
    that has what it lacks. Whatever else lacks a part is passed on as it is: the part is missing.

    Args:
        largest_gap: ns; parts further apart are not interpolated between.
        used: whether acceleration and angular rate are needed; nothing waits for a part that is not.

    Attributes:
        is_idle: nothing waits, and parts do not come in turns: the next message need not be given to ``take`` if it has
            all parts that are used.
    """

    def __init__(self, largest_gap: int, used: Sequence[bool] = (True, True)) -> None:
        self._largest_gap = largest_gap
        self._unused = {part for part, is_used in enumerate(used) if not is_used}
        self._used = slice(0 if used[0] else 3, 6 if used[1] else 3)
        self._waiting: deque[_Message] = deque()
        self._reset()

    def _reset(self) -> None:
        self._waiting.clear()
        self.is_idle = True
        self._last = NEVER
        self._turns = 0
        self._alone = [NEVER, NEVER]  # newest message that had this part and not the other
        self._known: list[Known | None] = [None, None]

    def has_used(self, sample: Sequence[float]) -> bool:
        """Whether a message has all parts that are used."""
        total = sum(sample[self._used])
        return total - total == 0.0

    def take(self, timestamp: int, sample: Sequence[float]) -> list[tuple[int, Values]]:
        """Take a message [ns, six numbers]; return those that are now complete, or that wait no longer."""
        if abs(timestamp - self._last) > self._largest_gap:
            self._reset()
        elif timestamp <= self._last:
            return [(timestamp, tuple(sample))]
        self._last = timestamp
        message = _Message(timestamp, sample)
        self._turns = self._turns + 1 if len(message.missing) == 1 else 0
        self._waiting.append(message)
        for part in {0, 1}.difference(message.missing):
            self._learn(part, message)
        ready = []
        while self._waiting and not self._must_wait(self._waiting[0]):
            first = self._waiting.popleft()
            ready.append((first.timestamp, tuple(first.sample)))
        self.is_idle = not self._waiting and all(
            part in self._unused and self._last - self._alone[part] > self._largest_gap for part in message.missing
        )
        return ready

    def _learn(self, part: int, message: _Message) -> None:
        """Learn a part from a message that has it, and complete those that wait for it."""
        if message.missing:
            self._alone[part] = message.timestamp
        known, self._known[part] = self._known[part], (message.timestamp, tuple(message.sample[PARTS[part]]))
        if known is None or message.timestamp - known[0] > self._largest_gap:
            return
        (before, first), second = known, message.sample[PARTS[part]]
        for waiting in self._waiting:
            if part in waiting.missing and waiting.timestamp > before:
                share = (waiting.timestamp - before) / (message.timestamp - before)
                waiting.sample[PARTS[part]] = [a + share * (b - a) for a, b in zip(first, second, strict=True)]
                waiting.missing.remove(part)

    def _must_wait(self, message: _Message) -> bool:
        if self._unused.issuperset(message.missing) or self._turns < MIN_TURNS:
            return False
        return self._last - min(*self._alone, message.timestamp) <= self._largest_gap
