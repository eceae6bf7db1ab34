"""StreamingEstimator: one row of IMU samples in, one row of muscle activations out."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.configuration import LOG_DEVIATION_RANGE
from imu_emg_estimator.signals.imu import features
from imu_emg_estimator.streaming.engine import NumpyEngine
from imu_emg_estimator.streaming.monitor import MotionMonitor

BREATH = 1e-4  # s between two rows of preparation, in which the stepping thread gets the interpreter


@dataclass(frozen=True)
class Estimate:
    """Muscle activation at one instant: ``look_ahead`` rows before the newest row.

    Attributes:
        activation: [muscles] fraction of the bundle's reference amplitude, never negative.
        deviation: [muscles] standard deviation of activation, same unit, scaled as the bundle says.
        missing: [sensors] True where something of a sensor that the network looks at was masked in the newest row.
        warming_up: the attention band is not filled yet.
        score: distance of the last seconds' motion from the training data; NaN where it is not known.
        out_of_distribution: the score is above the bundle's threshold: do not rely on the activation.
    """

    activation: NDArray[np.float32]
    deviation: NDArray[np.float32]
    missing: NDArray[np.bool_]
    warming_up: bool
    score: float
    out_of_distribution: bool


@dataclass(frozen=True)
class Prepared:
    """A bundle with a warm engine, to be adopted between two steps.

    Attributes:
        run: which run between resets the engine was warmed in.
    """

    bundle: Bundle
    engine: NumpyEngine
    run: int


class StreamingEstimator:
    """Holds a Bundle and its state; knows nothing of ROS.

    A better Bundle of the same rig can be swapped in between two steps: ``prepare`` (any
    thread, may take long) builds a warm engine, ``adopt`` (the stepping thread, short) takes it.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._engine = NumpyEngine(bundle.config, bundle.weights)
        # Each row with its index, so that another thread can take a consistent copy.
        self._recent: deque[tuple[int, NDArray[np.floating]]] = deque(maxlen=bundle.config.receptive_field)
        self._monitor = MotionMonitor(len(bundle.rig.sensors), bundle.rig.rate)
        self._run = 0

    @property
    def steps(self) -> int:
        """Rows seen since the start or the last reset."""
        return self._engine.steps

    def reset(self) -> None:
        """Forget everything seen so far, as after a jump of the clock."""
        self._engine.reset()
        self._monitor.reset()
        self._recent.clear()
        self._run += 1

    def step(self, imu: NDArray[np.floating]) -> Estimate | None:
        """Take one grid row.

        Args:
            imu: [sensors, 6] in m/s^2 and rad/s; NaN = not available.

        Returns:
            The estimate for the row ``look_ahead`` rows ago; None while there is no such row.
        """
        self._recent.append((self.steps, imu.copy()))
        mean, log_deviation = self._engine.step(self._features(imu, self.bundle))
        distribution = self.bundle.distribution
        score = self._monitor.step(imu, distribution)
        if self._engine.steps <= self.bundle.config.look_ahead:
            return None
        activation, scale = np.maximum(mean, 0.0), self.bundle.deviation_scale
        own = deviation(log_deviation)
        return Estimate(
            activation=activation,
            deviation=scale.apply(activation, own) if scale else own,
            missing=(~np.isfinite(imu) & self.bundle.normalisation.used).any(axis=1),
            warming_up=self._engine.steps < self.bundle.config.context,
            score=score,
            out_of_distribution=distribution is not None and score > distribution.threshold,
        )

    def prepare(self, bundle: Bundle) -> Prepared:
        """An engine for another bundle of the same rig and look-ahead, warmed with the recent rows."""
        if bundle.rig != self.bundle.rig:
            raise InputError(f"bundle {bundle.model_id} is for another rig than the running one; use one of its rig")
        if bundle.config.look_ahead != self.bundle.config.look_ahead:
            raise InputError(
                f"bundle {bundle.model_id} has a look-ahead of {bundle.config.look_ahead} samples, the running one of "
                f"{self.bundle.config.look_ahead}; use one with the same"
            )
        run = self._run  # before the rows: a reset in between makes it old, and adopt begins anew
        recent = tuple(self._recent)
        engine = NumpyEngine(bundle.config, bundle.weights)
        engine.steps = recent[0][0] if recent else 0
        for _, imu in recent:
            engine.step(self._features(imu, bundle))
            time.sleep(BREATH)
        return Prepared(bundle, engine, run)

    def adopt(self, prepared: Prepared) -> None:
        """Go on with a prepared bundle; catches up on the rows since it was prepared."""
        missed = [imu for index, imu in self._recent if index >= prepared.engine.steps]
        if prepared.run != self._run or prepared.engine.steps + len(missed) != self.steps:  # or too long ago
            prepared, missed = self.prepare(prepared.bundle), []
        for imu in missed:
            prepared.engine.step(self._features(imu, prepared.bundle))
        self.bundle, self._engine = prepared.bundle, prepared.engine
        self._recent = deque(self._recent, maxlen=self.bundle.config.receptive_field)

    @staticmethod
    def _features(imu: NDArray[np.floating], bundle: Bundle) -> NDArray[np.float32]:
        row: NDArray[np.float32] = features(imu[None], bundle.normalisation)[0]
        return row


def deviation(log_deviation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Standard deviation from the network's bounded log output."""
    result: NDArray[np.float32] = np.exp(np.clip(log_deviation, *LOG_DEVIATION_RANGE)).astype(np.float32)
    return result
