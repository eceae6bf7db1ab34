"""Which way round the sensors are worn that people strap on either way: ``either_way`` in the rig.

The other way is half a turn about an axis, which changes signs alone: of samples, and of the slow statistics of their
motion. Both ways are compared with the training subjects. Torch-free, and free of scipy: the live path uses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.placement_evidence import Motion, PlacementEvidence
from imu_emg_estimator.model.sensor_drift import MIN_MOVEMENT_G
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.rig_schema import NEITHER
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, motion_statistics

# Natural logarithm of the likelihood ratio of the two ways, mean over the motion: as of any other turn in a recording.
MIN_EVIDENCE = 12.0
ROW_PERIOD_S = 0.5
MIN_ROWS = 8  # 4 s of movement
MIN_JUDGEMENTS, MAX_JUDGEMENTS = 5, 150  # live: a second, and half a minute


class HalfTurns:
    """The half turns that a rig allows.

    Attributes:
        sensors: index of the sensor that each is of.
        samples: [turns, sensors, 6] signs of the samples.
        statistics: [turns, statistics] signs of ``MotionStatistics``.
    """

    def __init__(self, rig: Rig) -> None:
        self.sensors = [index for index, sensor in enumerate(rig.sensors) if sensor.either_way != NEITHER]
        self.samples = np.array([signs_of([sensor], rig) for sensor in self.sensors]).reshape(-1, len(rig.sensors), 6)
        means, definition = self.samples[..., :3].reshape(-1, 3 * len(rig.sensors)), MotionStatistics(len(rig.sensors))
        correlations = means[:, definition.first_channels] * means[:, definition.second_channels]
        self.statistics = np.concatenate([means, np.ones_like(means), correlations], axis=1)


def turned_sensors(imu: FloatArray, rig: Rig, distribution: Distribution) -> list[int]:
    """List the sensors that are worn the other way round from the training subjects', in samples [.., sensors, 6].

    None are where the movement is too short, or either way is about as likely.
    """
    turns, found = HalfTurns(rig), list[int]()
    if not turns.sensors:
        return found
    rows, available = moving_rows(imu, rig.rate)
    metric = distribution.metric(available)
    left = [turn for turn, sensor in enumerate(turns.sensors) if available[sensor] and len(rows) >= MIN_ROWS]
    while left:
        now, *others = (metric.squares(rows * signs).min(axis=0).mean() for signs in (1.0, *turns.statistics[left]))
        if 0.5 * (now - min(others)) < MIN_EVIDENCE:
            break
        best = left.pop(int(np.argmin(others)))
        found.append(turns.sensors[best])
        rows = rows * turns.statistics[best]
    return sorted(found)


def turned_back(imu: FloatArray, rig: Rig, distribution: Distribution | None) -> FloatArray:
    """Return samples as if the sensors were worn the way of the training subjects'; the same array where they are."""
    turned = turned_sensors(imu, rig, distribution) if distribution else []
    return imu * signs_of(turned, rig) if turned else imu


def signs_of(sensors: Sequence[int], rig: Rig) -> FloatArray:
    """Return the signs [sensors, 6] of samples that turn some sensors round."""
    signs = np.ones((len(rig.sensors), 6), np.float32)
    for sensor in sensors:
        signs[sensor] = np.tile(rig.sensors[sensor].half_turn, 2)
    return signs


def moving_rows(imu: FloatArray, rate: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return statistics [rows, statistics] twice a second of movement, of the sensors [sensors] that are there."""
    sensors, every = imu.shape[1], max(1, round(ROW_PERIOD_S * rate))
    statistics, there = (part[round(WINDOW_S / ROW_PERIOD_S) :] for part in motion_statistics(imu, rate, every))
    available = np.asarray(there.sum(axis=0) > 0.5 * len(there))
    if not available.any():
        return np.zeros((0, statistics.shape[1])), available
    deviation = np.exp(statistics[:, 3 * sensors : 6 * sensors]).reshape(-1, sensors, 3)[:, available].mean(axis=(1, 2))
    moving = np.asarray(there[:, available]).all(axis=1) & (deviation > MIN_MOVEMENT_G)
    return np.asarray(statistics[moving]), available


class WornWays:
    """Tells which way round sensors are worn, live.

    Attributes:
        signs: [sensors, 6] that turn samples to the way of the training subjects; another array where that has changed.
    """

    def __init__(self, rig: Rig, evidence: PlacementEvidence) -> None:
        self._rig, self._evidence, self._turns = rig, evidence, HalfTurns(rig)
        self.signs: FloatArray = np.ones((len(rig.sensors), 6))
        self.forget()

    def forget(self) -> None:
        """Forget all motion, and thus which way is known; what was told last stays the guess."""
        self._found = [deque[float](maxlen=MAX_JUDGEMENTS) for _ in self._turns.sensors]
        self._known: set[int] = set()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the sensors of which it has not shown yet which way round they are worn."""
        return tuple(self._rig.sensor_names[sensor] for sensor in self._turns.sensors if sensor not in self._known)

    @property
    def turned(self) -> list[int]:
        """Indices of the sensors that are worn the other way round."""
        return [sensor for sensor in self._turns.sensors if (self.signs[sensor] < 0).any()]

    def judge(self, motion: Motion) -> bool:
        """Take the motion of two seconds, turned by ``signs``, a few times a second; return whether they changed."""
        if motion.strength < MIN_MOVEMENT_G:
            return False
        for turn, sensor in enumerate(self._turns.sensors):
            if motion.available[sensor]:
                other = replace(motion, statistics=motion.statistics * self._turns.statistics[turn])
                self._found[turn].append(0.5 * (self._squares(motion) - self._squares(other)))
        means = [_mean(found) for found in self._found]
        self._known |= {own for own, mean in zip(self._turns.sensors, means, strict=True) if abs(mean) > MIN_EVIDENCE}
        if not max(means, default=0.0) > MIN_EVIDENCE:
            return False
        turn = int(np.argmax(means))
        self.signs = self.signs * self._turns.samples[turn]
        self._found[turn] = deque((-value for value in self._found[turn]), MAX_JUDGEMENTS)
        return True

    def _squares(self, motion: Motion) -> float:
        return float(self._evidence.squares(motion, motion.available)[0].min())


def _mean(found: Sequence[float]) -> float:
    return float(np.mean(found)) if len(found) >= MIN_JUDGEMENTS else 0.0
