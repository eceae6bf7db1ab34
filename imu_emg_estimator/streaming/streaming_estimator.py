"""StreamingEstimator: one row of IMU samples in, one row of muscle activations out."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.model.sensor_subsets import RunningFactor
from imu_emg_estimator.signals.masked_imu_features import RowFeatures
from imu_emg_estimator.signals.motion_statistics import WINDOW_S
from imu_emg_estimator.streaming.engine import AUTO, make_engine
from imu_emg_estimator.streaming.motion_monitor import MotionMonitor

Row = tuple[int, NDArray[np.floating]]  # index since the start, and [sensors, 6]

NAN = float("nan")
ZERO = np.float32(0.0)
MIN_LOG_DEVIATION, MAX_LOG_DEVIATION = map(np.float32, LOG_DEVIATION_RANGE)
CATCH_UP_PAUSE_S = 1e-4  # between two rows of preparation: the stepping thread gets the interpreter


@dataclass(frozen=True, slots=True)
class Estimate:
    """Muscle activation at one instant: ``look_ahead`` rows before the newest row.

    Attributes:
        activation: [muscles] fraction of the bundle's reference amplitude, never negative.
        deviation: [muscles] standard deviation of activation, same unit, scaled as the bundle says, for the missing
            sensors too.
        missing: [sensors] True where a part of the sensor that the network uses was masked in the newest row.
        warming_up: the attention band is not full yet.
        score: distance of the last seconds' motion from the training data; NaN = not known.
        out_of_distribution: the score is not known to be below the bundle's threshold: do not rely on the activation.
    """

    activation: NDArray[np.float32]
    deviation: NDArray[np.float32]
    missing: NDArray[np.bool_]
    warming_up: bool
    score: float
    out_of_distribution: bool


class PreparedBundle:
    """A bundle with its engine, ready to be adopted between two steps.

    Attributes:
        features: of the newest row.
        engine: counts rows as steps.
        run: number of the run between two resets that the engine has followed.
    """

    def __init__(self, bundle: Bundle, engine: str = AUTO, threads: int = 1, run: int = 0) -> None:
        self.bundle = bundle
        self.features = RowFeatures(bundle.normalisation)
        self.engine = make_engine(bundle.config, bundle.weights, engine, threads)
        self.run = run
        self._factor = RunningFactor(bundle.subsets, bundle.rig.rate) if bundle.subsets else None

    def step(self, imu: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take another row [sensors, 6]; return activation and its standard deviation, each [muscles]."""
        mean, log_deviation = self.engine.step(self.features.of(imu))
        activation: NDArray[np.float32] = np.maximum(mean, ZERO)
        deviation, scale = bounded_deviation(log_deviation), self.bundle.deviation_scale
        if scale:
            deviation = np.asarray(scale.apply(activation, deviation))
        if self._factor and (factor := self._factor.step(self.features.missing)) is not None:
            deviation = deviation * factor
        return activation, deviation

    def reset(self, steps: int = 0) -> None:
        """Forget everything; ``steps`` is the index of the next row."""
        self.features.reset()
        self.engine.reset()
        self.engine.steps = steps
        if self._factor:
            self._factor.reset()

    def catch_up(self, rows: Sequence[Row], pause: float = 0.0) -> None:
        """Take those of the newest rows that the engine has not seen, pausing after each [s]."""
        if rows and self.engine.steps < rows[0][0]:  # rows between are gone: start at the receptive field
            self.reset(rows[0][0])
        for index, imu in rows:
            if index >= self.engine.steps:
                self.step(imu)
                if pause:
                    time.sleep(pause)


class StreamingEstimator:
    """Estimates row by row with a Bundle; independent of ROS.

    Another Bundle of the same rig can be swapped in between two steps: ``prepare`` (any
    thread, may take long) builds a warm engine, ``adopt`` (the stepping thread, short) takes it.

    Args:
        engine: one of ``engine.ENGINES``, or ``auto`` for the fastest that is installed.
        threads: number that a step may use.
        scores_motion: whether estimates have a ``score``; the live path has ``LivePlacement`` instead.

    Raises:
        InputError: the engine does not exist or cannot be loaded.
    """

    def __init__(self, bundle: Bundle, engine: str = AUTO, threads: int = 1, scores_motion: bool = True) -> None:
        self._engine, self._threads = engine, threads
        self._run = 0
        self._current = self._start(bundle)
        # Rows carry their index, so that another thread can take a consistent copy. The next estimate needs all but the
        # oldest as inputs, and the oldest for the change of the inputs since.
        self._recent: deque[Row] = deque(maxlen=bundle.config.receptive_field)
        self._monitor = MotionMonitor(len(bundle.rig.sensors), bundle.rig.rate) if scores_motion else None

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._current.bundle

    @property
    def engine_name(self) -> str:
        """The engine in use: one of ``engine.ENGINES``."""
        return self._current.engine.name

    @property
    def steps(self) -> int:
        """Rows seen since the start or the last reset."""
        return self._current.engine.steps

    def reset(self) -> None:
        """Forget all rows, as after a jump of the clock."""
        self._current.reset()
        if self._monitor:
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
        current = self._current
        self._recent.append((current.engine.steps, imu.copy()))
        activation, deviation = current.step(imu)
        bundle, steps = current.bundle, current.engine.steps
        distribution = bundle.distribution
        score = self._monitor.step(imu, distribution) if self._monitor else NAN
        if steps <= bundle.config.look_ahead:
            return None
        return Estimate(
            activation=activation,
            deviation=deviation,
            missing=current.features.missing.copy(),
            warming_up=steps < bundle.config.context,
            score=score,
            out_of_distribution=distribution is not None and self._is_unlike(score, distribution.threshold),
        )

    def prepare(self, bundle: Bundle) -> PreparedBundle:
        """Prepare another bundle of the same rig and look-ahead, warmed with the recent rows; for any thread."""
        if bundle.rig != self.bundle.rig:
            raise InputError(f"bundle {bundle.model_id} is for another rig than the running one; use one for this rig")
        if bundle.config.look_ahead != self.bundle.config.look_ahead:
            raise InputError(
                f"bundle {bundle.model_id} has a look-ahead of {bundle.config.look_ahead} samples, the running one of "
                f"{self.bundle.config.look_ahead}; use one with the same"
            )
        prepared = self._start(bundle)  # before the rows: after a reset in between, adopt starts over
        prepared.catch_up(tuple(self._recent), CATCH_UP_PAUSE_S)
        return prepared

    def adopt(self, prepared: PreparedBundle) -> None:
        """Continue with a prepared bundle, after catching up on the rows since it was prepared."""
        if prepared.run != self._run:
            prepared.reset()
        prepared.catch_up(tuple(self._recent))
        self._recent = deque(self._recent, maxlen=prepared.bundle.config.receptive_field)
        self._current = prepared

    def _is_unlike(self, score: float, threshold: float) -> bool:
        """Whether a score is above the threshold, or unknown although there were enough rows for one."""
        return score > threshold or (math.isnan(score) and self.steps > WINDOW_S * self.bundle.rig.rate)

    def _start(self, bundle: Bundle) -> PreparedBundle:
        return PreparedBundle(bundle, self._engine, self._threads, self._run)


def bounded_deviation(log_deviation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the standard deviation from the network's log output, which is bounded first."""
    bounded = np.minimum(np.maximum(log_deviation, MIN_LOG_DEVIATION), MAX_LOG_DEVIATION)
    result: NDArray[np.float32] = np.exp(bounded, out=bounded)
    return result
