"""LiveEstimator: decoded Imu messages in, estimates with their status out; all that the node decides, without ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.live_placement import LivePlacement
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings, GridAligner, GridRow, Sample
from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts
from imu_emg_estimator.signals.sensor_clock import TOLERANCE_S, ClockPolicy
from imu_emg_estimator.signals.sensor_verdict import SensorState
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, OUT_OF_DISTRIBUTION, STALE, WARMING_UP
from imu_emg_estimator.streaming.engine import AUTO
from imu_emg_estimator.streaming.repeated_pauses import RepeatedPauses
from imu_emg_estimator.streaming.sensor_watch import SensorReport, SensorWatch
from imu_emg_estimator.streaming.settled_rows import SettledRows
from imu_emg_estimator.streaming.streaming_estimator import Estimate, PreparedBundle, StreamingEstimator

CHECK_PERIOD_S = 0.025  # between two calls of ``check``
PROOF_NS = 1_500_000_000  # after a turn, until all motion that is judged is of later
HEARTBEAT_NS = 50_000_000  # without an output for so long, STALE is said again
FRESH_AGAIN = 0.8  # of stale_after, below which input that was too old must be
WARM_UP_STEPS = 5  # before the first message, as first calls are slow
NO_ROTATION = (0.0, 0.0, 0.0, 1.0)
NAN = float("nan")
BURSTS = " at most; let the drivers send every sample at once, or raise stale_after"
NOT_YET = "nothing has been received yet"


@dataclass(frozen=True)
class LiveSettings:
    """What the live path is told.

    Attributes:
        alignment: what a late, lost or mistimed sample leads to.
        rotations: from each IMU's axes to the rig's, quaternions x y z w, one for all or one each.
        stale_after: input older than this, or missing for longer, gives STALE [s].
        clock_policies: where the instants of the samples come from, one for all sensors or one each.
        clock_tolerance: s by which input may be ahead of the node's clock.
    """

    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    rotations: tuple[float, ...] = NO_ROTATION
    stale_after: float = 0.15
    clock_policies: tuple[ClockPolicy, ...] = (ClockPolicy.AUTO,)
    clock_tolerance: float = TOLERANCE_S

    def policies(self, sensors: int) -> tuple[ClockPolicy, ...]:
        """Return the clock policy of every sensor; raises InputError where their number does not fit."""
        if len(self.clock_policies) not in (1, sensors):
            given = len(self.clock_policies)
            raise InputError(f"clock_policy has {given} entries; give one for all sensors, or {sensors}")
        return self.clock_policies * (sensors // len(self.clock_policies))


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
        cause: why the status is what it is; empty while it is OK.
        restarts: how often the buffers were emptied because all timestamps jumped.

    Raises:
        InputError: the bundle forecasts, the engine cannot be loaded, or the rotations or clock policies do not fit the
            rig.
    """

    def __init__(self, bundle: Bundle, settings: LiveSettings, engine: str = AUTO, threads: int = 1) -> None:
        if bundle.config.look_ahead < 0:
            raise InputError(
                f"bundle {bundle.model_id} forecasts; live, nothing from the future is published, for no controller "
                "may take it for measured: train with --look-ahead 0 or more"
            )
        self._settings = settings
        self._estimator = StreamingEstimator(bundle, engine, threads, scores_motion=False)
        sensors = len(bundle.rig.sensors)
        self._rotations = mount_rotations(settings.rotations, sensors)
        self._has_rotations = not np.array_equal(self._rotations, np.broadcast_to(np.eye(3), self._rotations.shape))
        used = np.logical_and.reduce(bundle.normalisation.used.reshape(-1, 2, 3), axis=2)
        patience = max(0.0, settings.stale_after - CHECK_PERIOD_S)  # beyond it the next check would be too late
        bursts = min(settings.alignment.burst_deadline, patience)
        alignment = replace(settings.alignment, burst_deadline=bursts)
        self._aligner = GridAligner(sensors, bundle.rig.rate, alignment, used.tolist())
        self._watch = SensorWatch(bundle, settings.policies(sensors), settings.clock_tolerance)
        self._placement = LivePlacement(bundle)
        self._settled = SettledRows(sensors, bundle.rig.rate)
        self._period = round(SECOND / bundle.rig.rate)
        self._delay = round(bundle.config.look_ahead * SECOND / bundle.rig.rate)
        self._patience = round(patience * SECOND)
        self._good_until: int | None = None  # instant of the newest input that was used, or of the first check
        self._jumps = 0  # of all timestamps together
        self._newest_row = 0  # instant of the latest row [ns]
        self._last_output = 0  # when anything was last published [ns]
        self._pauses = RepeatedPauses()
        self._is_old = False  # the latest input was, or ahead of the clock
        self.cause = NOT_YET
        self.restarts = 0
        self._warm_up()

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._estimator.bundle

    @property
    def engine_name(self) -> str:
        """The engine in use: one of ``engine.ENGINES``."""
        return self._estimator.engine_name

    @property
    def states(self) -> tuple[SensorState, ...]:
        """Verdict on every sensor, in the order of the rig."""
        return self._watch.states

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
        return self._placement.motion()

    def prepare(self, bundle: Bundle) -> PreparedBundle:
        """Prepare another bundle of the same rig for ``adopt``; for any other thread. Raises InputError."""
        return self._estimator.prepare(bundle)

    def adopt(self, prepared: PreparedBundle) -> None:
        """Continue with a prepared bundle."""
        self._estimator.adopt(prepared)
        self._placement.adopt(prepared.bundle)

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
        taken = self._watch.take(sensor, timestamp, sample, arrival, sequence)
        if self._jumps != self._watch.jumps:
            self._jump(taken)
        if taken is None or not (rows := self._aligner.push(sensor, *taken)):
            return []
        now = arrival if now is None else now
        return [output for row in rows if (output := self._step(row, now)) is not None]

    def check(self, now: int) -> list[Output]:
        """Return a STALE where input has failed; call it at least every ``CHECK_PERIOD_S``, as a heartbeat."""
        if self._good_until is None or now < self._last_output:  # the start, or the clock was put back
            self._good_until = self._last_output = now
        if now - self._good_until < self._patience or now - self._last_output < HEARTBEAT_NS:
            return []
        self._pauses.note(now, (now - self._good_until) / SECOND)
        return [self.fail(now, "no message has come that could be used")]

    def fail(self, now: int, cause: str) -> Output:
        """Return a STALE for a cause, unless the sensors are the cause."""
        self._last_output = now
        self._watch.update(now)
        return self._stale(now, NAN, cause)

    def forget_clocks(self) -> None:
        """Forget what was learned of the sensors' clocks, as the node's own was set."""
        self._watch.forget_clocks()

    def judge(self, sensor: int, state: SensorState) -> None:
        """Take the verdict of someone else on a sensor, as on who publishes on its topic; for any thread."""
        self._watch.judge(sensor, state)

    def report(self, sensor: int) -> SensorReport:
        """Return what is known of a sensor, for diagnostics; for any thread."""
        return self._watch.report(sensor)

    def _jump(self, taken: tuple[int, Sample] | None) -> None:
        """Begin anew where all timestamps have jumped together: what was buffered is void."""
        self._jumps = self._watch.jumps
        self._watch.forget_samples()
        if taken is not None and taken[0] < self._newest_row - self._period:
            self._aligner.reset()

    def _warm_up(self) -> None:
        rest = np.zeros((len(self.bundle.rig.sensors), 6))
        for _ in range(WARM_UP_STEPS):
            self._estimator.step(rest)
        self._estimator.reset()

    def _step(self, row: GridRow, now: int) -> Output | None:
        if row.restarted and self._estimator.steps:
            self.restarts += 1
            self._estimator.reset()
            self._settled.reset()
            self._placement.reset()
            self._watch.forget_gaps()
        self._newest_row = row.timestamp
        imu = turn_mounts(row.imu, self._rotations) if self._has_rotations else row.imu
        ways = self._placement.ways
        signs = ways.signs if ways is not None else 1.0
        if ways is not None:
            imu = imu * signs
        self._watch.mask(row.timestamp, imu)
        if self._watch.accused:
            for sensor in self._watch.accused:
                self._settled.mask(sensor)
            self._watch.accused.clear()
        if self._placement.step(self._settled.push(imu.copy()), self._watch.turned):
            self._put_back(row.timestamp)
        if ways is not None and ways.signs is not signs:
            imu = imu * signs * ways.signs
            self._estimator.reset()
            self._settled.reset()
        for sensor, state in enumerate(self._placement.states):
            if sensor in self._watch.suspects:
                imu[sensor] = np.nan
            elif state.masked:
                self._watch.leave_out(sensor, imu)
        estimate = self._estimator.step(imu)
        return None if estimate is None else self._judge(row, imu, estimate, now)

    def _put_back(self, instant: int) -> None:
        """Believe sensors that turned over where their motion since shows that they are right."""
        for sensor, (since, turn) in self._watch.turned.items():
            if instant - since > PROOF_NS and self._placement.disproves_turn(sensor, turn):
                self._watch.forget_turn(sensor)

    def _judge(self, row: GridRow, imu: FloatArray, estimate: Estimate, now: int) -> Output:
        # How far the data of this row reach: of samples that came in a burst, not to the end of the burst.
        timestamp, newest = row.timestamp - self._delay, min(row.newest, row.timestamp + self._period)
        age = (now - newest) / SECOND
        self._last_output = now
        self._watch.update(now, self._placement.states)
        if self._is_too_old(age):
            if age > 0:
                self._pauses.note(now, age)
            when = "old" if age > 0 else "ahead of this clock"
            return self._stale(timestamp, age, f"the newest input is {abs(age):.2f} s {when}")
        self._pauses.end()
        missing = self._names(estimate.missing)
        # A step within a gap of all sensors is an extrapolation, however fresh the sample after it.
        if len(missing) == len(self.states) and self._sees_nothing(imu):
            return self._stale(timestamp, age, "no sensor sends what the network uses")
        if missing and self.bundle.subsets and not self.bundle.subsets.usable(estimate.missing):
            back = " and ".join(
                self.bundle.rig.sensor_names[s] for s in self.bundle.subsets.needed_back(estimate.missing)
            )
            return self._stale(
                timestamp, age, "too few sensors are left" + (f"; with {back} back there would be enough" * bool(back))
            )
        if not math.isfinite(sum(estimate.activation.tolist()) + sum(estimate.deviation.tolist())):
            self._estimator.reset()
            return self._stale(timestamp, age, "the network gave no number")
        self._good_until = min(newest, now)
        if self._pauses.go_on(now):
            return self._stale(
                timestamp, age, f"the input pauses again and again, for {self._pauses.longest:.2f} s{BURSTS}"
            )
        status, self.cause = self._status(estimate, missing)
        return Output(timestamp, status, age, missing, estimate.activation, estimate.deviation)

    def _is_too_old(self, age: float) -> bool:
        limit = self._settings.stale_after * (FRESH_AGAIN if self._is_old else 1.0)
        self._is_old = age > limit or age < -self._settings.clock_tolerance
        return self._is_old

    def _status(self, estimate: Estimate, missing: tuple[str, ...]) -> tuple[int, str]:
        """Return the most serious status that applies, and why it does."""
        if self._placement.out_of_distribution:
            return OUT_OF_DISTRIBUTION, self._placement.text
        if self._placement.ways is not None and (unknown := self._placement.ways.unknown):
            return WARMING_UP, f"which way round {' and '.join(unknown)} is worn shows once the subject moves"
        if estimate.warming_up:
            return WARMING_UP, "there is not yet enough input"
        if missing:
            return DEGRADED, self._masked()
        return OK, ""

    def _stale(self, timestamp: int, age: float, cause: str) -> Output:
        masked = self._masked()
        self.cause = f"{cause}: {masked}" if masked else cause
        return Output(timestamp, STALE, age, self.bundle.rig.sensor_names, NAN, NAN)

    def _masked(self) -> str:
        """Say of every masked sensor why it is."""
        masked = [(name, s) for name, s in zip(self.bundle.rig.sensor_names, self.states, strict=True) if s.masked]
        reasons = {state.reason for _, state in masked}
        if len(masked) == len(self.states) > 1 and len(reasons) == 1:
            return f"every sensor {reasons.pop()}"
        return ", ".join(f"{name} {state.reason}" for name, state in masked)

    def _sees_nothing(self, imu: FloatArray) -> bool:
        """Whether no sensor has a part that the network uses."""
        seen = np.isfinite(imu) & self.bundle.normalisation.used
        return not seen.reshape(-1, 3).all(axis=1).any()

    def _names(self, missing: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the names of the sensors that an estimate lacks, now or of a moment ago."""
        felt = self._watch.felt
        if not (felt or any(missing.tobytes())):
            return ()
        names = enumerate(self.bundle.rig.sensor_names)
        return tuple(name for sensor, name in names if missing[sensor] or sensor in felt)
