"""Alignment of the samples of several IMUs, each at its own rate, to one regular grid.

The same class serves the live node and the reading of bags, so both see the same rows.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.alternating_parts import AlternatingParts

Sample = tuple[float, ...]  # acceleration x y z [m/s^2], angular rate x y z [rad/s]; NaN = not available

SECOND = 1_000_000_000  # ns
NEVER = -(1 << 80)  # ns, before every timestamp
ABSENT: Sample = (float("nan"),) * 6
MAX_SETTING_S = 1e6  # far above every useful value; counts of nanoseconds stay in 64 bits
KEPT_BURSTS = 3
BURST_MEMORY_NS = 2 * SECOND  # after one, a sensor is waited for
BURST_MARGIN = 1.2  # of the longest wait for a burst: the next one may be longer
BURST_SCATTER_NS = 4_000_000  # by which a sensor may be further behind: steps lie after its last sample
MAX_TRACK_SAMPLES = 1 << 16  # a clock far ahead must not fill the memory


@dataclass(frozen=True)
class AlignmentSettings:
    """What a late, lost or mistimed sample leads to; all in seconds of timestamp time.

    Attributes:
        largest_gap: two samples of a sensor further apart are not interpolated between.
        deadline: how far a grid step may fall behind what half of the live sensors have reached.
        burst_deadline: the same while it waits for a sensor that is known to send in bursts, none of them longer.
        timeout: a sensor silent for longer is not waited for until its next sample.
        jump: a timestamp further from the newest one is a jump of the clock, not a delay.

    Raises:
        InputError: one is negative, not a number, or above ``MAX_SETTING_S``.
    """

    largest_gap: float = 0.1
    deadline: float = 0.05
    burst_deadline: float = 0.15
    timeout: float = 0.25
    jump: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0.0 <= value <= MAX_SETTING_S:
                raise InputError(
                    f"alignment setting '{name}' is {value:g} s; choose a value from 0 to {MAX_SETTING_S:g} s"
                )


@dataclass(frozen=True)
class GridRow:
    """One step of the grid.

    Attributes:
        timestamp: instant of the step [ns].
        imu: [sensors, 6]; NaN where a sensor does not cover the instant.
        newest: how far the data reach [ns]: the timestamp that half of the live sensors have come to,
            so that one clock ahead does not make them look newer.
        restarted: this is the first row after the start or after a jump of the clock.
    """

    timestamp: int
    imu: NDArray[np.float64]
    newest: int
    restarted: bool


class _Track:
    """Recent samples of one sensor in order of timestamp.

    Attributes:
        last: its newest timestamp [ns]; NEVER before its first sample.
        received: elapsed time when its latest sample came [ns]
        patience: how long a step waits for it [ns].
        is_behind: a step waited beyond the deadline for its latest sample.
        bursts: latest samples for which a step had to: elapsed time and wait [ns].
    """

    __slots__ = ("bursts", "is_behind", "last", "patience", "received", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, Sample]] = deque(maxlen=MAX_TRACK_SAMPLES)
        self.bursts: deque[tuple[int, int]] = deque(maxlen=KEPT_BURSTS)
        self.clear(0)

    def clear(self, deadline: int) -> None:
        self.samples.clear()
        self.last = NEVER
        self.received = 0
        self.bursts.clear()
        self.is_behind = False
        self.patience = deadline


class GridAligner:
    """Interpolates IMU samples linearly to a regular grid, a row as soon as every sensor covers it.

    A sensor that is late by more than the deadline, or silent, is NaN in the row: masked, not faked.
    When most of the live sensors agree that time has jumped, or only the disagreeing ones still
    send, the grid restarts there; a single sensor with a wrong clock is left out, and one whose
    clock is slightly ahead does not make the others late. The grid starts at the first timestamp.
    A sensor that sends in bursts is waited for longer, and one that sends acceleration and angular rate in turns has
    each interpolated by itself.

    Every message of every sensor comes through here, so samples are tuples of Python's own numbers,
    and one comparison with the sensor that a step waits for answers most calls.

    Args:
        sensors: number of IMUs.
        rate: rate of the grid [Hz].
        used: [sensors][acceleration, angular rate] whether it is needed; None = all are.
    """

    def __init__(
        self,
        sensors: int,
        rate: float,
        settings: AlignmentSettings = AlignmentSettings(),
        used: Sequence[Sequence[bool]] | None = None,
    ) -> None:
        self.rate = rate
        self.late_samples = 0  # samples that came after their grid step was over, or twice
        self._largest_gap = round(settings.largest_gap * SECOND)
        self._deadline = round(settings.deadline * SECOND)
        self._longest_patience = round(max(settings.deadline, settings.burst_deadline) * SECOND)
        self._timeout = round(settings.timeout * SECOND)
        self._jump = round(settings.jump * SECOND)
        self._tracks = [_Track() for _ in range(sensors)]
        self._parts = [AlternatingParts(self._largest_gap, own) for own in used or [(True, True)] * sensors]
        self._waited = self._tracks[0]  # a sensor that the next step was seen to wait for
        self._origin: int | None = None  # first instant of the grid; None before the first sample
        self._newest: int  # timestamp
        self._next: int  # instant of the next step
        self._restart(0)
        self.reset()

    def push(self, sensor: int, timestamp: int, sample: Sequence[float]) -> Sequence[GridRow]:
        """Take one sample (6 numbers) of one sensor with its timestamp [ns]; returns the rows that it completes."""
        parts = self._parts[sensor]
        if parts.is_idle and parts.has_used(sample):
            return self._push(sensor, timestamp, sample)
        return [row for entry in parts.take(timestamp, sample) for row in self._push(sensor, *entry)]

    def _push(self, sensor: int, timestamp: int, sample: Sequence[float]) -> Sequence[GridRow]:
        if self._origin is None:
            self._restart(timestamp)
        elif abs(timestamp - self._newest) > self._jump:
            if not self._jump_is_agreed(sensor, timestamp):
                self.late_samples += 1
                return ()
            self._restart(timestamp)
        if self._claims:
            self._claims.pop(sensor, None)
            self._first_claims.clear()
        if timestamp > self._newest:
            self._newest = timestamp
        track = self._tracks[sensor]
        self._note_arrival(track, timestamp)
        if timestamp > track.last:
            track.samples.append((timestamp, tuple(sample)))
            track.last = timestamp
        elif not self._insert(track, timestamp, sample):
            return ()
        if self._must_wait():
            return ()
        if rows := self._complete_rows():
            self._waited = track  # the last to come is so mostly the next time, too
        return rows

    def reset(self) -> None:
        """Forget all samples; the grid starts anew with the next one."""
        self._origin = None

    def _restart(self, origin: int) -> None:
        self._origin = origin
        self._newest = self._next = origin
        self._elapsed = 0  # timestamp time since the restart [ns], without leaps of single clocks
        self._index = 0  # of the next step
        self._claims: dict[int, int] = {}  # newest timestamp of every sensor that says time has jumped
        self._first_claims: dict[int, int] = {}  # the first such timestamp since any other sample was taken
        for track in self._tracks:
            track.clear(self._deadline)

    def _jump_is_agreed(self, sensor: int, timestamp: int) -> bool:
        self._claims[sensor] = timestamp
        first = self._first_claims.setdefault(sensor, timestamp)
        if not 0 <= timestamp - first <= self._jump:
            self._first_claims[sensor] = first = timestamp
        agreeing = sum(abs(claim - timestamp) <= self._jump for claim in self._claims.values())
        live = sum(self._is_awaited(t) or s in self._claims for s, t in enumerate(self._tracks))
        return 2 * agreeing > live or timestamp - first > self._timeout

    def _note_arrival(self, track: _Track, timestamp: int) -> None:
        """Advance the elapsed time by this sensor's clock, unless other clocks advanced it already."""
        if timestamp > track.last > NEVER:
            if track.bursts or track.is_behind or self._newest - track.last > self._deadline:
                self._note_wait(track, self._newest - track.last)
            elapsed = track.received + min(timestamp - track.last, self._largest_gap)
            if elapsed > self._elapsed and timestamp >= self._newest:  # a burst of one does not age the others
                self._elapsed = elapsed
        track.received = self._elapsed

    def _note_wait(self, track: _Track, waited: int) -> None:
        """Learn how long steps wait for a sensor that comes in bursts, from how long [ns] they waited this time.

        A sensor that stays behind does not burst, and one whose bursts are too long has rows without it anyway:
        waiting for them would help nobody.
        """
        was_behind, track.is_behind = track.is_behind, waited > self._deadline
        if track.is_behind and not was_behind and waited <= self._timeout:
            track.bursts.append((self._elapsed, waited))
        elif track.is_behind and track.bursts and self._elapsed - track.bursts[-1][0] > self._deadline:
            track.bursts.clear()
        waits = [waited for at, waited in track.bursts if self._elapsed - at <= BURST_MEMORY_NS]
        helps = waits and min(waits) <= self._longest_patience + BURST_SCATTER_NS
        track.patience = min(round(BURST_MARGIN * max(waits)), self._longest_patience) if helps else self._deadline

    def _insert(self, track: _Track, timestamp: int, sample: Sequence[float]) -> bool:
        """Put a sample that is not the newest into its place; False if it comes too late, or twice."""
        known = any(timestamp == other for other, _ in track.samples)
        if known or not track.samples or timestamp < track.samples[0][0]:
            self.late_samples += 1
            return False
        ordered = list(track.samples)
        insort(ordered, (timestamp, tuple(sample)), key=lambda entry: entry[0])
        track.samples.clear()
        track.samples.extend(ordered)
        return True

    def _must_wait(self) -> bool:
        """Whether the next step is known to wait, without checking all sensors."""
        if self._newest < self._next:
            return True
        if self._waited.last >= self._next or not self._is_awaited(self._waited):
            return False
        return self._newest - self._next <= self._waited.patience  # nobody has reached more than the newest timestamp

    def _complete_rows(self) -> list[GridRow]:
        rows = []
        reached = self._reached_by_half()
        while self._newest >= (timestamp := self._next):
            if missing := self._missing(timestamp, reached):
                self._waited = missing
                break
            row = np.array([self._interpolate(track, timestamp) for track in self._tracks], dtype=np.float64)
            rows.append(GridRow(timestamp, row, max(reached, timestamp), restarted=self._index == 0))
            self._index += 1
            self._next = self._timestamp_of(self._index)
        return rows

    def _timestamp_of(self, index: int) -> int:
        assert self._origin is not None
        return self._origin + round(index * SECOND / self.rate)

    def _missing(self, timestamp: int, reached: int) -> _Track | None:
        """Return a sensor that a step must wait for: neither there already, nor silent, nor too late."""
        for track in self._tracks:
            if track.last < timestamp and reached - timestamp <= track.patience and self._is_awaited(track):
                return track
        return None

    def _is_awaited(self, track: _Track) -> bool:
        """Whether the sensor sent lately; how far its timestamps are behind does not matter."""
        return self._elapsed - track.received <= self._timeout

    def _reached_by_half(self) -> int:
        """Return the instant [ns] that half of the live sensors have reached; one clock ahead does not move it."""
        assert self._origin is not None
        reached = [self._origin if t.last == NEVER else t.last for t in self._tracks if self._is_awaited(t)]
        reached.sort()
        return reached[len(reached) // 2]

    def _interpolate(self, track: _Track, timestamp: int) -> Sample:
        """Interpolate a track at an instant; forgets what no later step can need."""
        samples = track.samples
        while len(samples) > 1 and samples[1][0] <= timestamp:
            samples.popleft()
        if not samples:
            return ABSENT
        before, first = samples[0]
        if before == timestamp:
            return first
        if len(samples) < 2 or before > timestamp:
            return ABSENT
        after, second = samples[1]
        if after - before > self._largest_gap:
            return ABSENT
        share = (timestamp - before) / (after - before)
        return tuple([a + share * (b - a) for a, b in zip(first, second, strict=True)])
