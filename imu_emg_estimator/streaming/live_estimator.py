"""LiveEstimator: decoded Imu messages in, estimates with their status out; all that the node decides, without ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings, GridAligner, GridRow, Sample
from imu_emg_estimator.signals.masked_imu_features import FloatArray
from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, OUT_OF_DISTRIBUTION, STALE, WARMING_UP
from imu_emg_estimator.streaming.engine import AUTO
from imu_emg_estimator.streaming.streaming_estimator import Estimate, PreparedBundle, StreamingEstimator

CHECK_PERIOD_S = 0.025  # between two calls of ``check``
HEARTBEAT_NS = 50_000_000  # without an output for so long, STALE is said again
WARM_UP_STEPS = 5  # before the first message, as first calls are slow
NO_ROTATION = (0.0, 0.0, 0.0, 1.0)
NAN = float("nan")
SILENT = SensorState(Verdict.SILENT, "sends nothing", "check its driver and its topic", masked=True)


@dataclass(frozen=True)
class LiveSettings:
    """What the live path is told.

    Attributes:
        alignment: what a late, lost or mistimed sample leads to.
        rotations: from each IMU's axes to the rig's, quaternions x y z w, one for all or one each.
        stale_after: input older than this, or missing for longer, gives STALE [s].
    """

    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    rotations: tuple[float, ...] = NO_ROTATION
    stale_after: float = 0.15


class Output(NamedTuple):
    """What is to be published.

    Attributes:
        timestamp: instant that the estimate is for [ns].
        status: one of ``activation_status``.
        age: from the newest input to now [s]; NaN before any.
        missing: names of the sensors that were masked, wholly or in part.
        activation, deviation: [muscles], see ``Estimate``; NaN = none.
    """

    timestamp: int
    status: int
    age: float
    missing: tuple[str, ...]
    activation: NDArray[np.floating] | float
    deviation: NDArray[np.floating] | float


class LiveEstimator:
    """Turns the messages of a rig's IMUs into estimates, and says of each how far it can be trusted.

    Instants are ns of the node's clock. One thread calls ``take``, ``check`` and ``adopt``; ``prepare`` and ``motion``
    are for any thread.

    Args:
        engine: one of ``engine.ENGINES``, or ``auto``.
        threads: number that a step may use.

    Attributes:
        states: verdict on every sensor, in the order of the rig.
        cause: why the status is what it is; empty while it is OK.
        restarts: how often the buffers were emptied because all timestamps jumped.

    Raises:
        InputError: the engine cannot be loaded, or the rotations do not fit the rig.
    """

    def __init__(self, bundle: Bundle, settings: LiveSettings, engine: str = AUTO, threads: int = 1) -> None:
        self._settings = settings
        self._estimator = StreamingEstimator(bundle, engine, threads)
        sensors = len(bundle.rig.sensors)
        self._rotations = mount_rotations(settings.rotations, sensors)
        self._has_rotations = not np.array_equal(self._rotations, np.broadcast_to(np.eye(3), self._rotations.shape))
        used = bundle.normalisation.used.reshape(-1, 2, 3).all(axis=2)
        self._aligner = GridAligner(sensors, bundle.rig.rate, settings.alignment, used.tolist())
        self._delay = round(bundle.config.look_ahead * SECOND / bundle.rig.rate)
        self._patience = round((settings.stale_after - CHECK_PERIOD_S) * SECOND)  # the next check would be too late
        self._good_until: int | None = None  # instant of the newest input that was used, or of the first check
        self._last_output = 0  # when anything was last published [ns]
        self.states: tuple[SensorState, ...] = (SILENT,) * sensors
        self.cause = "nothing has been received yet"
        self.restarts = 0
        self._warm_up()

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._estimator.bundle

    @property
    def steps(self) -> int:
        """Rows since the start, or since the clock last jumped."""
        return self._estimator.steps

    @property
    def late_samples(self) -> int:
        """Samples that came after their grid step was over, or twice."""
        return self._aligner.late_samples

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return slow statistics of the last seconds' motion and which sensors they cover; for any thread."""
        return self._estimator.motion()

    def prepare(self, bundle: Bundle) -> PreparedBundle:
        """Prepare another bundle of the same rig for ``adopt``; for any other thread. Raises InputError."""
        return self._estimator.prepare(bundle)

    def adopt(self, prepared: PreparedBundle) -> None:
        """Continue with a prepared bundle."""
        self._estimator.adopt(prepared)

    def take(
        self,
        sensor: int,
        timestamp: int,
        sample: Sample,
        arrival: int,
        sequence: int | None = None,
        now: int | None = None,
    ) -> list[Output]:
        """Take a message; return what is to be published.

        Args:
            sensor: index in the rig.
            timestamp: of its header [ns].
            sample: see ``imu_decoder.imu_sample``.
            arrival: when it arrived [ns].
            sequence: its number by the publisher's count; None where it is not known.
            now: instant at which the outputs are published [ns]; None = arrival.
        """
        rows = self._aligner.push(sensor, timestamp, sample)
        if not rows:
            return []
        now = arrival if now is None else now
        return [output for row in rows if (output := self._step(row, now)) is not None]

    def check(self, now: int) -> list[Output]:
        """Return a STALE where input has failed; call it at least every ``CHECK_PERIOD_S``, as a heartbeat."""
        if self._good_until is None or now < self._last_output:  # the start, or the clock was put back
            self._good_until = self._last_output = now
        if now - self._good_until < self._patience or now - self._last_output < HEARTBEAT_NS:
            return []
        self.states = (SILENT,) * len(self.states)
        self._last_output = now
        return [self._stale(now, NAN, "no message has come that could be used")]

    def _warm_up(self) -> None:
        rest = np.zeros((len(self.bundle.rig.sensors), 6))
        for _ in range(WARM_UP_STEPS):
            self._estimator.step(rest)
        self._estimator.reset()

    def _step(self, row: GridRow, now: int) -> Output | None:
        if row.restarted and self._estimator.steps:
            self.restarts += 1
            self._estimator.reset()
        imu = turn_mounts(row.imu, self._rotations) if self._has_rotations else row.imu
        estimate = self._estimator.step(imu)
        return None if estimate is None else self._judge(row, estimate, now)

    def _judge(self, row: GridRow, estimate: Estimate, now: int) -> Output:
        timestamp, age = row.timestamp - self._delay, (now - row.newest) / SECOND
        self._last_output = now
        missing: tuple[str, ...] = ()
        if estimate.missing.any():
            missing = self._names(estimate.missing)
        self.states = tuple(SILENT if masked else GOOD for masked in estimate.missing.tolist())
        if abs(age) > self._settings.stale_after:
            when = "old" if age > 0 else "ahead of this clock"
            return self._stale(timestamp, age, f"the newest IMU timestamp is {abs(age):.1f} s {when}")
        # A step within a gap of all sensors is an extrapolation, however fresh the sample after it.
        if len(missing) == len(self.states) and self._sees_nothing(row.imu):
            return self._stale(timestamp, age, "no sensor sends what the network uses")
        if not math.isfinite(float(np.add.reduce(estimate.activation) + np.add.reduce(estimate.deviation))):
            self._estimator.reset()
            return self._stale(timestamp, age, "the network gave no number")
        self._good_until = min(row.newest, now)
        status, self.cause = _status(estimate, missing)
        return Output(timestamp, status, age, missing, estimate.activation, estimate.deviation)

    def _stale(self, timestamp: int, age: float, cause: str) -> Output:
        self.cause = cause
        return Output(timestamp, STALE, age, self.bundle.rig.sensor_names, NAN, NAN)

    def _sees_nothing(self, imu: FloatArray) -> bool:
        """Whether no sensor has a part that the network uses."""
        seen = np.isfinite(imu) & self.bundle.normalisation.used
        return not seen.reshape(-1, 3).all(axis=1).any()

    def _names(self, missing: NDArray[np.bool_]) -> tuple[str, ...]:
        names = self.bundle.rig.sensor_names
        return tuple(name for name, is_missing in zip(names, missing, strict=True) if is_missing)


def _status(estimate: Estimate, missing: tuple[str, ...]) -> tuple[int, str]:
    """Return the most serious status that applies, and why it does."""
    if estimate.out_of_distribution:
        return OUT_OF_DISTRIBUTION, "the motion is unlike the training data"
    if estimate.warming_up:
        return WARMING_UP, "there is not yet enough input"
    if missing:
        return DEGRADED, f"masked, wholly or in part: {', '.join(missing)}"
    return OK, ""
