"""StreamingEstimator: one row of IMU samples in, one row of muscle activations out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.imu import features
from imu_emg_estimator.streaming.engine import NumpyEngine


@dataclass(frozen=True)
class Estimate:
    """Muscle activation at one instant: ``look_ahead`` rows before the newest row.

    Attributes:
        activation: [muscles] fraction of the bundle's reference amplitude, never negative.
        deviation: [muscles] standard deviation of activation, same unit.
        missing: [sensors] True where a sensor was masked, wholly or in part, in the newest row.
        warming_up: the attention band is not filled yet.
    """

    activation: NDArray[np.float32]
    deviation: NDArray[np.float32]
    missing: NDArray[np.bool_]
    warming_up: bool


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

    @property
    def steps(self) -> int:
        """Rows seen since the start or the last reset."""
        return self._engine.steps

    def reset(self) -> None:
        """Forget everything seen so far, as after a jump of the clock."""
        self._engine.reset()
        self._recent.clear()

    def step(self, imu: NDArray[np.floating]) -> Estimate | None:
        """Take one grid row.

        Args:
            imu: [sensors, 6] in m/s^2 and rad/s; NaN = not available.

        Returns:
            The estimate for the row ``look_ahead`` rows ago; None while there is no such row.
        """
        self._recent.append((self.steps, imu))
        mean, log_deviation = self._engine.step(self._features(imu, self.bundle))
        if self._engine.steps <= self.bundle.config.look_ahead:
            return None
        return Estimate(
            activation=np.maximum(mean, 0.0),
            deviation=deviation(log_deviation),
            missing=~np.isfinite(imu).all(axis=1),
            warming_up=self._engine.steps < self.bundle.config.band,
        )

    def prepare(self, bundle: Bundle) -> tuple[Bundle, NumpyEngine]:
        """An engine for another bundle of the same rig, warmed with the recent rows."""
        if bundle.rig != self.bundle.rig or bundle.config.look_ahead != self.bundle.config.look_ahead:
            raise InputError(f"bundle {bundle.model_id} is for another rig than the running one; use one of its rig")
        engine = NumpyEngine(bundle.config, bundle.weights)
        recent = tuple(self._recent)
        engine.steps = recent[0][0] if recent else 0
        for _, imu in recent:
            engine.step(self._features(imu, bundle))
        return bundle, engine

    def adopt(self, prepared: tuple[Bundle, NumpyEngine]) -> None:
        """Go on with a prepared bundle; catches up on the rows since it was prepared."""
        bundle, engine = prepared
        missed = [imu for index, imu in self._recent if index >= engine.steps]
        if engine.steps + len(missed) != self.steps:  # reset in between, or too long ago
            bundle, engine = self.prepare(bundle)
            missed = []
        for imu in missed:
            engine.step(self._features(imu, bundle))
        self.bundle, self._engine = bundle, engine

    @staticmethod
    def _features(imu: NDArray[np.floating], bundle: Bundle) -> NDArray[np.float32]:
        row: NDArray[np.float32] = features(imu[None], bundle.normalisation)[0]
        return row


def deviation(log_deviation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Standard deviation from the network's bounded log output."""
    result: NDArray[np.float32] = np.exp(np.clip(log_deviation, -5.0, 2.0)).astype(np.float32)
    return result
