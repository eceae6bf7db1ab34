"""Clocks of the sensors: the instant of every sample on the node's clock, from its timestamp and its arrival.

Instants are in ns, as in ROS; offsets and drifts are in s and s/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from imu_emg_estimator.signals.clock_model import MAX_DELAY_NS, ClockModel
from imu_emg_estimator.signals.delay_floor import NEVER_NS
from imu_emg_estimator.signals.delay_tracker import CommonDelay
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.instant_source import Source
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

TOLERANCE_S = 0.005  # by which a timestamp may be ahead of the node's clock
REVIEW_NS = SECOND // 4  # between two looks at all sensors
STEPPED_BACK_NS = SECOND // 10  # of the node's clock, beyond what threads and topics put out of order
TOGETHER_NS = SECOND  # within which the clocks of most sensors leap back when a bag begins anew
ALIVE_NS = SECOND
LEAPT_S = 0.003  # a clock that is reconciled though it is off by less was set back and forth
COUNTING_S = 1e6  # off by more, a clock counts from its start
MIN_DRIFT = 2e-4  # s/s; less is not said
SYNCHRONISE = "synchronise the clock of what publishes it with this computer's"
CONNECTION = "check its connection and the load of the computer that publishes it"
STAMP = "let its driver stamp every sample when it is measured"


class ClockPolicy(str, Enum):
    """Where the instants of a sensor's samples come from."""

    AUTO = "auto"  # timestamps where they can be trusted, reconciled where they are on another clock, else arrivals
    TIMESTAMP = "timestamp"  # timestamps as they are
    ARRIVAL = "arrival"  # arrivals, smoothed by counting


@dataclass(frozen=True, slots=True)
class ClockReport:
    """What is known of a sensor's clock, for diagnostics.

    Attributes:
        offset: s by which its timestamps are behind the node's clock, beyond the usual delay; negative = ahead;
            0 where the timestamps are not used.
        drift: s/s by which they fall further behind.
        policy: in effect.
    """

    offset: float
    drift: float
    policy: ClockPolicy


class SensorClocks:
    """Gives every sample of every sensor its instant on the node's clock.

    Args:
        sensors: number of sensors.
        policies: of every sensor; empty = ``auto`` for all.
        tolerance: s by which a timestamp may be ahead of the node's clock: more where that clock advances in steps,
            as /clock does.

    Attributes:
        jumps: how often the node's clock stepped back, or the timestamps of most sensors together, as those of a bag
            that is played in a loop do: what was buffered belongs to another time.
    """

    def __init__(self, sensors: int, policies: Sequence[ClockPolicy] = (), tolerance: float = TOLERANCE_S) -> None:
        self.jumps = 0
        self._policies = tuple(policies) or (ClockPolicy.AUTO,) * sensors
        self._common = CommonDelay()
        self._tolerance = round(tolerance * SECOND)
        self._models = [
            ClockModel(self._common, self._tolerance, policy is ClockPolicy.ARRIVAL) for policy in self._policies
        ]
        self._as_they_are = [policy is ClockPolicy.TIMESTAMP for policy in self._policies]
        self._newest, self._due = 0, -1

    def instant(self, sensor: int, timestamp: int, arrival: int, sequence: int | None = None) -> int | None:
        """Return the instant of a sample on the node's clock [ns]; None = it cannot be told: leave the sample out.

        Args:
            timestamp: of the sample [ns].
            arrival: when it came, on the node's clock [ns]; 0 = the node's clock does not run yet.
            sequence: number that its publisher gave it.
        """
        if arrival > self._newest:
            self._newest = arrival
            if arrival > self._due:
                self._review(arrival)
        elif arrival <= 0:
            return timestamp
        elif self._newest - arrival > STEPPED_BACK_NS:
            self.begin_anew()
            self._newest = arrival
        result = self._models[sensor].instant(timestamp, arrival, sequence)
        return timestamp if self._as_they_are[sensor] else result

    def is_ahead(self, sensor: int) -> bool:
        """Whether the instants of a sensor lie in the future, as its policy forbids to reconcile them."""
        model = self._models[sensor]
        return self._as_they_are[sensor] and model.source is Source.RECONCILED and model.floor < self._common.usual

    def state(self, sensor: int) -> SensorState:
        """Return the verdict on the clock of a sensor, with reason and remedy."""
        model = self._models[sensor]
        if model.lateness.is_late:
            delay = model.lateness.tracker.floor.at(model.arrival) - self._common.usual
            return SensorState(Verdict.LATE, f"its samples come {_seconds(delay)} late", CONNECTION, masked=True)
        if model.source is Source.ARRIVALS:
            return self._off(sensor, f"its timestamps {model.flaw}", "replaced by arrival", STAMP)
        if model.source is Source.RECONCILED:
            return self._off(sensor, self._offence(sensor), "reconciled by arrival", SYNCHRONISE)
        return GOOD

    def _off(self, sensor: int, reason: str, action: str, remedy: str) -> SensorState:
        if self._as_they_are[sensor]:
            remedy = f"{remedy}, or set its clock policy to 'auto'"
            return SensorState(Verdict.CLOCK_OFF, reason, remedy, masked=True)
        return SensorState(Verdict.CLOCK_OFF, f"{reason}: {action}", remedy)

    def report(self, sensor: int) -> ClockReport:
        """Return figures on the clock of a sensor."""
        model = self._models[sensor]
        if model.source is Source.ARRIVALS:
            return ClockReport(0.0, 0.0, ClockPolicy.ARRIVAL)
        offset = (model.floor - self._common.usual) / SECOND
        return ClockReport(offset, model.tracker.drift, ClockPolicy.TIMESTAMP)

    def begin_anew(self) -> None:
        """Forget all that was learned of the clocks, as that of the node was set: a jump."""
        self.reset()
        self.jumps += 1

    def reset(self) -> None:
        """Forget all that was learned of the clocks."""
        self._newest, self._due = 0, -1
        self._common.usual = self._common.scatter = 0
        for model in self._models:
            model.restart()

    def forget(self, sensor: int) -> None:
        """Forget what was learned of the clock of a sensor."""
        self._models[sensor].restart()

    def _review(self, arrival: int) -> None:
        """Look at what the sensors have in common."""
        self._due = arrival + REVIEW_NS
        alive = [model for model in self._models if arrival - model.arrival < ALIVE_NS]
        trusted = [model for model in alive if model.source is Source.TIMESTAMPS and model.floor < MAX_DELAY_NS]
        if trusted:
            low, high = (len(trusted) - 1) // 2, len(trusted) // 2
            scatters = sorted(model.tracker.scatter for model in trusted)
            self._common.usual = sorted(model.floor for model in trusted)[low]
            self._common.scatter = round((scatters[low] + scatters[high]) / 2)
        leapt = [model for model in alive if arrival - model.leapt_back < TOGETHER_NS]
        if leapt and 2 * len(leapt) > len(alive):
            self.jumps += 1
            for model in leapt:
                model.leapt_back = -NEVER_NS

    def _offence(self, sensor: int) -> str:
        report = self.report(sensor)
        if abs(report.drift) > MIN_DRIFT:
            return f"its clock drifts by {report.drift * 1e3:+.1f} ms/s"
        if abs(report.offset) < LEAPT_S:
            return "its clock leapt"
        if abs(report.offset) > COUNTING_S:
            return "its clock does not tell the time of day"
        return f"its clock is {_seconds(round(report.offset * SECOND))} {'behind' if report.offset > 0 else 'ahead'}"


def _seconds(duration: int) -> str:
    """Return a duration [ns] as people read it, without its sign."""
    seconds = abs(duration) / SECOND
    return f"{seconds * 1e3:.0f} ms" if seconds < 0.095 else f"{seconds:.2f} s"
