"""Whether a subject's sensors still sit and move as when the subject was calibrated; needs no EMG, and no torch.

Compared are the slow statistics of the accelerations, movement with like movement: a subject who runs today and walked
in the calibration has not drifted.
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
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import FloatArray
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, motion_statistics

MOTION = "motion"  # key of the profile among the figures of a calibration
ROW_PERIOD_S = 0.5  # s between two rows
MAX_SQUARED_DISTANCE = (
    36.0  # squared distance beyond which a sensor says nothing more of the kind of movement: it may have slipped
)
MIN_MOVEMENT_G = 0.1  # g; standard deviation of the acceleration, mean over sensors and axes
MEMORY_ROWS = 240  # rows (two minutes of movement) over which a running profile forgets
MIN_ROWS = 60  # of like movement (half a minute), to say anything
MIN_ROWS_PER_CONDITION = 6  # rows of a kind of movement that count
# No development subject of HuGaDB got there within a day, but for one with a damaged sensor; see docs/calibration.md.
MAX_TURN_DEG = 20.0  # degrees by which a sensor sits otherwise
MAX_CHANGE_STD = 1.4  # standard deviations by which the movement as a whole is another


@dataclass(frozen=True)
class MotionProfile:
    """What a subject's movement is like, by kind of movement.

    Attributes:
        means: by condition of the bundle's distribution: mean slow statistics [statistics]; NaN = sensor not there.
        rows: by condition: how many were averaged.
    """

    means: Mapping[str, FloatArray]
    rows: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a calibration's figures."""
        means = {name: [None if np.isnan(v) else round(float(v), 4) for v in mean] for name, mean in self.means.items()}
        return {"means": means, "rows": {name: float(count) for name, count in self.rows.items()}}

    @classmethod
    def from_dict(cls, values: object, distribution: Distribution) -> MotionProfile:
        """The way back; InputError where it does not fit the distribution."""
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
    """The profile of the last minutes of movement; give it a row every half a second."""

    def __init__(self, distribution: Distribution, sensors: int, memory: float = MEMORY_ROWS) -> None:
        self._distribution, self._keep, self._sensors = distribution, 1.0 - 1.0 / memory, sensors
        self._owners = MotionStatistics(sensors).owners
        self._metrics = [distribution.metric(alone) for alone in np.eye(sensors, dtype=bool)]
        size = distribution.centres.shape[1]
        self._sums = np.zeros((len(distribution.conditions), size))
        self._counts = np.zeros_like(self._sums)
        self._rows = np.zeros(len(distribution.conditions))

    def step(self, statistics: FloatArray, available: NDArray[np.bool_]) -> None:
        """Take the slow statistics [statistics] and which sensors [sensors] they hold; rest is passed over."""
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
        """What it has come to."""
        names = self._distribution.conditions
        kinds = [kind for kind in range(len(names)) if self._rows[kind] >= MIN_ROWS_PER_CONDITION]
        with np.errstate(invalid="ignore"):
            means = {names[kind]: self._sums[kind] / self._counts[kind] for kind in kinds}
        return MotionProfile(means, {names[kind]: float(self._rows[kind]) for kind in kinds})

    def _kind(self, statistics: FloatArray, available: NDArray[np.bool_]) -> int:
        """Index of the condition that most sensors, each by itself, say it is."""
        own = [self._metrics[sensor].squares(statistics[None])[:, 0] for sensor in np.flatnonzero(available)]
        return int(np.minimum(own, MAX_SQUARED_DISTANCE).sum(axis=0).argmin())


def motion_profile(imu: FloatArray, rate: float, distribution: Distribution) -> MotionProfile:
    """The profile of a whole recording [samples, sensors, 6]."""
    every, start = max(1, round(ROW_PERIOD_S * rate)), round(WINDOW_S * rate)
    running = RunningProfile(distribution, imu.shape[1], memory=np.inf)
    statistics, available = motion_statistics(imu, rate, every)
    for row in range(-(-start // every), len(statistics)):
        running.step(statistics[row], available[row])
    return running.profile()


@dataclass(frozen=True)
class Drift:
    """How a subject's movement differs from that of the calibration.

    Attributes:
        turned: [sensors] angle by which gravity comes from elsewhere [degrees]; NaN = not known.
        changed: root mean square change of all statistics, in deviations between moments of the training subjects.
        rows: of like movement that were compared.
    """

    turned: tuple[float, ...]
    changed: float
    rows: float

    @property
    def recalibrate(self) -> bool:
        """Whether it is more than the development subjects showed within a day."""
        return self.changed > MAX_CHANGE_STD or any(angle > MAX_TURN_DEG for angle in self.turned)

    def message(self, rig: Rig) -> str:
        """What to do, in a sentence; empty = nothing."""
        moved = [
            f"{name} by {angle:.0f}°"
            for name, angle in zip(rig.sensor_names, self.turned, strict=True)
            if angle > MAX_TURN_DEG
        ]
        if moved:
            return f"sensors sit otherwise than in the calibration ({', '.join(moved)}): put them right, or recalibrate"
        if self.recalibrate:
            return f"the subject moves otherwise than in the calibration ({self.changed:.1f} deviations): recalibrate"
        return ""


def profile_of(bundle: Bundle) -> MotionProfile | None:
    """What the subject's movement was like when the bundle was calibrated; None where that is not known."""
    if bundle.calibration is None or bundle.distribution is None or MOTION not in bundle.calibration.figures:
        return None
    return MotionProfile.from_dict(bundle.calibration.figures[MOTION], bundle.distribution)


def drift_between(then: MotionProfile, now: MotionProfile, distribution: Distribution, sensors: int) -> Drift | None:
    """How the movement differs from that of the calibration; None without enough like movement."""
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
    """Root mean square change in deviations, and angles [sensors] between the mean accelerations [degrees]."""
    difference = now - then
    known = np.flatnonzero(np.isfinite(difference))
    covariance = distribution.covariance[np.ix_(known, known)]
    square = difference[known] @ np.linalg.solve(covariance, difference[known])
    before, after = (mean[: 3 * sensors].reshape(sensors, 3) for mean in (then, now))
    cosine = (before * after).sum(axis=1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    return float(np.sqrt(square / len(known))), np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


class DriftWatch:
    """Follows a calibrated subject's movement; give it a row of slow statistics every ``ROW_PERIOD_S`` seconds."""

    def __init__(self, bundle: Bundle) -> None:
        self._then, self._bundle = profile_of(bundle), bundle
        self._now = RunningProfile(bundle.distribution, len(bundle.rig.sensors)) if bundle.distribution else None

    @property
    def is_possible(self) -> bool:
        """Whether the bundle's calibration says what the movement was like then."""
        return self._then is not None

    def step(self, statistics: FloatArray, available: NDArray[np.bool_]) -> None:
        """Take the slow statistics [statistics], and which sensors [sensors] they hold, of ``motion_statistics``."""
        if self._now is not None and self._then is not None:
            self._now.step(statistics, available)

    def drift(self) -> Drift | None:
        """How the movement differs from that of the calibration; None = not calibrated, or not enough seen yet."""
        if self._now is None or self._then is None or self._bundle.distribution is None:
            return None
        return drift_between(self._then, self._now.profile(), self._bundle.distribution, len(self._bundle.rig.sensors))
