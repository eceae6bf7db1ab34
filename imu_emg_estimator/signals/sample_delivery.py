"""How a sensor's messages come: at which rate, with how many lost, and from how many publishers."""

from __future__ import annotations

from collections import deque

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

WINDOW_NS = SECOND // 2  # the rate is counted over two of them
MAX_GAP_NS = SECOND // 2  # a longer silence is no slow sensor
SLOW_SHARE = 0.8  # of the rig's rate: told below
MIN_SHARE = 0.5  # of the rig's rate: masked below, where interpolation no longer shows a step of gait
STEADY_INTERVALS = 5  # in a row, all too long, that show a very slow sensor at once
STEADY = 1.5  # by which the longest of them may exceed the shortest
MAX_LOST = 0.2  # share of the messages: told above
MAX_STEP = 1000  # of a sequence number: a larger one is another publisher's, not a loss
MAX_OVERTAKEN = 64  # missing numbers that may still come: a quarter of a second at 250 Hz
MAX_UNDATED = 4  # numbers by which a message may come late where its instant does not tell that it is older
RETURNS_NS = SECOND  # within which the sequence numbers of two publishers go back twice
MIN_HOLD_NS = 3 * SECOND // 10  # after they last did


def lowest_rate(rig_rate: float) -> float:
    """Return the rate below which a sensor of a rig with this rate is masked [Hz]."""
    return MIN_SHARE * rig_rate


class SampleDelivery:
    """Follows the instants and sequence numbers of one sensor.

    Args:
        rate: of the rig [Hz].
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._longest = round(SECOND / lowest_rate(rate))
        self._intervals: deque[int] = deque(maxlen=STEADY_INTERVALS)
        self.reset()

    def reset(self) -> None:
        """Forget all messages."""
        self._last = self._begin = NEVER
        self._expected: int | None = None  # the highest sequence number and one
        self._numbered = NEVER  # instant of the message with the highest
        self._missing: deque[int] = deque(maxlen=MAX_OVERTAKEN)
        self._returned = NEVER
        self._two_until = self._slow_until = NEVER
        self._slow: SensorState | None = None
        self._restart()

    def take(self, instant: int, sequence: int | None = None, share: float = 1.0) -> SensorState | None:
        """Take a message's instant [ns] and sequence number; return what is wrong, None = nothing.

        Args:
            share: of what the network uses that is new in the message; without any it counts in no rate.
        """
        if share > 0.0:
            self._time(instant)
        self._received += 1
        self._new += share
        if sequence is not None:
            if sequence == self._expected:
                self._expected, self._numbered = sequence + 1, instant
            else:
                self._count(instant, sequence)
        if instant < self._two_until:
            self._restart()  # the numbers of one are gaps in those of the other
            self._begin = instant
            reason = "has two publishers: the sequence numbers of its messages go back and forth"
            return SensorState(Verdict.TWO_PUBLISHERS, reason, "stop one of the two drivers on its topic", True)
        if instant - self._begin >= WINDOW_NS:
            self._judge(instant)
        return self._slow

    def _time(self, instant: int) -> None:
        interval = instant - self._last
        if not -MAX_GAP_NS <= interval <= MAX_GAP_NS:
            self._restart()
            self._last = self._begin = instant
        elif interval > self._longest:
            self._note_long(instant)
        elif self._intervals:
            self._intervals.clear()
        if interval > 0:
            self._last = instant

    def _restart(self) -> None:
        self._received, self._new, self._lost = 0, 0.0, 0
        self._before: tuple[int, float, int, int] | None = None  # received, new, lost and ns of the window before
        self._slow = None
        self._slow_until = NEVER
        self._intervals.clear()

    def _note_long(self, instant: int) -> None:
        """Call a sensor slow whose intervals have become long, all alike, without waiting for windows to end."""
        intervals = self._intervals
        intervals.append(instant - self._last)
        if len(intervals) == STEADY_INTERVALS and max(intervals) < STEADY * min(intervals):
            self._slow = self._state(STEADY_INTERVALS * SECOND / sum(intervals), 0.0)
            self._slow_until = instant + WINDOW_NS

    def _count(self, instant: int, sequence: int) -> None:
        step = 1 if self._expected is None else sequence - self._expected + 1
        if step <= 0 and self._was_overtaken(instant, sequence, -step):
            self._missing.remove(sequence)
            self._lost = max(self._lost - 1, 0)
            return
        if step > 0:
            self._lost += step - 1 if step <= MAX_STEP else 0
            self._missing.extend(range(sequence - min(step - 1, MAX_OVERTAKEN), sequence))
        else:
            self._note_return(instant)
        self._expected, self._numbered = sequence + 1, instant

    def _was_overtaken(self, instant: int, sequence: int, numbers: int) -> bool:
        """Whether an older message was overtaken on its way; of two publishers, numbers repeat or defy the instants."""
        return sequence in self._missing and (instant < self._numbered or numbers <= MAX_UNDATED)

    def _note_return(self, instant: int) -> None:
        self._missing.clear()
        if instant - self._returned <= RETURNS_NS:  # once is a driver that started again
            self._two_until = instant + max(MIN_HOLD_NS, 2 * (instant - self._returned))
        self._returned = instant

    def _judge(self, instant: int) -> None:
        window = (self._received, self._new, self._lost, instant - self._begin)
        if self._before and instant >= self._slow_until:
            received, new, lost, span = (a + b for a, b in zip(self._before, window, strict=True))
            self._slow = self._state(new * SECOND / span, lost / (received + lost))
        self._before, self._begin = window, instant
        self._received, self._new, self._lost = 0, 0.0, 0

    def _state(self, rate: float, lost: float) -> SensorState | None:
        remedy = "set a higher rate, or move it closer to its receiver"
        if rate < SLOW_SHARE * self._rate:
            loses = f", and loses {lost:.0%} of its messages" if lost > MAX_LOST else ""
            reason = f"sends at {rate:.0f} Hz instead of {self._rate:.0f} Hz{loses}"
            return SensorState(Verdict.SLOW, reason, remedy, rate < lowest_rate(self._rate))
        if lost > MAX_LOST:
            return SensorState(Verdict.SLOW, f"loses {lost:.0%} of its messages", remedy, False)
        return None
