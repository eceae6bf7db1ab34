"""Model of one sensor's clock against the node's, from the timestamps of its samples and their arrivals."""

from __future__ import annotations

from imu_emg_estimator.signals.delay_floor import NEVER_NS
from imu_emg_estimator.signals.delay_tracker import CommonDelay, DelayTracker
from imu_emg_estimator.signals.first_delays import FirstDelays
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.instant_source import Source
from imu_emg_estimator.signals.lateness import Lateness
from imu_emg_estimator.signals.returning_timestamps import ReturningTimestamps
from imu_emg_estimator.signals.sample_counter import SampleCounter
from imu_emg_estimator.signals.timestamp_leaps import CountedPause, LongSteps, SuspectedLeap
from imu_emg_estimator.signals.timestamp_regularity import Flaw, TimestampRegularity, flaw_of

MILLISECOND = 1_000_000  # ns
USUAL_DELAY_NS = 50 * MILLISECOND  # a sensor less late than this is delayed by transport: its timestamps are right
GROUP_DELAY_NS = 100 * MILLISECOND  # that transport takes at most where all sensors are late alike
MAX_DELAY_NS = 250 * MILLISECOND  # a sensor that is later has another clock
STEADY_DELAY_NS = 5 * MILLISECOND  # a sensor late by its clock alone has delays that scatter less
MIN_DRIFTED_NS = 8 * MILLISECOND  # less is not corrected
USUAL_SCATTER_NS = 3 * MILLISECOND  # of the delays
MIN_LEAP_NS = 15 * MILLISECOND
MIN_STEP_NS = 8 * MILLISECOND  # of the floor of the delays, at an irregular timestamp
STEP_SAMPLES = 5  # after it that show the step
AHEAD_SAMPLES = 3  # of a block, little ahead of the node's clock, that show a clock which is
LONG_LEAP_NS = SECOND
MAX_PAUSE_NS = 10 * SECOND  # after a longer one nothing that was learned counts
AGREEING_NS = 3 * MILLISECOND  # by which trusted timestamps may differ from what they are reconciled to
AGREEING_DRIFT = 3e-4
ON_ARRIVAL_NS = MILLISECOND  # delay of timestamps that are taken on arrival
TRUSTED_BLOCKS = 4  # after which a sensor's own delay is known
SETTLED_BLOCKS = 8  # in agreement before timestamps are used as they are again
MIN_JITTER, MAX_JITTER = 0.25, 0.75  # of a period, by which a step between timestamps may differ from it
JITTERS = 6  # typical jitters that a step may differ by
LONG_PAUSE = 4  # periods; a longer step between timestamps says nothing of the period


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
        lateness: of the latest samples.
        regularity: of the timestamps.
        tracker: of the delays from timestamp to arrival.
        leapt_back: arrival of the latest sample after a leap back of the timestamps by more than a second [ns].
        samples: since the start.
    """

    def __init__(self, common: CommonDelay, tolerance: int, arrivals_only: bool = False) -> None:
        self._common, self._tolerance, self.arrivals_only = common, tolerance, arrivals_only
        self.tracker, self.regularity = DelayTracker(), TimestampRegularity()
        self._first, self._counter, self._returning = FirstDelays(), SampleCounter(), ReturningTimestamps()
        self.leapt_back = -NEVER_NS
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.source = Source.STARTING
        self._reference: int | None = None  # delay that instants shall have; None = the usual one
        self._last = self._on_time = 0  # timestamp and arrival of the last sample on time
        self._sequence: int | None = None
        self._result = -NEVER_NS
        self._ahead = self._settled = self._stepped = self._step = self._jitter = self.samples = 0
        self._leap, self._long_steps, self._pause = SuspectedLeap(), LongSteps(), CountedPause()
        self._good: tuple[int, int, int | None] | None = None
        self.pinned, self.lateness = False, Lateness()
        self.regularity.restart()
        self._counter.restart()
        self._first.clear()
        self._expect_nothing()

    def instant(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Return the instant of the next sample on the node's clock [ns]; None = it cannot be told."""
        delay = arrival - timestamp
        if self._shortest < timestamp - self._last < self._longest and self._earliest < delay < self._latest:
            self.samples += 1
            return self._take(timestamp, arrival, sequence, delay)
        period, before = self.regularity.period, self._result
        beyond = min(timestamp - self._last, arrival - self.arrival) - self._steps(sequence) * period
        counts_on = (self._sequence or 0) < (sequence or 0)  # else the driver started again
        is_doubtful = counts_on and self._pause.ends_with(timestamp, arrival, self.samples, beyond, period)
        result = self._examine(timestamp, arrival, sequence)
        self.samples += 1
        if is_doubtful and self.source is not Source.ARRIVALS:
            self._result, result = before, None
        return result

    @property
    def reference(self) -> int:
        """Delay that reconciled instants shall have [ns]."""
        return self._common.usual if self._reference is None else self._reference

    @property
    def floor(self) -> int:
        """Smallest delay of the timestamps lately [ns]."""
        return self.tracker.floor.at(self.arrival)

    @property
    def flaw(self) -> str:
        """What is wrong with the timestamps where arrivals replace them, to follow "its timestamps"."""
        return (Flaw.NONE if self.arrivals_only else self.regularity.flaw).value

    @property
    def arrival(self) -> int:
        """Arrival of the latest sample [ns]."""
        return max(self._on_time, self.lateness.latest)

    # timestamps as expected

    def _take(self, timestamp: int, arrival: int, sequence: int | None, delay: int) -> int:
        if self.tracker.add(arrival, delay):
            self._judge(timestamp, arrival, sequence)
        self._last, self._on_time, self._sequence = timestamp, arrival, sequence
        if self.source is Source.TIMESTAMPS:
            self._result = timestamp
            return timestamp
        return self._advance(timestamp + self._correction(arrival), arrival)

    def _correction(self, arrival: int) -> int:
        return 0 if self.source is Source.TIMESTAMPS else self.tracker.floor.at(arrival) - self.reference

    def _advance(self, instant: int, arrival: int) -> int:
        """Return an instant neither in the future nor before the last one."""
        instant = min(instant, arrival - min(self.reference, 0))
        if instant <= self._result < arrival:
            instant = min(self._result + max(self.regularity.period // 8, 1), arrival)
        self._result = instant
        return instant

    # timestamps that are not

    def _examine(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        if self.source is Source.STARTING or arrival - self.arrival > MAX_PAUSE_NS:
            return self._start(timestamp, arrival, sequence)
        if self.source is Source.ARRIVALS:
            return self._count(timestamp, arrival, sequence)
        delay, period = arrival - timestamp, self.regularity.period
        if self._pause.hid_burst(timestamp, arrival, self.samples, period):
            return self._to_arrivals(timestamp, arrival, sequence)
        if timestamp < self._last and delay >= self._latest and self.lateness.goes_on(arrival):
            return None  # of a delay that is over: later samples come on time
        self._take_back(timestamp)
        step = timestamp - self._last
        if timestamp <= 0 or step == 0:
            return self._replace(Flaw.REPEATED if timestamp > 0 else Flaw.ZERO, timestamp, arrival, sequence)
        if self.regularity.has_changed(timestamp, sequence, self.samples):
            period = self.regularity.period
            self._expect(arrival)
        beats = (round(step / period) or int(step > 0)) if period else 1
        if abs(step - beats * period) > self._jitter or not beats:
            return self._leave_out(timestamp, arrival, sequence)
        if self._earliest < delay < self._latest:
            return self._take_on_beat(timestamp, arrival, sequence, beats)
        if delay >= self._latest and beats > 0:
            return self._wait(timestamp, arrival, sequence)
        is_next = 0 < beats <= max(self._steps(sequence), (arrival - self.arrival) // period)
        if is_next and self._is_ahead(arrival, delay):
            self.tracker.restart(arrival, delay)
            self._expect(arrival)
            return self._take(timestamp, arrival, sequence, delay)
        return self._suspect_leap(timestamp, arrival, sequence)

    def _is_ahead(self, arrival: int, delay: int) -> bool:
        """Whether a delay that is too short is none of a single timestamp, but where the delays begin now."""
        if self.source is Source.TIMESTAMPS:
            self._ahead += delay > self.tracker.floor.at(arrival) - MIN_LEAP_NS
            if self._ahead < AHEAD_SAMPLES:
                return False
            self._reconcile()
        return True

    def _steps(self, sequence: int | None) -> int:
        """Return by how many samples this one is later than the last, as far as the publisher's count says."""
        if sequence is None or self._sequence is None:
            return 1
        return max(1, sequence - self._sequence)

    def _take_back(self, timestamp: int) -> None:
        before = self._long_steps.taken_back(timestamp, self._last, self.samples)
        if before is not None:
            self._last, self._result = before, min(self._result, timestamp)
            self.regularity.note(Flaw.IRREGULAR, self.samples)

    def _take_on_beat(self, timestamp: int, arrival: int, sequence: int | None, beats: int) -> int | None:
        """Take a sample on time, a number of periods after the last one."""
        self._leap.clear()
        step = timestamp - self._last
        if beats > self._steps(sequence) or beats < 0:
            change = arrival - self.arrival - step
            if abs(change) > MIN_STEP_NS and not self._stepped:
                self._stepped, self._step = 2, change
                self.tracker.cut(arrival, STEP_SAMPLES * self.regularity.period)
            self.regularity.skipped += max(beats, 0) - 1
            if beats < 0:  # it comes out of order
                return timestamp + self._correction(arrival)
            if not self._long_steps.may_take(self._last, self.samples):
                return None
        if beats > LONG_PAUSE:
            self.regularity.leap()
        return self._take(timestamp, arrival, sequence, arrival - timestamp)

    def _leave_out(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a timestamp between the beats: it is left out unless the next ones keep to it."""
        if self.regularity.note(Flaw.IRREGULAR, self.samples):
            return self._to_arrivals(timestamp, arrival, sequence)
        return self._suspect_leap(timestamp, arrival, sequence)

    def _replace(self, flaw: Flaw, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a timestamp that says nothing."""
        if self.regularity.note(flaw, self.samples):
            return self._to_arrivals(timestamp, arrival, sequence)
        if flaw is Flaw.REPEATED and self.source is Source.TIMESTAMPS:
            return timestamp
        return self._repaired(arrival, sequence)

    def _repaired(self, arrival: int, sequence: int | None) -> int | None:
        """Return the instant after the last one by counting; None where the arrival does not bear it out."""
        period, interval, steps = self.regularity.period, arrival - self.arrival, self._steps(sequence)
        result = self._result + period * steps
        if not period < 2 * interval < 3 * period * steps or result >= arrival:
            return None
        self._last += period * steps
        self._on_time, self._sequence, self._result = arrival, sequence, result
        return result

    def _suspect_leap(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a timestamp that leapt: a single one is repaired or left out, a few that agree are another clock."""
        delay = arrival - timestamp
        if self._leap.add(timestamp, delay, self.regularity.period, self.samples):
            return self._follow_leap(timestamp, arrival, sequence, self._leap.delay)
        return self._repaired(arrival, sequence) if delay <= self._earliest or delay > MAX_DELAY_NS else None

    def _follow_leap(self, timestamp: int, arrival: int, sequence: int | None, delay: int) -> int | None:
        """Take the timestamps' new clock, or merely their new beat."""
        change = delay - self.tracker.floor.at(arrival)
        self.regularity.leap()
        if self.source is Source.TIMESTAMPS and abs(change) < MIN_STEP_NS and delay > self._earliest:
            self._leap.clear()
            return self._take(timestamp, arrival, sequence, arrival - timestamp)
        if self._leap.count():
            self.regularity.note(Flaw.LEAPING, self.samples)
            return self._to_arrivals(timestamp, arrival, sequence)
        if change > LONG_LEAP_NS:
            self.leapt_back = arrival
        self._reconcile()
        self.tracker.shift(change)
        self._expect(arrival)
        return self._take(timestamp, arrival, sequence, arrival - timestamp)

    def _wait(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Handle a sample that comes late."""
        lateness = self.lateness
        lateness.add(arrival, arrival - timestamp, arrival - self.arrival, self._on_time)
        self._last, self._sequence = timestamp, sequence
        late, normal = lateness.tracker.floor.at(arrival), self.tracker.floor.at(arrival)
        if not self.pinned and lateness.is_other_clock(late - normal, self._steady):
            return self._follow_leap(timestamp, arrival, sequence, late)
        if lateness.is_late:
            return None
        return timestamp + self._correction(arrival)

    # the beginning

    def _start(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        if self.source is not Source.STARTING:
            self.restart()
        step, steps = timestamp - self._last, self._steps(sequence)
        self._last, self._on_time, self._sequence = timestamp, arrival, sequence
        flaw = flaw_of(timestamp, step)
        if self.arrivals_only or (flaw and self.regularity.note(flaw, self.samples)):
            return self._to_arrivals(timestamp, arrival, sequence)
        if self._first.add(timestamp, arrival, steps):
            self.regularity.begin(self.samples, timestamp, sequence, self._first.period, self._first.jitter)
            self.tracker.restart(arrival, self._first.floor, self._first.scatter)
            self.source = Source.TIMESTAMPS
            if -self._tolerance <= self._first.floor <= MAX_DELAY_NS:
                self._reference = self._first.floor if self._first.floor <= USUAL_DELAY_NS else None
            else:
                self._reconcile()
            self._expect(arrival)
            return self._take(timestamp, arrival, sequence, arrival - timestamp)
        if timestamp > 0 and -self._tolerance <= arrival - timestamp <= MAX_DELAY_NS:
            self._result = timestamp
            return timestamp
        return None

    # from block to block

    def _judge(self, timestamp: int, arrival: int, sequence: int | None) -> None:
        """Look at the block of samples that ends with this one."""
        floor = self.tracker.floor.at(arrival)
        step = (timestamp - self._last) // self._steps(sequence)
        if self.regularity.end_block(self.samples, timestamp, sequence, step):
            self._good = self._result, self.samples - 1, self._sequence
        self._leap.end_block()
        self._ahead = 0
        if self.lateness.samples:
            self.lateness.end_block()
        if self._stepped:
            self._follow_step(arrival)
        if self.source is Source.TIMESTAMPS:
            self._doubt_timestamps(floor)
        elif self.source is Source.RECONCILED:
            self._trust_again(floor)
        self._expect(arrival)

    def _follow_step(self, arrival: int) -> None:
        """Take a step of the floor that an irregular timestamp began for a leap of the clock."""
        self._stepped -= 1
        alike = abs(self.tracker.step - self._step) < max(MIN_STEP_NS, abs(self._step) // 3)
        if alike and abs(self.tracker.step) > max(MIN_STEP_NS, 2 * self.tracker.scatter) and self.tracker.blocks > 2:
            self._stepped = 0
            self._reconcile()
            self.tracker.restart(arrival, self.tracker.floor.at(arrival) + max(self.tracker.step, 0))

    def _doubt_timestamps(self, floor: int) -> None:
        usual = self._common.usual if self._common.usual <= GROUP_DELAY_NS else 0
        if self.tracker.blocks == 1 and self._reference is not None and self.tracker.scatter > STEADY_DELAY_NS:
            self._reference = min(self._reference, floor)  # the first samples may have come in one burst
        if max(floor, self.tracker.smallest) < -self._tolerance:
            self._reconcile()
        elif floor - usual > USUAL_DELAY_NS + self._tolerance:
            if self.tracker.scatter <= self._steady:
                self._reconcile()
            else:
                self.pinned = floor - self._common.usual > USUAL_DELAY_NS + self._tolerance
        elif self._has_moved(floor) and self.tracker.is_drifting():
            self._reconcile()

    def _has_moved(self, floor: int) -> bool:
        """Whether the delays differ from those of the beginning by more than is left uncorrected."""
        least = MIN_DRIFTED_NS + self._tolerance // 4 + max(0, self.tracker.scatter - USUAL_SCATTER_NS)
        return self._reference is not None and abs(floor - self._reference) > least

    def _trust_again(self, floor: int) -> None:
        agrees = abs(floor - self.reference) < AGREEING_NS and abs(self.tracker.drift) < AGREEING_DRIFT
        self._settled = self._settled + 1 if agrees and floor >= -self._tolerance else 0
        if self._settled >= SETTLED_BLOCKS:
            self.source = Source.TIMESTAMPS

    def _reconcile(self) -> None:
        self.source = Source.RECONCILED
        self._settled = 0
        self._leap.clear()
        self.pinned = False
        self.lateness.clear()

    @property
    def _steady(self) -> int:
        """Scatter of the delays up to which it is the clock that is behind, and not the transport [ns]."""
        return max(STEADY_DELAY_NS, 2 * self._common.scatter)

    def _expect(self, arrival: int) -> None:
        """Set what the next samples are expected to be."""
        floor, period = self.tracker.floor.at(arrival), self.regularity.period
        self._jitter = int(max(MIN_JITTER * period, min(MAX_JITTER * period, JITTERS * self.regularity.jitter)))
        self._shortest, self._longest = period - self._jitter, period + self._jitter if period else NEVER_NS
        self._earliest = -self._tolerance - 1 if self.source is Source.TIMESTAMPS else floor - MIN_LEAP_NS
        spread = USUAL_DELAY_NS + self._tolerance + 2 * self.tracker.scatter
        self._latest = (self._common.usual if self.pinned else floor) + spread

    def _expect_nothing(self) -> None:
        self._shortest, self._longest, self._earliest, self._latest = NEVER_NS, -NEVER_NS, NEVER_NS, -NEVER_NS

    # arrivals

    def _to_arrivals(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        """Replace the timestamps by arrivals from now on."""
        if self.tracker.blocks < TRUSTED_BLOCKS or abs(self._reference or 0) < ON_ARRIVAL_NS:
            self._reference = None
        if self._good and self.regularity.period:
            result, index, last = self._good
            self._counter.start(result, self.samples - index, self.regularity.period, last)
            self._counter.expect(arrival, self.reference)
        else:
            self._counter.restart()
        self._reconcile()
        self.source = Source.ARRIVALS
        self._expect_nothing()
        self._returning.restart(timestamp, arrival)
        return self._count(timestamp, arrival, sequence)

    def _count(self, timestamp: int, arrival: int, sequence: int | None) -> int | None:
        line, steps = self._counter.instant(arrival, sequence), self._steps(sequence)
        self._on_time, self._sequence = arrival, sequence
        if self._returning.add(timestamp, arrival, self._counter.period * steps) and not self.arrivals_only:
            self.restart()
        return None if line is None else self._advance(line - self.reference, arrival)
