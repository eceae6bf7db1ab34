"""Joins the messages of a sensor that sends acceleration and angular rate in turns, as REP 145 allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

PARTS = (slice(0, 3), slice(3, 6))  # of a sample: acceleration, angular rate
NEVER = -(1 << 80)  # ns, before every timestamp
MIN_TURNS = 3  # times that a part was missing and came back
MAX_TURNS = 8.0  # that are remembered
FORGOTTEN_TURNS = 0.25  # with every message that has the part like the one before

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

    While a part is missing in every few messages and comes back within ``largest_gap``, a message without it waits for
    the next one that has it. Where it is missing otherwise, messages are passed on as they are.

    Args:
        largest_gap: ns; parts further apart are not interpolated between.
        used: whether acceleration and angular rate are needed; nothing waits for a part that is not.

    Attributes:
        is_idle: nothing waits, and nothing is missing now and then: the next message need not be given to ``take`` if
            it has all parts that are used.
    """

    def __init__(self, largest_gap: int, used: Sequence[bool] = (True, True)) -> None:
        self._largest_gap = largest_gap
        self._used = [part for part, is_used in enumerate(used) if is_used]
        self._slice = slice(0 if used[0] else 3, 6 if used[1] else 3)
        self._waiting: deque[_Message] = deque()
        self._reset()

    def _reset(self) -> None:
        self._waiting.clear()
        self.is_idle = True
        self._last = NEVER
        self._turns = [0.0, 0.0]
        self._lacked = [False, False]  # by the latest message
        self._known: list[Known | None] = [None, None]

    def has_used(self, sample: Sequence[float]) -> bool:
        """Whether a message has all parts that are used."""
        total = sum(sample[self._slice])
        return total - total == 0.0

    def take(self, timestamp: int, sample: Sequence[float]) -> list[tuple[int, Values]]:
        """Take a message [ns, six numbers]; return those that are now complete, or that wait no longer."""
        if abs(timestamp - self._last) > self._largest_gap:
            self._reset()
        elif timestamp <= self._last:
            return [(timestamp, tuple(sample))]
        self._last = timestamp
        message = _Message(timestamp, sample)
        self._waiting.append(message)
        for part in self._used:
            self._learn(part, message)
        ready = []
        while self._waiting and not self._must_wait(self._waiting[0]):
            first = self._waiting.popleft()
            ready.append((first.timestamp, tuple(first.sample)))
        self.is_idle = not (self._waiting or any(self._turns) or any(self._lacked))
        return ready

    def _learn(self, part: int, message: _Message) -> None:
        """Learn a part from a message, and complete those that wait for it."""
        lacked, self._lacked[part] = self._lacked[part], part in message.missing
        if part in message.missing:
            return
        self._turns[part] = (
            min(self._turns[part] + 1, MAX_TURNS) if lacked else max(0.0, self._turns[part] - FORGOTTEN_TURNS)
        )
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
        return any(part in message.missing and self._comes_in_turns(part) for part in self._used)

    def _comes_in_turns(self, part: int) -> bool:
        known = self._known[part]
        return self._turns[part] >= MIN_TURNS and known is not None and self._last - known[0] <= self._largest_gap
