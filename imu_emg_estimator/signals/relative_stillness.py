"""Sensors that stand still while others of the rig move, or all at once: frozen ones to whose values noise is added."""

from __future__ import annotations

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

MIN_OTHERS = 2  # of which at least half must move
MAX_AGE_NS = SECOND // 4  # of what is known of another sensor
# Standard deviations over 0.2 and 0.5 s of a sensor, and at least what half of the others have meanwhile [m/s²]. No
# sensor of HuGaDB's 13 subjects is below 0.039 and 0.10 while the others are above.
STILL_MPS2, MOVING_MPS2 = (0.035, 0.095), (1.0, 3.0)
# Over 0.2 s of one sensor alone, two, or more, when all that there are stop at once; twice that while they stand still
# since. In 407 minutes of the 13 subjects one that is not on a foot never does (a foot 17 times), and two do once, or
# all six together 3 times, half of them from movement 0.25 s before.
STOPPED_MPS2 = (0.06, 0.1, 0.15)
HELD_NS = 3 * SECOND // 2  # for which a sensor stays frozen that is below the former, though the others pause: a stride


class RelativeStillness:
    """Compares how much the sensors of a rig move."""

    def __init__(self, sensors: int) -> None:
        self._known: list[tuple[int, float, float]] = [(NEVER, 0.0, 0.0)] * sensors
        self._frozen = [NEVER] * sensors  # instants when sensors last stood still while the others moved
        self._stopped = [NEVER] * sensors  # instants when sensors that moved were still at once, and since

    def reset(self, sensor: int) -> None:
        """Forget the movement of a sensor."""
        self._known[sensor], self._stopped[sensor], self._frozen[sensor] = (NEVER, 0.0, 0.0), NEVER, NEVER

    def judge(
        self, sensor: int, instant: int, short: float, half: float | None, before: float | None = None
    ) -> SensorState | None:
        """Return what is wrong with a sensor that moved by so much at an instant [ns]; None = nothing.

        Args:
            short, half: standard deviation of its acceleration over the last 0.2 and 0.5 s [m/s²]; None = not known.
            before: over the 0.1 s that ended 0.25 s ago; needed while ``short`` is below the last of ``STOPPED_MPS2``.
        """
        last = self._known[sensor][1]
        self._known[sensor] = (instant, short, half or 0.0)
        (short_still, half_still), (short_moving, half_moving) = STILL_MPS2, MOVING_MPS2
        recent = self._recent(instant) if short < 2 * STOPPED_MPS2[-1] else []
        stopped = STOPPED_MPS2[min(len(recent), len(STOPPED_MPS2)) - 1]
        if not recent or short >= 2 * stopped:
            self._stopped[sensor] = NEVER
        elif short < stopped <= last and before is not None and before > short_moving:
            self._stopped[sensor] = instant
        if (short < short_still and self._move(sensor, 1, short_moving)) or (
            half is not None and half < half_still and self._move(sensor, 2, half_moving)
        ):
            self._frozen[sensor] = instant
        if short < STOPPED_MPS2[-1] and instant - self._frozen[sensor] < HELD_NS:
            return _still(short)
        if recent and max(self._stopped) > NEVER and self._all_stopped(recent, 2 * stopped):
            return _still(short, "since one instant, as all sensors do")
        return None

    def others_move(self, sensor: int) -> bool:
        """Return whether half of the others moved in the half second before the sensor was last judged."""
        return self._move(sensor, 2, MOVING_MPS2[1])

    def _recent(self, instant: int) -> list[int]:
        """Return the sensors of which something is known."""
        return [at for at, (known, _, _) in enumerate(self._known) if known > instant - MAX_AGE_NS]

    def _all_stopped(self, recent: list[int], limit: float) -> bool:
        """Return whether all sensors stand still, half of them since they moved a moment before, as no person can."""
        stopped = [self._stopped[at] for at in recent if self._stopped[at] > NEVER]
        needed = len(recent) if len(recent) < len(STOPPED_MPS2) else len(recent) / 2
        if not stopped or len(stopped) < needed or max(stopped) - min(stopped) > MAX_AGE_NS:
            return False
        return all(self._known[at][1] < limit for at in recent)

    def _move(self, sensor: int, place: int, limit: float) -> bool:
        oldest = self._known[sensor][0] - MAX_AGE_NS
        others = [known[place] for index, known in enumerate(self._known) if index != sensor and known[0] > oldest]
        others.sort()
        return len(others) >= MIN_OTHERS and others[(len(others) - 1) // 2] > limit


def _still(deviation: float, when: str = "while the others move") -> SensorState:
    reason = f"stands still (to {deviation:.3f} m/s²) {when}"
    return SensorState(Verdict.FROZEN, reason, "switch it off and on again, or restart its driver", True)
