"""StreamingEstimator: one row of IMU samples in, one row of muscle activations out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE
from imu_emg_estimator.signals.masked_imu_features import FloatArray, RowFeatures
from imu_emg_estimator.streaming.engine import AUTO, make_engine
from imu_emg_estimator.streaming.motion_monitor import MotionMonitor

Row = tuple[int, NDArray[np.floating]]  # its index since the start, and [sensors, 6]

ZERO = np.float32(0.0)
SMALLEST, LARGEST = map(np.float32, LOG_DEVIATION_RANGE)
BREATH = 1e-4  # s between two rows of preparation, in which the stepping thread gets the interpreter


@dataclass(frozen=True, slots=True)
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


class Prepared:
    """A bundle with an engine in some state, to be adopted between two steps.

    Attributes:
        features: of the newest row.
        engine: whose steps are rows.
        run: which run between resets the engine was warmed in.
    """

    def __init__(self, bundle: Bundle, engine: str = AUTO, threads: int = 1, run: int = 0) -> None:
        self.bundle = bundle
        self.features = RowFeatures(bundle.normalisation)
        self.engine = make_engine(bundle.config, bundle.weights, engine, threads)
        self.run = run

    def step(self, imu: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Activation and its standard deviation, each [muscles], after another row [sensors, 6]."""
        mean, log_deviation = self.engine.step(self.features.of(imu))
        activation: NDArray[np.float32] = np.maximum(mean, ZERO)
        own, scale = bounded_deviation(log_deviation), self.bundle.deviation_scale
        return activation, np.asarray(scale.apply(activation, own)) if scale else own

    def reset(self, steps: int = 0) -> None:
        """Forget everything; the next row is the one of this index."""
        self.features.reset()
        self.engine.reset()
        self.engine.steps = steps

    def catch_up(self, rows: Sequence[Row], pause: float = 0.0) -> None:
        """Step through those of the newest rows that the engine has not seen, with a pause after each [s]."""
        if rows and self.engine.steps < rows[0][0]:  # it lacks some that are gone: the receptive field begins here
            self.reset(rows[0][0])
        for index, imu in rows:
            if index >= self.engine.steps:
                self.step(imu)
                if pause:
                    time.sleep(pause)


class StreamingEstimator:
    """Holds a Bundle and its state; knows nothing of ROS.

    A better Bundle of the same rig can be swapped in between two steps: ``prepare`` (any
    thread, may take long) builds a warm engine, ``adopt`` (the stepping thread, short) takes it.

    Args:
        engine: one of ``engine.ENGINES``, or ``auto`` for the fastest that is installed.
        threads: that a step may use.

    Raises:
        InputError: there is no such engine here.
    """

    def __init__(self, bundle: Bundle, engine: str = AUTO, threads: int = 1) -> None:
        self._engine, self._threads = engine, threads
        self._run = 0
        self._current = self._start(bundle)
        # Each row with its index, so that another thread can take a consistent copy. The next estimate needs one less
        # for the network's inputs, and the oldest to know since when they have changed.
        self._recent: deque[Row] = deque(maxlen=bundle.config.receptive_field)
        self._monitor = MotionMonitor(len(bundle.rig.sensors), bundle.rig.rate)

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._current.bundle

    @property
    def steps(self) -> int:
        """Rows seen since the start or the last reset."""
        return self._current.engine.steps

    def reset(self) -> None:
        """Forget everything seen so far, as after a jump of the clock."""
        self._current.reset()
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
        score = self._monitor.step(imu, distribution)
        if steps <= bundle.config.look_ahead:
            return None
        return Estimate(
            activation=activation,
            deviation=deviation,
            missing=current.features.missing.copy(),
            warming_up=steps < bundle.config.context,
            score=score,
            out_of_distribution=distribution is not None and score > distribution.threshold,
        )

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return ``motion_statistics`` of the last seconds and which sensors they cover; callable from any thread."""
        return self._monitor.motion()

    def prepare(self, bundle: Bundle) -> Prepared:
        """An engine for another bundle of the same rig and look-ahead, warmed with the recent rows."""
        if bundle.rig != self.bundle.rig:
            raise InputError(f"bundle {bundle.model_id} is for another rig than the running one; use one of its rig")
        if bundle.config.look_ahead != self.bundle.config.look_ahead:
            raise InputError(
                f"bundle {bundle.model_id} has a look-ahead of {bundle.config.look_ahead} samples, the running one of "
                f"{self.bundle.config.look_ahead}; use one with the same"
            )
        prepared = self._start(bundle)  # before the rows: a reset in between makes it old, and adopt begins anew
        prepared.catch_up(tuple(self._recent), BREATH)
        return prepared

    def adopt(self, prepared: Prepared) -> None:
        """Go on with a prepared bundle; catches up on the rows since it was prepared."""
        if prepared.run != self._run:
            prepared.reset()
        prepared.catch_up(tuple(self._recent))
        self._recent = deque(self._recent, maxlen=prepared.bundle.config.receptive_field)
        self._current = prepared

    def _start(self, bundle: Bundle) -> Prepared:
        return Prepared(bundle, self._engine, self._threads, self._run)


def bounded_deviation(log_deviation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Standard deviation from the network's bounded log output."""
    bounded = np.minimum(np.maximum(log_deviation, SMALLEST), LARGEST)
    result: NDArray[np.float32] = np.exp(bounded, out=bounded)
    return result
