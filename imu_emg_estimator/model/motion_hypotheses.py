"""Slow statistics of a motion under every placement error that is considered, all at once.

A rotation of one sensor changes that sensor's statistics alone; an exchange is a permutation of them. So all
candidates together take a few small matrix products: well under a millisecond for six sensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.placement_remedies import Remedy, all_negated, exchanges, inversions, right_angles, slips
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.motion_statistics import MotionStatistics

FIRST, SECOND = np.array([0, 1, 2, 0, 0, 1]), np.array([0, 1, 2, 1, 2, 2])  # the entries of a covariance [3, 3]
TINY = 1e-12  # g², in place of a variance that rounding made negative


@dataclass(frozen=True, eq=False)
class Whitening:
    """A distribution's distance in the statistics of some sensors.

    Attributes:
        matrix: [statistics, known] to unit covariance; rows of other sensors are 0.
        owned: [sensors, own, known] its rows for the statistics that each sensor takes part in.
        centres: [conditions, known] of the training subjects.
        counts: [statistics] whether a statistic is of these sensors.
    """

    matrix: FloatArray
    owned: FloatArray
    centres: FloatArray
    counts: NDArray[np.bool_]

    @property
    def known(self) -> int:
        """Number of statistics that count."""
        return self.matrix.shape[1]


class Hypotheses:
    """Candidates of what is wrong with a rig's sensors, and the statistics that undo each.

    Attributes:
        remedies: first the rotations, sensor by sensor, then the exchanges and inversions of many.
    """

    def __init__(self, rig: Rig) -> None:
        self._statistics = MotionStatistics(len(rig.sensors))
        sensors, places = len(rig.sensors), tuple(range(len(rig.sensors)))
        self._rotations = np.stack([*right_angles(), *inversions(), *slips()])
        self._many = [*exchanges(rig), all_negated(rig)]
        alone = [Remedy((sensor,), places, rotation) for sensor in places for rotation in self._rotations]
        self.remedies: tuple[Remedy, ...] = (*alone, *self._many)
        self._concerned = np.array([[sensor in remedy.sensors for sensor in places] for remedy in self.remedies])
        self._lay_out(sensors)
        gathers = [self._gather(remedy) for remedy in self._many]
        self._order, self._signs = (np.stack(part) for part in zip(*gathers, strict=True))

    def whitening(self, distribution: Distribution, available: NDArray[np.bool_]) -> Whitening:
        """Return the distance that uses these sensors [sensors]."""
        metric = distribution.metric(available)
        matrix = np.zeros((len(self._statistics), len(metric.known)))
        matrix[metric.known] = metric.whitening
        return Whitening(matrix, matrix[self._own], metric.centres, available[self._statistics.owners].all(axis=1))

    def possible(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which remedies [remedies] concern available sensors alone."""
        return np.asarray(~(self._concerned & ~available).any(axis=1))

    def turns(self, sensor: int, statistics: FloatArray, least: float) -> NDArray[np.bool_]:
        """Return which remedies [remedies] turn or invert a sensor alone, and move its gravity by so much [g]."""
        gravity = statistics[self._channels[sensor]]
        moved = np.linalg.norm(self._rotations @ gravity - gravity, axis=1) >= least
        result = np.zeros(len(self.remedies), bool)
        result[sensor * len(moved) : (sensor + 1) * len(moved)] = moved
        return result

    def whitened(self, statistics: FloatArray, covariance: FloatArray, whitening: Whitening) -> FloatArray:
        """Return the whitened statistics [remedies, known] after every remedy.

        Args:
            statistics: [statistics] of the sensors as they are worn.
            covariance: [channels, channels] of the accelerations [g²].
        """
        white = statistics @ whitening.matrix
        changes = self._turned(statistics, covariance) - statistics[self._own][:, None]
        turned = white + changes @ whitening.owned
        many = (self._signs * statistics[self._order]) @ whitening.matrix
        return np.concatenate([turned.reshape(-1, len(white)), many])

    def _lay_out(self, sensors: int) -> None:
        """Find the statistics of each sensor: means, deviations, own correlations, and those with the others."""
        a, b, channels = self._statistics.first_channels, self._statistics.second_channels, 3 * sensors
        place = np.full((channels, channels), -1)
        place[a, b] = place[b, a] = 2 * channels + np.arange(len(a))
        own = np.arange(channels).reshape(sensors, 3)
        others = np.stack([np.delete(np.arange(sensors), sensor) for sensor in range(sensors)])
        self._others = 3 * others[:, None, :] + np.arange(3)[:, None]  # [sensors, axes, others] their like channels
        within = place[own[:, FIRST], own[:, SECOND]][:, 3:]
        across = place[own[:, :, None], self._others].reshape(sensors, -1)
        self._channels, self._place = own, place
        self._own = np.concatenate([own, channels + own, within, across], axis=1)
        # How the six different entries of a sensor's covariance turn: [rotations, 6, 6].
        turn = self._rotations
        i, j = np.ix_(FIRST, FIRST), np.ix_(SECOND, SECOND)
        both = turn[:, i[0], i[1]] * turn[:, j[0], j[1]] + turn[:, i[0], j[1]] * turn[:, j[0], i[1]]
        self._covariance_turns = both * np.where(FIRST == SECOND, 0.5, 1.0)

    def _turned(self, statistics: FloatArray, covariance: FloatArray) -> FloatArray:
        """Return each sensor's own statistics [sensors, rotations, own] after every rotation."""
        own = self._channels
        mean = statistics[own] @ self._rotations.transpose(0, 2, 1)  # [rotations, sensors, axes]
        inner = covariance[own[:, FIRST], own[:, SECOND]] @ self._covariance_turns.transpose(0, 2, 1)
        deviation = np.sqrt(np.maximum(inner[..., :3], TINY))
        within = inner[..., 3:] / (deviation[..., FIRST[3:]] * deviation[..., SECOND[3:]])
        with_others = covariance[own[:, :, None, None], self._others[:, None]]  # [sensors, from axis, to axis, others]
        toward = with_others.transpose(2, 1, 0, 3).reshape(3, 3, -1)
        outer = (self._rotations.transpose(1, 0, 2) @ toward).reshape(3, len(mean), len(own), -1)
        other_deviation = np.sqrt(np.diag(covariance))[self._others]
        across = outer.transpose(1, 2, 0, 3) / (deviation[..., None] * other_deviation)
        correlations = np.concatenate([within, across.reshape(*within.shape[:2], -1)], axis=2)
        parts = [mean, np.log(deviation), np.clip(correlations, -1.0, 1.0)]
        return np.asarray(np.concatenate(parts, axis=2).transpose(1, 0, 2))

    def _gather(self, remedy: Remedy) -> tuple[NDArray[np.intp], FloatArray]:
        """Return where each statistic comes from, and its sign, for a remedy that keeps or inverts the axes."""
        channels = len(self._channels) * 3
        source = (3 * np.array(remedy.sources)[:, None] + np.arange(3)).ravel()
        sign = np.repeat([rotation[0, 0] for rotation in remedy.rotations()], 3)
        a, b = self._statistics.first_channels, self._statistics.second_channels
        order = np.concatenate([source, channels + source, self._place[source[a], source[b]]])
        return order, np.concatenate([sign, np.ones(channels), sign[a] * sign[b]])
