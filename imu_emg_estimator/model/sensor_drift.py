"""Drift of sensor placement and movement since a subject's calibration; needs neither EMG nor torch.

Slow statistics of the accelerations are compared within one kind of movement, so that a subject who walked in the
calibration and runs today shows no drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, motion_statistics

MOTION = "motion"  # key of the profile in a calibration's figures
ROW_PERIOD_S = 0.5  # between two rows of statistics
MAX_SQUARED_DISTANCE = (
    36.0  # of one sensor to a movement; clipped, so that a sensor that slipped cannot outvote the others
)
MIN_MOVEMENT_G = 0.1  # standard deviation of the acceleration, mean over sensors and axes; 0.2 in a slow walk
MEMORY_ROWS = 240  # time constant of a running profile: two minutes of movement
MIN_ROWS = 60  # of the same kinds of movement (half a minute), for a comparison
MIN_ROWS_PER_CONDITION = 6  # fewer are not compared
# Within a day, no development subject of HuGaDB exceeded these, except one with a damaged sensor; docs/calibration.md.
MAX_TURN_DEG = 20.0  # rotation of a sensor since the calibration
MAX_CHANGE_STD = 1.4  # change of the movement as a whole, in standard deviations


@dataclass(frozen=True)
class MotionProfile:
    """Mean slow statistics of a subject's movement, by condition of the bundle's distribution.

    Attributes:
        means: [statistics] by condition; NaN = sensor not available.
        rows: number of averaged rows by condition.
    """

    means: Mapping[str, FloatArray]
    rows: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values for a calibration's figures."""
        means = {name: [None if np.isnan(v) else round(float(v), 4) for v in mean] for name, mean in self.means.items()}
        return {"means": means, "rows": {name: float(count) for name, count in self.rows.items()}}

    @classmethod
    def from_dict(cls, values: object, distribution: Distribution) -> MotionProfile:
        """Restore from JSON values; raise InputError unless they fit the distribution."""
        size = distribution.centres.shape[1]
        malformed = InputError("profile of the calibration's movement is malformed; calibrate again")
        if not isinstance(values, Mapping):
            raise malformed
        try:
            means = {
                str(name): np.array([np.nan if value is None else float(value) for value in mean])
                for name, mean in values["means"].items()
            }
            rows = {str(name): float(count) for name, count in values["rows"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise malformed from None
        if set(means) != set(rows) or any(mean.shape != (size,) for mean in means.values()):
            raise InputError("profile of the calibration's movement is of another rig; calibrate again")
        return cls(means, rows)


class RunningProfile:
    """Running profile of the last minutes of movement; expects a row every ``ROW_PERIOD_S``."""

    def __init__(self, distribution: Distribution, sensors: int, memory: float = MEMORY_ROWS) -> None:
        self._distribution, self._keep, self._sensors = distribution, 1.0 - 1.0 / memory, sensors
        self._owners = MotionStatistics(sensors).owners
        self._metrics = [distribution.metric(alone) for alone in np.eye(sensors, dtype=bool)]
        size = distribution.centres.shape[1]
        self._sums = np.zeros((len(distribution.conditions), size))
        self._counts = np.zeros_like(self._sums)
        self._rows = np.zeros(len(distribution.conditions))

    def step(self, statistics: FloatArray, available: NDArray[np.bool_]) -> None:
        """Add a row [statistics] of available sensors [sensors]; ignore it where the subject rests."""
        deviation = np.exp(statistics[3 * self._sensors : 6 * self._sensors]).reshape(-1, 3)
        if not available.any() or deviation[available].mean() <= MIN_MOVEMENT_G:
            return
        kind = self._kind(statistics, available)
        known = available[self._owners].all(axis=1)
        self._sums *= self._keep
        self._counts *= self._keep
        self._rows *= self._keep
        self._sums[kind, known] += statistics[known]
        self._counts[kind, known] += 1.0
        self._rows[kind] += 1.0

    def profile(self) -> MotionProfile:
        """Return the profile of the conditions with enough rows."""
        names = self._distribution.conditions
        kinds = [kind for kind in range(len(names)) if self._rows[kind] >= MIN_ROWS_PER_CONDITION]
        with np.errstate(invalid="ignore"):
            means = {names[kind]: self._sums[kind] / self._counts[kind] for kind in kinds}
        return MotionProfile(means, {names[kind]: float(self._rows[kind]) for kind in kinds})

    def _kind(self, statistics: FloatArray, available: NDArray[np.bool_]) -> int:
        """Classify the movement: return the index of the condition nearest to the sensors, taken one by one."""
        own = [self._metrics[sensor].squares(statistics[None])[:, 0] for sensor in np.flatnonzero(available)]
        return int(np.minimum(own, MAX_SQUARED_DISTANCE).sum(axis=0).argmin())


def motion_profile(imu: FloatArray, rate: float, distribution: Distribution) -> MotionProfile:
    """Compute the profile of a whole recording [samples, sensors, 6] in m/s² and rad/s at ``rate`` Hz."""
    every, start = max(1, round(ROW_PERIOD_S * rate)), round(WINDOW_S * rate)
    running = RunningProfile(distribution, imu.shape[1], memory=np.inf)
    statistics, available = motion_statistics(imu, rate, every)
    for row in range(-(-start // every), len(statistics)):
        running.step(statistics[row], available[row])
    return running.profile()


@dataclass(frozen=True)
class Drift:
    """Difference between a subject's movement and that of the calibration.

    Attributes:
        turned: [sensors] change of the direction of gravity [degrees]; NaN = not known.
        changed: root mean square change of all statistics, in standard deviations of the training subjects.
        rows: number of compared rows.
    """

    turned: tuple[float, ...]
    changed: float
    rows: float

    @property
    def recalibrate(self) -> bool:
        """Whether the drift exceeds what the development subjects showed within a day."""
        return self.changed > MAX_CHANGE_STD or any(angle > MAX_TURN_DEG for angle in self.turned)

    def message(self, rig: Rig) -> str:
        """Advise the user in one sentence; empty if there is nothing to do."""
        moved = [
            f"{name} by {angle:.0f}°"
            for name, angle in zip(rig.sensor_names, self.turned, strict=True)
            if angle > MAX_TURN_DEG
        ]
        if moved:
            return f"sensors have turned since the calibration ({', '.join(moved)}): reattach them, or recalibrate"
        if self.recalibrate:
            return f"the movement has changed since the calibration (by {self.changed:.1f} deviations): recalibrate"
        return ""


def profile_of(bundle: Bundle) -> MotionProfile | None:
    """Return the profile of the movement in the bundle's calibration; None if there is none."""
    if bundle.calibration is None or bundle.distribution is None or MOTION not in bundle.calibration.figures:
        return None
    return MotionProfile.from_dict(bundle.calibration.figures[MOTION], bundle.distribution)


def drift_between(then: MotionProfile, now: MotionProfile, distribution: Distribution, sensors: int) -> Drift | None:
    """Compare the movement with that of the calibration; return None without enough rows of the same kinds."""
    common = [name for name in then.means if name in now.means]
    weights = np.array([min(then.rows[name], now.rows[name]) for name in common])
    if weights.sum() < min(MIN_ROWS, sum(then.rows.values())):
        return None
    changes, angles = zip(
        *(_change(then.means[name], now.means[name], distribution, sensors) for name in common), strict=True
    )
    known = np.isfinite(angles)
    shares = weights[:, None] * known
    turned = np.where(known, angles, 0.0) * shares
    with np.errstate(invalid="ignore"):
        mean = turned.sum(axis=0) / shares.sum(axis=0)
    return Drift(tuple(map(float, mean)), float(np.average(changes, weights=weights)), float(weights.sum()))


def _change(then: FloatArray, now: FloatArray, distribution: Distribution, sensors: int) -> tuple[float, FloatArray]:
    """Return the root mean square change [standard deviations] and the turn of gravity [sensors] in degrees."""
    difference = now - then
    known = np.flatnonzero(np.isfinite(difference))
    covariance = distribution.covariance[np.ix_(known, known)]
    square = difference[known] @ np.linalg.solve(covariance, difference[known])
    before, after = (mean[: 3 * sensors].reshape(sensors, 3) for mean in (then, now))
    cosine = (before * after).sum(axis=1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    return float(np.sqrt(square / len(known))), np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


class DriftWatch:
    """Follows a calibrated subject's movement; expects a row of slow statistics every ``ROW_PERIOD_S``.

    Args:
        then: profile of the movement in the calibration.
    """

    def __init__(self, then: MotionProfile, distribution: Distribution, sensors: int) -> None:
        self._then, self._distribution, self._sensors = then, distribution, sensors
        self._now = RunningProfile(distribution, sensors)

    def step(self, statistics: FloatArray, available: NDArray[np.bool_]) -> None:
        """Add a row of ``motion_statistics``: values [statistics] and available sensors [sensors]."""
        self._now.step(statistics, available)

    def drift(self) -> Drift | None:
        """Compare the movement with that of the calibration; None with too little movement."""
        return drift_between(self._then, self._now.profile(), self._distribution, self._sensors)
