"""Placement of the sensors compared with the training subjects: turned and exchanged ones; torch-free.

Candidate remedies exchange two sensors, exchange all left with all right ones, or turn one by right angles. Each is
applied to the slow statistics of the accelerations, and the result is compared with the training subjects; gyroscopes
add about which axis a sensor turns most. A remedy that makes the subject much more likely is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution, Metric
from imu_emg_estimator.model.placement_remedies import Remedy, remedies
from imu_emg_estimator.model.sensor_drift import MIN_MOVEMENT_G
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, motion_moments

ROW_PERIOD_S = 0.5  # between two rows of statistics
MAX_ROWS = 40
MIN_ROWS = 8  # 4 s of movement
# Chosen on the development subjects of HuGaDB, each left out once; docs/calibration.md.
MIN_LOG_LIKELIHOOD_RATIO = 12.0  # natural logarithm; a remedy with less is not reported
UNUSUAL_MEAN_SQUARE = 6.0  # of a sensor's deviation from the training subjects, about 1 for a sensor like theirs
STRANGE_MEAN_SQUARE = 12.0
MAX_PLAUSIBLE_SCORE = 3.0  # root mean square deviation of a subject; with more, no remedy explains the fault
MAX_REMEDIES = 3
PATTERN_STD = 0.2  # between subjects, of the logarithm of a gyroscope axis' share in a sensor's angular rate
MAX_PATTERN_STD = 4.0  # in such deviations; larger ones count as no stronger evidence
MIN_TURNING_RADPS = 0.5  # a sensor that turns more slowly has no pattern


@dataclass(frozen=True)
class Found:
    """A remedy and its evidence: the natural logarithm of the likelihood ratio after and before it."""

    remedy: Remedy
    evidence: float


@dataclass(frozen=True)
class Mounting:
    """Placement of a recording's sensors, compared with the training subjects.

    Attributes:
        found: remedies that make the subject much more likely, strongest first; empty if the placement is correct.
        score: root mean square deviation from the training subjects, about 1 for a subject like them.
        mended: the score after the remedies.
        strangeness: [sensors] mean squared deviation of a sensor's statistics after the remedies; NaN = not available.
    """

    found: tuple[Found, ...]
    score: float
    mended: float
    strangeness: tuple[float, ...]

    @property
    def strange(self) -> tuple[int, ...]:
        """Sensors unlike those of all training subjects, which no remedy explains."""
        return self._beyond(STRANGE_MEAN_SQUARE)

    @property
    def unusual(self) -> tuple[int, ...]:
        """Sensors that may be strange: a superset of ``strange`` by a lower limit."""
        return self._beyond(UNUSUAL_MEAN_SQUARE)

    def _beyond(self, limit: float) -> tuple[int, ...]:
        return tuple(index for index, value in enumerate(self.strangeness) if value > limit)


def mounting_of(imu: FloatArray, rig: Rig, distribution: Distribution, normalisation: Normalisation) -> Mounting | None:
    """Compare the placement of the sensors with the training subjects; None with less than four seconds of movement.

    Args:
        imu: [samples, sensors, 6] in m/s² and rad/s; NaN = not available.
    """
    seen = np.where(normalisation.used, imu, np.nan)  # channels that the network ignores do not matter
    worn = _evidence_of(seen, rig, distribution, normalisation)
    if worn is None:
        return None
    judged = worn
    strange: list[int] = []
    found, mended = _mend(judged, rig)
    while mended.score > MAX_PLAUSIBLE_SCORE and judged.available.sum() > 1:  # no remedy helps a damaged sensor
        strange.append(judged.strangest())
        judged = judged.without(strange[-1])
        found, mended = _mend(judged, rig)
    strangeness = np.array(mended.strangeness())
    strangeness[strange] = [worn.share_of(sensor) for sensor in strange]
    return Mounting(tuple(found), worn.score, mended.score, tuple(map(float, strangeness)))


def _mend(worn: _Evidence, rig: Rig) -> tuple[list[Found], _Evidence]:
    """Find the remedies that help, strongest first; return them and the evidence after all of them."""
    candidates = [remedy for remedy in remedies(rig) if worn.available[list(remedy.sensors)].all()]
    found: list[Found] = []
    mended = worn
    while candidates and len(found) < MAX_REMEDIES:
        tried = [(mended.after(remedy), remedy) for remedy in candidates]
        best, remedy = min(tried, key=lambda pair: pair[0].unlikely)
        if (evidence := mended.unlikely - best.unlikely) < MIN_LOG_LIKELIHOOD_RATIO:
            break
        found.append(Found(remedy, evidence))
        mended = best
        candidates = [other for other in candidates if not set(other.sensors) & set(remedy.sensors)]
    return found, mended


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Evidence on the placement of the sensors.

    Attributes:
        moments: [rows, moments] running means of the accelerations while the subject moves.
        turning: [sensors, 3, 3] mean products of the angular rates; NaN = not available.
        available: [sensors] whether the accelerometer is available.
        pattern: [sensors, 3] logarithm of each axis' share in a sensor's angular rate, for the training subjects.
    """

    moments: FloatArray
    turning: FloatArray
    available: NDArray[np.bool_]
    pattern: FloatArray
    distribution: Distribution
    metric: Metric
    definition: MotionStatistics

    @cached_property
    def squares(self) -> float:
        """Squared deviation from the nearest centre, mean over rows."""
        statistics, _ = self.definition.describe(self.moments)
        return float(np.mean(self.metric.scores(statistics) ** 2)) * len(self.metric.known)

    @property
    def score(self) -> float:
        """Root mean square deviation, about 1 for a subject like those of the training."""
        return float(np.sqrt(self.squares / len(self.metric.known)))

    @property
    def unlikely(self) -> float:
        """Negative logarithm of the likelihood; all rows together count as one observation."""
        return 0.5 * (self.squares + self._odd_turning())

    def after(self, remedy: Remedy) -> _Evidence:
        """Return the evidence after a remedy."""
        rotations, sources = remedy.rotations(), list(remedy.sources)
        moments = self.definition.remounted(self.moments, sources, rotations)
        turning = rotations @ self.turning[sources] @ rotations.transpose(0, 2, 1)
        return replace(self, moments=moments, turning=turning)

    def strangeness(self) -> tuple[float, ...]:
        """Return every sensor's ``share_of``; each strange sensor is left out before the others are judged.

        Otherwise the correlations with a strange sensor would make the others strange, too.
        """
        result: FloatArray = np.full(len(self.available), np.nan)
        rest = self
        while rest.available.sum() > 1:
            shares = np.array([rest.share_of(sensor) for sensor in range(len(result))])
            result = np.where(rest.available, shares, result)
            if not np.nanmax(shares) > UNUSUAL_MEAN_SQUARE:
                break
            rest = rest.without(rest.strangest())
        return tuple(map(float, result))

    def strangest(self) -> int:
        """Return the index of the sensor that contributes most to the deviation."""
        return int(np.nanargmax([self.share_of(sensor) for sensor in range(len(self.available))]))

    def share_of(self, sensor: int) -> float:
        """Return a sensor's contribution to the squared deviation per statistic; NaN if unavailable or alone."""
        if not self.available[sensor] or self.available.sum() == 1:
            return float("nan")
        without = self.without(sensor)
        return (self.squares - without.squares) / (len(self.metric.known) - len(without.metric.known))

    def without(self, sensor: int) -> _Evidence:
        """Return the evidence without one sensor."""
        others = self.available.copy()
        others[sensor] = False
        return replace(self, available=others, metric=self.distribution.metric(others))

    def _odd_turning(self) -> float:
        power = np.einsum("sii->si", self.turning)
        turns = self.available & (power.sum(axis=1) > MIN_TURNING_RADPS**2)  # False for an unknown (NaN) rate
        off = (_pattern(np.where(turns[:, None], power, 1.0)) - self.pattern) / PATTERN_STD
        return float((np.clip(off, -MAX_PATTERN_STD, MAX_PATTERN_STD)[turns] ** 2).sum())


def _evidence_of(
    imu: FloatArray, rig: Rig, distribution: Distribution, normalisation: Normalisation
) -> _Evidence | None:
    every, start = max(1, round(ROW_PERIOD_S * rig.rate)), round(WINDOW_S * rig.rate)
    moments = motion_moments(imu, rig.rate, every)[-(-start // every) :]
    if not len(moments):
        return None
    sensors = len(rig.sensors)
    statistics, there = MotionStatistics(sensors).describe(moments)
    available = np.asarray(there.mean(axis=0) > 0.5)
    if not available.any():
        return None
    deviation = np.exp(statistics[:, 3 * sensors : 6 * sensors]).reshape(len(statistics), sensors, 3).mean(axis=2)
    whole = np.asarray(there[:, available]).all(axis=1)
    moving = np.asarray(deviation[:, available]).mean(axis=1) > MIN_MOVEMENT_G
    rows = np.flatnonzero(whole & moving)
    if len(rows) < MIN_ROWS:
        return None
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, MAX_ROWS).astype(int))]
    rate = imu[..., 3:]
    present = np.asarray(np.isfinite(rate).all(axis=2))
    rate = np.where(present[..., None], rate, 0.0)
    count = present.sum(axis=0)
    turning = np.einsum("tsi,tsj->sij", rate, rate) / np.maximum(count, 1)[:, None, None]
    turning[count < start] = np.nan
    pattern = _pattern(np.asarray(normalisation.std, dtype=np.float64)[:, 3:] ** 2)
    definition, metric = MotionStatistics(sensors), distribution.metric(available)
    return _Evidence(moments[rows], turning, available, pattern, distribution, metric, definition)


def _pattern(power: FloatArray) -> FloatArray:
    """Return the logarithm of each axis' deviation [sensors, 3], relative to the sensor's mean over axes."""
    logarithm = 0.5 * np.log(power + 1e-6)
    return np.asarray(logarithm - logarithm.mean(axis=1, keepdims=True))
