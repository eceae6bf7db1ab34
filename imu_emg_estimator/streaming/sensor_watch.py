"""SensorWatch: one verdict on every sensor, from its clock, its samples, its silence and what the middleware knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND, Sample
from imu_emg_estimator.signals.grown_delay import GrownDelays
from imu_emg_estimator.signals.sample_checks import SampleChecks
from imu_emg_estimator.signals.sensor_clock import ClockPolicy, ClockReport, SensorClocks
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.row_gaps import RowGaps

SILENT_NS = SECOND // 10  # without a message, for a sensor that rows lack
MAX_QUIET_NS = SECOND // 4  # without a message, for any sensor
REFRESH_NS = SECOND // 40  # between two looks at silence and clocks
DRIVER_REMEDY = "check its driver, its battery and its radio link"
NOTHING_YET = SensorState(
    Verdict.SILENT, "has sent nothing yet", "start its driver, and compare the names of the topics", masked=True
)
LATE = SensorState(Verdict.LATE, "sends too late to be waited for", "check its radio link, or raise deadline", True)
GAPPY = SensorState(
    Verdict.LATE,
    "sends in bursts, or with gaps, that are too long to wait for",
    "let its driver send every sample at once, or check its radio link",
    True,
)
LACKING = SensorState(Verdict.ABSENT, "sends values that are absent or out of range", "check its driver", True)
RETURNING = SensorState(Verdict.LATE, "is only just back", DRIVER_REMEDY, True)
FELT = SensorState(Verdict.LATE, "came too late a moment ago, which the estimate still lacks", DRIVER_REMEDY, True)


class SensorReport(NamedTuple):
    """What diagnostics show of a sensor.

    Attributes:
        used: rows since the start in which the network had all of it, and no value stood in for one that was absent.
        rows: since the start.
        clock: its offset, drift and policy.
    """

    state: SensorState
    used: int
    rows: int
    clock: ClockReport


class SensorWatch:
    """Follows every sensor of a rig; instants are ns of the node's clock.

    Args:
        policies: of the clocks; empty = ``auto`` for all.
        tolerance: s by which a timestamp may be ahead of the node's clock.

    Attributes:
        states: verdict on every sensor, in the order of the rig.
        accused: sensors that were found wrong by their samples, for the caller to clear.
        felt: sensors that are back, though estimates still lack what came too late (``RowGaps.is_felt``).
        suspects: sensors to be kept from the network, though not from who judges their motion.
        turned: of those, the ones that turned over: since when [ns], and by how much (``SensorState.turn``).
    """

    def __init__(self, bundle: Bundle, policies: Sequence[ClockPolicy], tolerance: float) -> None:
        used = bundle.normalisation.used
        sensors = len(used)
        self._unused, self._used = ~used, np.flatnonzero(used)
        self._used_axes = [[axis for axis in (0, 3) if row[axis]] for row in used.tolist()]  # the first of each part
        self._clocks = SensorClocks(sensors, policies, tolerance)
        self._checks = SampleChecks(bundle.rig.rate, used, bundle.ranges)
        self._grown = GrownDelays(sensors)
        self._arrivals: list[int | None] = [None] * sensors
        self._sample_states, self._outer_states = [GOOD] * sensors, [GOOD] * sensors
        self._samples: list[Sample] = [()] * sensors  # the latest of each
        self._gaps = [RowGaps() for _ in range(sensors)]
        self._missed = [0] * sensors  # rows
        self._bridged: set[int] = set()  # sensors whose values were absent from a message since the latest row
        self._rows = 0
        self._away = False  # a sensor is in a gap, or left out after one
        self._due = NEVER  # when the states must be looked at again, though nothing seems to have changed
        self._others: Sequence[SensorState] = ()
        self.accused: list[int] = []
        self.felt: list[int] = []
        self.suspects: set[int] = set()
        self.turned: dict[int, tuple[int, float]] = {}
        self.states: tuple[SensorState, ...] = (NOTHING_YET,) * sensors

    def take(
        self, sensor: int, timestamp: int, sample: Sample, arrival: int, sequence: int | None
    ) -> tuple[int, Sample] | None:
        """Return a message's instant, and its sample with NaN for what must not be used; None = leave it out."""
        self._arrivals[sensor], self._samples[sensor] = arrival, sample
        instant = self._clocks.instant(sensor, timestamp, arrival, sequence)
        if instant is None:
            return None
        checked, state = self._checks.check(sensor, instant, sample, sequence)
        before = self._sample_states[sensor]
        if Verdict.TWO_PUBLISHERS in (before.verdict, state.verdict):
            self._grown.forget(sensor)
        grown = self._grown.take(sensor, instant, arrival, sequence)
        if grown.masked and not state.masked:
            state = grown  # its motion goes on to be judged: it tells whether the samples are old
            self.suspects.add(sensor)
        elif state.turn:  # or whether the sensor is right
            self.suspects.add(sensor)
            self.turned.setdefault(sensor, (instant, state.turn))
        else:
            self.suspects.discard(sensor)
            sample = checked
        if not state.turn:
            self.turned.pop(sensor, None)
        if state is not before:
            self._sample_states[sensor] = state
            self._due = NEVER
            if state.masked and not before.masked:
                self.accused.append(sensor)
            if before.verdict is Verdict.TWO_PUBLISHERS:
                self._clocks.forget(sensor)  # what it learned of both
        total = sum(sample)
        if total != total and not state.masked and self._has_nothing(sensor, sample):
            self._bridged.add(sensor)  # once in a while: as if the message were lost
            return None
        return instant, sample

    @property
    def jumps(self) -> int:
        """How often all timestamps have jumped together."""
        return self._clocks.jumps

    def forget_turn(self, sensor: int) -> None:
        """Believe that a sensor that turned over is right as it is."""
        self._checks.forget_turn(sensor)

    def forget_clocks(self) -> None:
        """Forget what was learned of all clocks: that of this node was set."""
        self._clocks.begin_anew()
        self._grown = GrownDelays(len(self._arrivals))

    def forget_samples(self) -> None:
        """Forget all samples: what comes next has nothing to do with what was."""
        self._checks.reset()

    def forget_gaps(self) -> None:
        """Forget the gaps of all sensors: the instants of the next rows may lie before them."""
        self._gaps = [RowGaps() for _ in self._gaps]
        self._away, self.felt = False, []

    def judge(self, sensor: int, state: SensorState) -> None:
        """Take the verdict of someone else, as on who publishes on its topic; for any thread."""
        self._outer_states[sensor] = state
        self._due = NEVER

    def mask(self, instant: int, imu: FloatArray) -> None:
        """Put NaN into a row [sensors, 6] for sensors that must not be used, though their samples are there."""
        self._rows += 1
        for sensor in self._bridged:
            self._missed[sensor] += not self._gaps[sensor].is_open
        self._bridged.clear()
        if self._away or not math.isfinite(np.add.reduce(imu.take(self._used))):
            self._note_gaps(instant, np.logical_and.reduce(np.isfinite(imu) | self._unused, axis=1))
        for sensor, (outer, gaps) in enumerate(zip(self._outer_states, self._gaps, strict=True)):
            is_left_out = outer.masked or gaps.is_held or self._clocks.is_ahead(sensor)
            if is_left_out:
                imu[sensor] = np.nan
            if is_left_out or sensor in self.suspects:
                self._missed[sensor] += not gaps.is_open

    def leave_out(self, sensor: int, imu: FloatArray) -> None:
        """Put NaN into a row [sensors, 6] for a sensor that is worn wrongly: none of it is used."""
        had_all = np.logical_and.reduce(np.isfinite(imu[sensor]) | self._unused[sensor])
        self._missed[sensor] += bool(had_all)  # else the row is counted already
        imu[sensor] = np.nan

    def update(self, now: int, others: Sequence[SensorState] = ()) -> None:
        """Bring the states up to date, given what others say of the sensors, where anything may have changed."""
        if others is self._others and 0 <= self._due - now < REFRESH_NS:
            return
        self._due, self._others = now + REFRESH_NS, others
        states = [self._state(sensor, now) for sensor in range(len(self.states))]
        if others:
            states = [graver(own, other) for own, other in zip(states, others, strict=True)]
        self.states = tuple(states)

    def report(self, sensor: int) -> SensorReport:
        """Return what is known of a sensor; for any thread."""
        rows = self._rows
        return SensorReport(self.states[sensor], rows - self._missed[sensor], rows, self._clocks.report(sensor))

    def _has_nothing(self, sensor: int, sample: Sample) -> bool:
        """Whether a sample lacks all parts that the network uses."""
        axes = self._used_axes[sensor]
        return bool(axes) and all(sample[axis] != sample[axis] for axis in axes)  # NaN

    def _note_gaps(self, instant: int, present: NDArray[np.bool_]) -> None:
        """Note which sensors a row has."""
        for sensor, (gaps, is_present) in enumerate(zip(self._gaps, present.tolist(), strict=True)):
            if gaps.note(instant, is_present, self._sample_states[sensor].masked):
                self._due = NEVER
            self._missed[sensor] += gaps.is_open
        self.felt = [sensor for sensor, gaps in enumerate(self._gaps) if gaps.is_felt]
        self._away = bool(self.felt) or any(gaps.is_open or gaps.is_held for gaps in self._gaps)

    def _state(self, sensor: int, now: int) -> SensorState:
        """Return the gravest verdict on a sensor."""
        arrival = self._arrivals[sensor]
        if arrival is None:
            return NOTHING_YET
        quiet, gaps = now - arrival, self._gaps[sensor]
        if quiet > MAX_QUIET_NS or (quiet > SILENT_NS and gaps.is_open and not gaps.recur):
            return SensorState(Verdict.SILENT, f"has sent nothing for {quiet / SECOND:.1f} s", DRIVER_REMEDY, True)
        state = graver(self._outer_states[sensor], graver(self._clocks.state(sensor), self._sample_states[sensor]))
        if state.masked or not (gaps.is_open or gaps.is_held):
            return FELT if gaps.is_felt and not state.masked else state
        if gaps.recur:
            return GAPPY
        if not gaps.is_open:
            return RETURNING
        lacks = not np.isfinite(np.array(self._samples[sensor])[~self._unused[sensor]]).all()
        return LACKING if lacks else LATE


def graver(one: SensorState, other: SensorState) -> SensorState:
    """Return the state that masks, else the one that is not good, else the one with a reason; of equals the first."""
    if one.masked or (other.verdict is Verdict.OK and not other.reason):
        return one
    return other if other.masked or one.verdict is Verdict.OK else one
