"""Motion unlike the training subjects that no placement error explains: told with hysteresis, and with what differs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.placement_evidence import Motion, PlacementEvidence
from imu_emg_estimator.model.sensor_drift import MIN_MOVEMENT_G
from imu_emg_estimator.rig import Rig

# Factors on the bundle's threshold; chosen on the 13 development subjects of HuGaDB, each left out once.
ENTER_FACTOR, LEAVE_FACTOR = 1.5, 1.1
REST_FACTOR = 1.5  # on both at rest, where postures differ more between subjects than walking does
ENTER_AFTER, LEAVE_AFTER = 5, 5  # judgements
MIN_POSTURE_TURN = math.cos(math.radians(20.0))  # of gravity in a sensor's axes within a second
MIN_TURNING = 2  # sensors: one alone may have slipped
MIN_TURN_DEG = 30.0  # of gravity in a sensor's axes, to be told
MIN_STRENGTH_RATIO = 1.5  # of a sensor's acceleration to the training subjects', or the inverse, to be told


class StrangeMotion:
    """Compares the motion with that of the training subjects.

    Attributes:
        is_strange: whether it is unlike it: entered above one limit, left below a lower one.
        sensor: that differed most when it began, while it is there; None = the motion is not strange.
        reason: what differs, to follow the sensor's name.
    """

    def __init__(self, rig: Rig, evidence: PlacementEvidence) -> None:
        self._rig, self._evidence = rig, evidence
        self.reset()

    def reset(self) -> None:
        """Forget all motion."""
        self.is_strange, self._count = False, 0
        self.sensor: int | None = None
        self.reason = ""

    @property
    def text(self) -> str:
        """What differs, as a sentence without a full stop; empty while the motion is not strange."""
        return "" if self.sensor is None else f"{self._rig.sensor_names[self.sensor]} {self.reason}"

    def judge(self, motion: Motion, available: NDArray[np.bool_], newest: Motion | None = None) -> float:
        """Judge a motion by these sensors [sensors]; return its score, NaN without a sensor.

        Args:
            newest: the latter half of the motion. Where both halves are different postures, as when the subject sits
                down or gets up, no training motion is like it, and nothing is concluded.
        """
        if not available.any():
            self.reset()
            return math.nan
        squares, known = self._evidence.squares(motion, available)
        score = math.sqrt(max(float(squares.min()), 0.0) / known)
        if newest is not None and not self.is_strange and _changes_posture(motion, newest, available):
            return score
        limit = self._evidence.distribution.threshold * (LEAVE_FACTOR if self.is_strange else ENTER_FACTOR)
        limit *= 1.0 if motion.strength > MIN_MOVEMENT_G else REST_FACTOR
        self._count = self._count + 1 if (score > limit) != self.is_strange else 0
        if self._count >= (LEAVE_AFTER if self.is_strange else ENTER_AFTER):
            self.is_strange, self._count = not self.is_strange, 0
        if not self.is_strange:
            self.sensor = None
            return score
        if self.sensor is None or not available[self.sensor]:
            self.sensor = self._strangest(motion, available)
        self.reason = self._what_differs(motion, self.sensor, int(squares.argmin()))
        return score

    def _what_differs(self, motion: Motion, sensor: int, condition: int) -> str:
        sensors = len(self._rig.sensors)
        centre = self._evidence.distribution.centres[condition]
        own, usual = (values[: 6 * sensors].reshape(2, sensors, 3)[:, sensor] for values in (motion.statistics, centre))
        turn = _angle_deg(own[0], usual[0])
        ratio = math.exp(float((own[1] - usual[1]).mean()))
        activity = self._evidence.distribution.conditions[condition].replace("_", " ")
        what = f"differs most from the training subjects' {activity}: "
        if turn > MIN_TURN_DEG:
            return f"{what}gravity is {turn:.0f}° off in its axes"
        if max(ratio, 1.0 / ratio) > MIN_STRENGTH_RATIO:
            return f"{what}it accelerates {ratio:.1f} times as much"
        return f"{what}its axes move otherwise together, or with the other sensors'"

    def _strangest(self, motion: Motion, available: NDArray[np.bool_]) -> int:
        """Return the sensor without which the others deviate least."""
        candidates = np.flatnonzero(available)
        if len(candidates) == 1:
            return int(candidates[0])
        rest = []
        for sensor in candidates:
            others = available.copy()
            others[sensor] = False
            squares, known = self._evidence.squares(motion, others)
            rest.append(squares.min() / known)
        return int(candidates[int(np.argmin(rest))])


def _changes_posture(motion: Motion, newest: Motion, available: NDArray[np.bool_]) -> bool:
    """Whether several sensors are turned in the latter half of a motion against the first."""
    sensors = len(available)
    whole, after = (one.statistics[: 3 * sensors].reshape(sensors, 3) for one in (motion, newest))
    before = 2.0 * whole - after
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    turning = (before * after).sum(axis=1) < MIN_POSTURE_TURN * lengths
    return int((turning & available).sum()) >= MIN_TURNING


def _angle_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(a @ b) / lengths)))) if lengths else 0.0
