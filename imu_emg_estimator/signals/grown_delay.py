"""Sensors whose delay has grown unseen: they paused, then went on with the samples of the pause still to come.

A driver that stamps on arrival makes old samples look new. The publisher's count tells: had samples been lost, it
would have a gap; had they been held up, a burst would follow. A sensor that measured nothing for so long looks
the same, so the suspicion ends by itself after ``HELD_NS``; one that moves out of step is named by its motion by then.
"""

from __future__ import annotations

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

MIN_PAUSE_NS = 15 * SECOND // 100  # in which samples become too old to be used
MAX_PAUSE_NS = 2 * SECOND  # a sensor that was away for longer was connected anew
HELD_NS = 5 * SECOND  # motion tells by then; radios lose what was never counted far oftener than drivers hold it back
CAUGHT_UP = 0.5  # of the pause
SHORT = 0.75  # of a period; samples that follow each other faster catch up
MAX_PERIOD_NS = SECOND // 10


class _Sensor:
    __slots__ = ("arrival", "grown", "instant", "pause", "period", "returned", "sequence", "state", "until")

    def __init__(self) -> None:
        self.arrival = self.instant = self.returned = self.until = NEVER
        self.sequence: int | None = None
        self.period = self.pause = self.grown = 0  # ns
        self.state = GOOD


class GrownDelays:
    """Follows the pauses of all sensors; a pause that most of them share is not a sensor's."""

    def __init__(self, sensors: int) -> None:
        self._sensors = [_Sensor() for _ in range(sensors)]

    def forget(self, number: int) -> None:
        """Forget a sensor: what came of it lately is no one stream."""
        self._sensors[number] = _Sensor()

    def take(self, number: int, instant: int, arrival: int, sequence: int | None) -> SensorState:
        """Take a message's instant and arrival [ns] and its publisher's count; return the verdict on its sensor."""
        sensor = self._sensors[number]
        steps = 1 if sequence is None or sensor.sequence is None else sequence - sensor.sequence
        interval = min(instant - sensor.instant, arrival - sensor.arrival)
        excess = interval - steps * sensor.period
        if sequence is None or steps <= 0 or arrival >= sensor.until or interval > MAX_PAUSE_NS:
            sensor.state, sensor.until = GOOD, NEVER  # so does a driver that was started again, and counts anew
        elif excess < (SHORT - 1.0) * steps * sensor.period:
            sensor.grown += excess
            if sensor.grown < CAUGHT_UP * sensor.pause:
                sensor.state, sensor.until = GOOD, NEVER
        if MIN_PAUSE_NS < interval <= MAX_PAUSE_NS:
            sensor.returned = arrival
            if sequence is not None and steps > 0 and excess > MIN_PAUSE_NS and self._others_went_on(sensor, interval):
                self._suspect(sensor, excess, arrival)
        elif 0 < interval <= MAX_PERIOD_NS and steps > 0 and not sensor.state.masked:
            period = interval // steps
            sensor.period += (period - sensor.period) // 8 if sensor.period else period
        sensor.instant, sensor.arrival, sensor.sequence = instant, arrival, sequence
        return sensor.state

    def _others_went_on(self, sensor: _Sensor, pause: int) -> bool:
        now = sensor.arrival + pause
        went_on = sum(
            other is not sensor and now - other.arrival < MIN_PAUSE_NS and now - other.returned > pause
            for other in self._sensors
        )
        return 2 * went_on >= len(self._sensors)

    def _suspect(self, sensor: _Sensor, excess: int, arrival: int) -> None:
        sensor.pause = sensor.grown = excess
        sensor.until = arrival + HELD_NS
        reason = f"paused for {excess / SECOND:.1f} s and lost nothing: its samples may be old since"
        sensor.state = SensorState(Verdict.LATE, reason, "restart its driver", masked=True)
