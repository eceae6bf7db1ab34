"""Model of one sensor's clock against the node's, from the timestamps of its samples and their arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from imu_emg_estimator.signals.delay_tracker import NEVER_NS, DelayTracker
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_counter import SampleCounter
from imu_emg_estimator.signals.timestamp_regularity import CALM_BLOCKS, Flaw, TimestampRegularity

MILLISECOND = 1_000_000  # ns

STARTING_NS = SECOND // 10  # of arrivals before anything is concluded
MIN_STARTING = 3  # samples
USUAL_DELAY_NS = 50 * MILLISECOND  # a sensor less late than this is delayed by transport: its timestamps are right
MAX_DELAY_NS = 250 * MILLISECOND  # a sensor that is later has another clock
STEADY_DELAY_NS = 5 * MILLISECOND  # a late sensor whose delays scatter less has another clock
MIN_DRIFTED_NS = 8 * MILLISECOND  # less is not corrected
MIN_LEAP_NS = 15 * MILLISECOND
MIN_STEP_NS = 8 * MILLISECOND  # of the floor of the delays, beside an irregular timestamp
SAME_LEAP_NS = 30 * MILLISECOND  # by which the delays of samples after a leap may differ
LEAP_SAMPLES = 3  # that must agree on it
MAX_LEAPS = 3.5  # lately; timestamps that leap more often are not used
KEPT_LEAPS = 0.95  # from block to block
LONG_LEAP_NS = SECOND
LATE_NS = 150 * MILLISECOND  # without a sample that is on time
ON_TIME_NS = 200 * MILLISECOND  # without a late sample
LATE_SAMPLES = 3
CONSTANT_DELAY_NS = SECOND  # of lateness before it can be taken for another clock
MAX_PAUSE_NS = 10 * SECOND  # after a longer one nothing that was learned counts
AGREEING_NS = 3 * MILLISECOND  # by which trusted timestamps may differ from what they are reconciled to
AGREEING_DRIFT = 3e-4
SETTLED_BLOCKS = 8  # in agreement before timestamps are used as they are again
SHORT_STEP = 0.3  # of a period
LONG_STEP = 1.6


class Source(Enum):
    """Where the instants of a sensor's samples come from at present."""

    STARTING = "not known yet"
    TIMESTAMPS = "timestamps"
    RECONCILED = "timestamps, reconciled"
    ARRIVALS = "arrivals"


@dataclass
class CommonDelay:
    """What the sensors have in common, in ns.

    Attributes:
        usual: smallest delay of a sensor whose timestamps are used as they are.
        scatter: typical delay beyond it.
    """

    usual: int = 0
    scatter: int = 0


class ClockModel:
    """Finds the instant of each sample of one sensor on the node's clock, in a few microseconds.

    Timestamps that advance regularly, less late than transport takes and not in the future, are used as they are.
    Where the delay from timestamp to arrival has another floor, or one that drifts, its change is added to them. A
    leap of the timestamps is told from a delay by the arrivals: only a delay makes them pause. Timestamps that do not
    advance with the samples are replaced by counting.

    Args:
        common: what the sensors have in common, kept up to date by the caller.
        tolerance: ns by which a timestamp may be ahead of the node's clock.
        arrivals_only: never use the timestamps.

    Attributes:
        source: where the instants come from.
        is_late: nothing has come on time lately.
        leapt_back: arrival of the latest sample after a leap back of the timestamps by more than a second [ns].
        used: samples that were given an instant, and all.
    """

    __slots__ = (
        "_arrival", "_before_long", "_begun", "_common", "_counter", "_earliest", "_index", "_is_pinned", "_last",
        "_late", "_late_at", "_late_gap", "_late_tracker", "_latest", "_leaps", "_longest", "_longs", "_reference",
        "_regularity", "_result", "_sequence", "_settled", "_shortest", "_stepped", "_suspect", "_suspects",
        "_tolerance", "_tracker", "arrivals_only", "is_late", "leapt_back", "refused", "source",
    )  # fmt: skip

    def __init__(self, common: CommonDelay, tolerance: int, arrivals_only: bool = False) -> None:
        self._common, self._tolerance, self.arrivals_only = common, tolerance, arrivals_only
        self._tracker, self._late_tracker = DelayTracker(), DelayTracker()
        self._counter, self._regularity = SampleCounter(), TimestampRegularity()
        self.leapt_back = -NEVER_NS
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.source = Source.STARTING
        self._reference: int | None = None  # delay that instants shall have; None = the usual one
        self._begun = self._last = self._arrival = self._index = self._late_at = self._late_gap = 0
        self._sequence: int | None = None
        self._result = -NEVER_NS
        self._shortest, self._longest, self._earliest, self._latest = NEVER_NS, -NEVER_NS, NEVER_NS, -NEVER_NS
        self._late = self._suspects = self._suspect = self._settled = self._stepped = 0
        self._leaps = self._longs = 0.0
        self._before_long: int | None = None
        self.is_late = self._is_pinned = False
        self.refused = 0
        self._regularity.restart()
        self._counter.restart()

    def instant(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Return the instant of the next sample on the node's clock [ns]; None = it cannot be told."""
        delay = arrival - timestamp
        if self._shortest < timestamp - self._last < self._longest and self._earliest < delay < self._latest:
            return self._take(timestamp, arrival, sequence, delay)
        result = self._examine(timestamp, arrival, sequence)
        self.refused += result is None
        return result

    # timestamps as expected

    def _take(self, timestamp: int, arrival: int, sequence: int | None, delay: int) -> int:
        self._last, self._arrival, self._sequence = timestamp, arrival, sequence
        self._index += 1
        if self._tracker.add(arrival, delay):
            self._judge(arrival)
        if self.source is Source.TIMESTAMPS:
            self._result = timestamp
            return timestamp
        return self._advance(timestamp + self._correction(arrival), arrival)

    def _correction(self, arrival: int) -> int:
        return self._tracker.floor.at(arrival) - self.reference

    @property
    def reference(self) -> int:
        """Delay that reconciled instants shall have [ns]."""
        return self._common.usual if self._reference is None else self._reference

    def _advance(self, instant: int, arrival: int) -> int:
        """Return an instant neither in the future nor before the last one."""
        instant = min(instant, arrival - min(self.reference, 0))
        if instant <= self._result < arrival:
            instant = min(self._result + max(self._regularity.period // 8, 1), arrival)
        self._result = instant
        return instant

    # timestamps that are not

    def _examine(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        self._index += 1
        if self.source is Source.STARTING or arrival - max(self._arrival, self._late_at) > MAX_PAUSE_NS:
            return self._start(timestamp, arrival, sequence)
        if self.source is Source.ARRIVALS:
            return self._count(timestamp, arrival, sequence)
        step, period = timestamp - self._last, self._regularity.period
        delay, interval = arrival - timestamp, arrival - max(self._arrival, self._late_at)
        if timestamp <= 0 or step == 0:
            return self._replace(Flaw.REPEATED if timestamp > 0 else Flaw.ZERO, timestamp, arrival, sequence)
        usual = step > 0 and (not period or step < LONG_STEP * period * self._steps(sequence) or step < interval)
        if self._earliest < delay < self._latest:
            self._suspects = 0
            return self._take_irregular(timestamp, arrival, sequence, interval)
        if delay <= self._earliest:
            if usual and self.source is Source.RECONCILED:
                self._tracker.restart(arrival, delay)
                self._set_limits(arrival)
                return self._take(timestamp, arrival, sequence, delay)
            return self._doubt(timestamp, arrival, sequence)
        if (usual and interval >= step) or self._late:
            return self._wait(timestamp, arrival, sequence, interval)
        return self._doubt(timestamp, arrival, sequence)

    def _steps(self, sequence: int | None) -> int:
        """Return by how many samples this one is later than the last, as far as the publisher's count says."""
        if sequence is None or self._sequence is None:
            return 1
        return max(1, sequence - self._sequence)

    def _take_irregular(self, timestamp: int, arrival: int, sequence: int | None, interval: int) -> int | None:
        """Take a sample on time whose timestamp is close to the last one, before it, or far from it."""
        step, period = timestamp - self._last, self._regularity.period
        if abs(interval - step) > MIN_STEP_NS:
            self._stepped = 2
        if self._late and arrival - self._late_at > ON_TIME_NS:
            self._late, self.is_late = 0, False
            self._set_limits(arrival)
        before, self._before_long = self._before_long, None
        if step > 0 and (not period or step >= SHORT_STEP * period):
            if not period or step < LONG_STEP * period * self._steps(sequence):
                return self._take(timestamp, arrival, sequence, arrival - timestamp)
            if self._longs > 0 and before is None and self._result + period < arrival:
                self._before_long = self._last  # of steps like this most were taken back by the next timestamp
                self._last, self._arrival, self._sequence = self._last + period, arrival, sequence
                return self._advance(self._result + period, arrival)
            self._before_long = self._last
            self._longs = max(self._longs - 0.25, -4.0)
            return self._take(timestamp, arrival, sequence, arrival - timestamp)
        if before is not None and before < timestamp:
            self._longs = min(self._longs + 1.25, 4.0)
        if self._regularity.note(Flaw.IRREGULAR, self._index):
            return self._to_arrivals(timestamp, arrival, sequence)
        if step < 0:
            corrected = self.source is not Source.TIMESTAMPS
            self._last, self._arrival, self._sequence = timestamp, arrival, sequence
            return timestamp + self._correction(arrival) if corrected else timestamp
        return self._take(timestamp, arrival, sequence, arrival - timestamp)

    def _replace(self, flaw: Flaw, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a timestamp that says nothing."""
        if self._regularity.note(flaw, self._index):
            return self._to_arrivals(timestamp, arrival, sequence)
        if flaw is Flaw.REPEATED and self.source is Source.TIMESTAMPS:
            return timestamp
        return self._repaired(arrival, sequence)

    def _repaired(self, arrival: int, sequence: int | None) -> int | None:
        """Return the instant after the last one by counting; None where samples may have been lost."""
        period, interval = self._regularity.period, arrival - max(self._arrival, self._late_at)
        if not period or interval > 2.5 * period:
            return None
        result = self._result + period * self._steps(sequence)
        if result >= arrival:
            return None
        self._last += period * self._steps(sequence)
        self._arrival, self._sequence, self._result = arrival, sequence, result
        return result

    def _doubt(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a timestamp that leapt: a single one is repaired, a few that agree are another clock."""
        delay = arrival - timestamp
        if self._suspects and abs(delay - self._suspect) < SAME_LEAP_NS:
            self._suspects += 1
            self._suspect = min(self._suspect, delay)
        else:
            self._suspects, self._suspect = 1, delay
        if self._suspects >= LEAP_SAMPLES:
            return self._leap(timestamp, arrival, sequence)
        return self._repaired(arrival, sequence)

    def _leap(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Take the timestamps' new clock."""
        change = self._suspect - self._tracker.floor.at(arrival)
        self._leaps += 1
        if self._leaps > MAX_LEAPS:
            self._regularity.note(Flaw.LEAPING, self._index)
            return self._to_arrivals(timestamp, arrival, sequence)
        if change > LONG_LEAP_NS:
            self.leapt_back = arrival
        self._reconcile()
        self._tracker.shift(change)
        self._suspects = self._late = 0
        self.is_late = self._is_pinned = False
        self._set_limits(arrival)
        return self._take(timestamp, arrival, sequence, arrival - timestamp)

    def _wait(self, timestamp: int, arrival: int, sequence: int | None, interval: int) -> int | None:
        """Handle a sample that comes late, after a pause of the arrivals."""
        delay = arrival - timestamp
        if not self._late:
            self._late_gap = interval
            self._begun = arrival
            self._late_tracker.restart(arrival, delay)
        self._late += 1
        self._last, self._late_at, self._sequence = timestamp, arrival, sequence
        self._longest = -NEVER_NS  # come back to ``_take_irregular``
        if self._late_tracker.add(arrival, delay):
            excess = self._late_tracker.floor.at(arrival) - self._tracker.floor.at(arrival)
            constant = arrival - self._begun > CONSTANT_DELAY_NS and self._is_steady(self._late_tracker)
            if constant and 2 * excess < self._late_gap:
                self._suspect = self._late_tracker.floor.at(arrival)
                return self._leap(timestamp, arrival, sequence)
        if self._late >= LATE_SAMPLES and arrival - self._arrival > LATE_NS:
            self.is_late = True
        if self.is_late:
            return None
        return timestamp if self.source is Source.TIMESTAMPS else timestamp + self._correction(arrival)

    # the beginning

    def _start(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        delay, tracker = arrival - timestamp, self._tracker
        if self.source is not Source.STARTING or not self._begun or arrival < self._begun:
            self.restart()
            self._begun, self._index, self._last = arrival, 1, timestamp
            tracker.restart(arrival, delay)
            self._regularity.period = 0
            self._late_gap = timestamp
        else:
            step = timestamp - self._last
            if (timestamp <= 0 or step <= 0) and self._regularity.note(
                Flaw.ZERO if timestamp <= 0 else Flaw.REPEATED if step == 0 else Flaw.IRREGULAR, self._index
            ):
                return self._to_arrivals(timestamp, arrival, sequence)
        tracker.add(arrival, delay)
        tracker.floor.lower(arrival, delay)
        self._last, self._arrival, self._sequence = timestamp, arrival, sequence
        if self.arrivals_only:
            return self._to_arrivals(timestamp, arrival, sequence)
        if arrival - self._begun >= STARTING_NS and self._index >= MIN_STARTING:
            return self._conclude(timestamp, arrival, sequence)
        if -self._tolerance <= delay <= MAX_DELAY_NS:
            self._result = timestamp
            return timestamp
        return None

    def _conclude(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """End the beginning."""
        floor = self._tracker.floor.at(arrival)
        self._tracker.restart(arrival, floor)
        self._regularity.period = max(0, (timestamp - self._late_gap) // (self._index - 1))
        self._late_gap = 0
        if -self._tolerance <= floor <= MAX_DELAY_NS:
            self.source = Source.TIMESTAMPS
        else:
            self._reconcile()
        self._set_limits(arrival)
        self._index -= 1
        return self._take(timestamp, arrival, sequence, arrival - timestamp)

    def _reconcile(self) -> None:
        self.source = Source.RECONCILED
        self._settled = 0

    # from block to block

    def _judge(self, arrival: int) -> None:
        tracker, regularity = self._tracker, self._regularity
        floor = tracker.floor.at(arrival)
        regularity.end_block(self._index)
        self._leaps *= KEPT_LEAPS
        if self._stepped:
            self._follow_step(arrival)
        if self.source is Source.TIMESTAMPS:
            self._doubt_timestamps(floor)
        elif self.source is Source.RECONCILED:
            self._trust_again(floor)
        self._set_limits(arrival)

    def _follow_step(self, arrival: int) -> None:
        """Take a small step of the floor that an irregular timestamp began for a leap of the clock."""
        self._stepped -= 1
        if abs(self._tracker.step) > MIN_STEP_NS and self._tracker.blocks > 2:
            self._stepped = 0
            self._reconcile()
            self._tracker.restart(arrival, self._tracker.floor.at(arrival))

    def _doubt_timestamps(self, floor: int) -> None:
        behind = floor - max(min(self._common.usual, USUAL_DELAY_NS), -self._tolerance)
        if self._reference is None and not behind > USUAL_DELAY_NS:
            self._reference = floor
        if floor < -self._tolerance:
            self._reconcile()
        elif behind > USUAL_DELAY_NS + self._tolerance:
            if self._is_steady(self._tracker):
                self._reconcile()
            elif floor - self._common.usual > USUAL_DELAY_NS + self._tolerance:
                self._is_pinned = True
        elif self._has_moved(floor) and self._tracker.is_drifting():
            self._reconcile()

    def _has_moved(self, floor: int) -> bool:
        """Whether the delays differ from those of the beginning by more than is left uncorrected."""
        return self._reference is not None and abs(floor - self._reference) > MIN_DRIFTED_NS + self._tolerance // 4

    def _trust_again(self, floor: int) -> None:
        agrees = abs(floor - self.reference) < AGREEING_NS and abs(self._tracker.drift) < AGREEING_DRIFT
        self._settled = self._settled + 1 if agrees and floor >= -self._tolerance else 0
        if self._settled >= SETTLED_BLOCKS:
            self.source = Source.TIMESTAMPS

    def _is_steady(self, tracker: DelayTracker) -> bool:
        """Whether delays scatter so little that it is the clock that is behind, and not the transport."""
        return tracker.scatter <= max(STEADY_DELAY_NS, 2 * self._common.scatter)

    def _set_limits(self, arrival: int) -> None:
        floor, period = self._tracker.floor.at(arrival), self._regularity.period
        self._shortest, self._longest = int(SHORT_STEP * period), int(LONG_STEP * period) if period else NEVER_NS
        if self.source is Source.TIMESTAMPS:
            self._earliest = -self._tolerance - 1
        else:
            self._earliest = floor - MIN_LEAP_NS
        if self._is_pinned:
            floor = self._common.usual
        self._latest = floor + USUAL_DELAY_NS + self._tolerance

    # arrivals

    def _to_arrivals(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        started, period = self.source is not Source.STARTING, self._regularity.period
        self.source = Source.ARRIVALS
        self._shortest, self._longest = NEVER_NS, -NEVER_NS
        self.is_late = self._is_pinned = False
        self._late = 0
        if started and period:
            self._counter.start(self._result + self.reference, period, arrival, sequence)
        else:
            self._counter.restart()
        self._tracker.restart(arrival, arrival - timestamp)
        return self._count(timestamp, arrival, sequence)

    def _count(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        line = self._counter.instant(arrival, sequence)
        self._watch(timestamp, arrival, sequence)
        if line is None:
            return None
        self._regularity.period = self._counter.period
        return self._advance(line - self.reference, arrival)

    def _watch(self, timestamp: int, arrival: int, sequence: int | None) -> None:
        """See whether the timestamps have become regular."""
        step, period = timestamp - self._last, self._counter.period
        steps = self._steps(sequence)
        self._last, self._arrival, self._sequence = timestamp, arrival, sequence
        if timestamp <= 0 or step <= 0:
            self._regularity.note(
                Flaw.ZERO if timestamp <= 0 else Flaw.REPEATED if step == 0 else Flaw.IRREGULAR, self._index
            )
        elif period and not SHORT_STEP * period < step < LONG_STEP * period * steps:
            self._regularity.note(Flaw.IRREGULAR, self._index)
        if self._tracker.add(arrival, arrival - timestamp):
            self._regularity.end_block(self._index)
            if self._regularity.calm_blocks >= CALM_BLOCKS and not self.arrivals_only:
                self.source, self._begun = Source.STARTING, 0

    # what is known

    @property
    def floor(self) -> int:
        """Smallest delay of the timestamps lately [ns]."""
        return self._tracker.floor.at(self._arrival)

    @property
    def scatter(self) -> int:
        """Typical delay beyond the smallest [ns]."""
        return self._tracker.scatter

    @property
    def drift(self) -> float:
        """Drift of the timestamps' delay [s/s]."""
        return self._tracker.drift

    @property
    def flaw(self) -> Flaw:
        """What is wrong with the timestamps that arrivals replace."""
        return Flaw.NONE if self.arrivals_only else self._regularity.flaw

    @property
    def lateness(self) -> int:
        """By how much the samples of a late sensor come later than before [ns]."""
        return self._late_tracker.floor.at(self._late_at) - self._tracker.floor.at(self._late_at)

    @property
    def samples(self) -> int:
        """Samples since the start."""
        return self._index

    @property
    def arrival(self) -> int:
        """Arrival of the latest sample [ns]."""
        return max(self._arrival, self._late_at)
