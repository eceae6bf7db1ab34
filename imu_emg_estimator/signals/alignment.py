"""Alignment: samples of several IMUs, each at its own rate and pace, onto one grid.

The same class serves the live node and the reading of bags, so both see the same rows.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000_000  # ns


@dataclass(frozen=True)
class AlignmentSettings:
    """What a late, lost or mistimed sample leads to; all in seconds of stamp time.

    Attributes:
        largest_gap: two samples of a sensor further apart are not interpolated between.
        deadline: how far a grid step may fall behind what half of the live sensors have reached.
        timeout: a sensor silent for longer is not waited for until it speaks again.
        jump: a stamp further from the newest one is a jump of the clock, not a delay.
    """

    largest_gap: float = 0.1
    deadline: float = 0.05
    timeout: float = 0.25
    jump: float = 1.0


@dataclass(frozen=True)
class GridRow:
    """One step of the grid.

    Attributes:
        stamp: instant of the step [ns].
        imu: [sensors, 6]; NaN where a sensor does not cover the instant.
        newest: how far the data reach [ns]: the stamp that half of the live sensors have come to,
            so that one clock ahead does not make them look newer.
        restarted: this is the first row after the start or after a jump of the clock.
    """

    stamp: int
    imu: NDArray[np.float64]
    newest: int
    restarted: bool


@dataclass
class _Track:
    """Recent samples of one sensor in order of stamp.

    Attributes:
        last: its newest stamp [ns]; None before its first sample.
        heard: elapsed time [ns] when its latest sample came.
    """

    samples: deque[tuple[int, NDArray[np.float64]]] = field(default_factory=deque)
    last: int | None = None
    heard: int = 0


class GridAligner:
    """Interpolates IMU samples linearly to a regular grid, a row as soon as every sensor covers it.

    A sensor that is late by more than the deadline, or silent, is NaN in the row: masked, not faked.
    When most of the live sensors agree that time has jumped, or only the disagreeing ones still
    speak, the grid restarts there; a single sensor with a wrong clock is left out, and one whose
    clock is slightly ahead does not make the others late. The grid starts at the first stamp.

    Args:
        sensors: number of IMUs.
        rate: rate of the grid [Hz].
    """

    def __init__(self, sensors: int, rate: float, settings: AlignmentSettings | None = None) -> None:
        settings = settings or AlignmentSettings()
        self.rate = rate
        self.late_samples = 0  # samples that came after their grid step was over, or twice
        self._largest_gap = round(settings.largest_gap * SECOND)
        self._deadline = round(settings.deadline * SECOND)
        self._timeout = round(settings.timeout * SECOND)
        self._jump = round(settings.jump * SECOND)
        self._tracks = [_Track() for _ in range(sensors)]
        self._origin: int | None = None
        self._newest: int | None = None
        self._restart(None)

    def push(self, sensor: int, stamp: int, sample: NDArray[np.float64]) -> Iterator[GridRow]:
        """Take one sample [6] of one sensor, stamped in ns; yields the rows that it completes."""
        if self._origin is None or self._newest is None:
            self._restart(stamp)
        elif abs(stamp - self._newest) > self._jump:
            if not self._jump_is_agreed(sensor, stamp):
                self.late_samples += 1
                return
            self._restart(stamp)
        self._claims.pop(sensor, None)
        self._first_claims.clear()
        self._newest = max(self._newest or stamp, stamp)
        track = self._tracks[sensor]
        self._note_arrival(track, stamp)
        if self._insert(track, stamp, sample):
            yield from self._complete_rows()

    def reset(self) -> None:
        """Forget all samples; the grid starts anew with the next one."""
        self._restart(None)

    def _restart(self, origin: int | None) -> None:
        self._origin = origin
        self._newest = origin
        self._elapsed = 0  # stamp time since the restart [ns], without leaps of single clocks
        self._index = 0
        self._claims: dict[int, int] = {}  # newest stamp of every sensor that says time has jumped
        self._first_claims: dict[int, int] = {}  # the first such stamp since any other sample was taken
        for track in self._tracks:
            track.samples.clear()
            track.last = None
            track.heard = 0

    def _jump_is_agreed(self, sensor: int, stamp: int) -> bool:
        self._claims[sensor] = stamp
        first = self._first_claims.setdefault(sensor, stamp)
        if not 0 <= stamp - first <= self._jump:
            self._first_claims[sensor] = first = stamp
        agreeing = sum(abs(claim - stamp) <= self._jump for claim in self._claims.values())
        live = sum(self._is_awaited(t) or s in self._claims for s, t in enumerate(self._tracks))
        return 2 * agreeing > live or stamp - first > self._timeout

    def _note_arrival(self, track: _Track, stamp: int) -> None:
        """Let time elapse by what this sensor's clock went on, unless others told so already."""
        if track.last is not None:
            step = min(max(stamp - track.last, 0), self._largest_gap)
            self._elapsed = max(self._elapsed, track.heard + step)
        track.heard = self._elapsed

    def _insert(self, track: _Track, stamp: int, sample: NDArray[np.float64]) -> bool:
        if track.last is None or stamp > track.last:
            track.samples.append((stamp, sample))
            track.last = stamp
            return True
        known = any(stamp == other for other, _ in track.samples)
        if known or not track.samples or stamp < track.samples[0][0]:
            self.late_samples += 1
            return False
        ordered = list(track.samples)
        insort(ordered, (stamp, sample), key=lambda entry: entry[0])
        track.samples = deque(ordered)
        return True

    def _stamp_of(self, index: int) -> int:
        assert self._origin is not None
        return self._origin + round(index * SECOND / self.rate)

    def _complete_rows(self) -> Iterator[GridRow]:
        assert self._newest is not None
        reached = self._reached_by_half()
        while (stamp := self._stamp_of(self._index)) <= self._newest:
            in_time = reached - stamp <= self._deadline
            if in_time and not all(self._covers(track, stamp) for track in self._tracks):
                return
            row = np.stack([self._interpolate(track, stamp) for track in self._tracks])
            yield GridRow(stamp, row, max(reached, stamp), restarted=self._index == 0)
            self._index += 1

    def _covers(self, track: _Track, stamp: int) -> bool:
        """Whether a step need not wait for the sensor: it is there already, or silent."""
        return (track.last is not None and track.last >= stamp) or not self._is_awaited(track)

    def _is_awaited(self, track: _Track) -> bool:
        """Whether the sensor spoke lately; how far its stamps are behind does not matter."""
        return self._elapsed - track.heard <= self._timeout

    def _reached_by_half(self) -> int:
        """The instant that half of the live sensors have reached [ns]; one clock ahead does not move it."""
        assert self._origin is not None
        live = [track for track in self._tracks if self._is_awaited(track)]
        return sorted(self._origin if track.last is None else track.last for track in live)[len(live) // 2]

    def _interpolate(self, track: _Track, stamp: int) -> NDArray[np.float64]:
        """The track at an instant; forgets what no later step can need."""
        samples = track.samples
        while len(samples) > 1 and samples[1][0] <= stamp:
            samples.popleft()
        if samples and samples[0][0] == stamp:
            return samples[0][1]
        if len(samples) < 2 or samples[0][0] > stamp or samples[1][0] - samples[0][0] > self._largest_gap:
            return np.full(6, np.nan)
        (before, first), (after, second) = samples[0], samples[1]
        share = (stamp - before) / (after - before)
        return first + share * (second - first)
