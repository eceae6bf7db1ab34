"""What the stream of a sensor alone tells: whether its samples can be vouched for, live and in recordings.

``SampleChecks`` has a checker for every sensor. A checker takes each message at a cost that does not depend on what
was before, and returns the sample with NaN for the parts that must not reach the network, and the sensor's state.
Conditions are entered with the first message that shows them and left only after ``HOLD_S`` without any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.signals.acceleration_checks import AccelerationChecks
from imu_emg_estimator.signals.angular_rate_checks import AngularRateChecks
from imu_emg_estimator.signals.gravity_steps import GravitySteps
from imu_emg_estimator.signals.grid_alignment import ABSENT, NEVER, SECOND, Sample
from imu_emg_estimator.signals.relative_stillness import RelativeStillness
from imu_emg_estimator.signals.repeated_samples import ACCELERATION, RATE, Part, RepeatedSamples
from imu_emg_estimator.signals.sample_delivery import SampleDelivery
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

HOLD_S = {Verdict.CLIPPED: 1.5}  # s; a limb comes to the end of the range once a stride
DEFAULT_HOLD_S = 0.3
MIN_MISSING = 3  # messages without a part; REP 145 lets acceleration and rate come in turns
MIN_MISSING_NS = 60_000_000
MAX_VALUE = 1e4  # in any unit; in sums with larger ones the others would be lost
BEYOND_TRAINING = 8.0  # times what an axis reached in training: 16 g for 2; of such a value the network knows nothing
MAX_BACKWARDS_NS = SECOND  # instants that lie further back are another recording's
NO_VALUES: Sample = ABSENT[:3]


class Checked(NamedTuple):
    """A sample that was checked: NaN where a part must not be used; and the state of its sensor."""

    sample: Sample
    state: SensorState


class SampleChecks:
    """Checks the samples of all sensors of a rig.

    Args:
        rate: of the rig [Hz].
        used: channels [sensors, 6] that the network uses (``Normalisation.used``); others are not judged.
        ranges: highest absolute acceleration [m/s²] and angular rate [rad/s] of an axis in training [sensors, 2];
            NaN = not known.
    """

    def __init__(self, rate: float, used: NDArray[np.bool_], ranges: NDArray[np.floating] | None = None) -> None:
        parts = np.all(used.reshape(-1, 2, 3), axis=2)
        known = np.full((len(parts), 2), np.nan) if ranges is None else ranges
        others, steps = RelativeStillness(len(parts)), GravitySteps(len(parts))
        self._checkers = [
            SampleChecker(rate, bool(a), bool(r), float(highest), float(fastest), sensor, others, steps)
            for sensor, ((a, r), (highest, fastest)) in enumerate(zip(parts, known, strict=True))
        ]

    def check(self, sensor: int, instant: int, sample: Sample, sequence: int | None = None) -> Checked:
        """Check one sensor's sample at an instant [ns].

        Args:
            sequence: number that its publisher gave the message; None = not known.
        """
        return self._checkers[sensor].check(instant, sample, sequence)

    def forget_turn(self, sensor: int) -> None:
        """Believe that a sensor that turned over is right as it is."""
        self._checkers[sensor].forget_turn()

    def reset(self) -> None:
        """Forget all samples: what comes next has nothing to do with what was."""
        for checker in self._checkers:
            checker.reset()


class SampleChecker:
    """Checks the samples of one sensor.

    Args:
        rate: of the rig [Hz].
        acceleration_used, rate_used: whether the network uses the part; others are not judged.
        highest_acceleration, highest_rate: of an axis in training [m/s², rad/s]; NaN = not known.
        sensor: its index among those of ``others``.
        others: how much the sensors of the rig move; None = there are no others.
        steps: in which gravity vanishes from all sensors.

    Attributes:
        state: after the latest sample.
    """

    def __init__(
        self,
        rate: float,
        acceleration_used: bool = True,
        rate_used: bool = True,
        highest_acceleration: float = float("nan"),
        highest_rate: float = float("nan"),
        sensor: int = 0,
        others: RelativeStillness | None = None,
        steps: GravitySteps | None = None,
    ) -> None:
        self._delivery = SampleDelivery(rate)
        self._parts: list[tuple[int, _PartChecker]] = []  # and where they begin in a sample
        if acceleration_used:
            accelerations = AccelerationChecks(sensor, others, steps)
            self._parts.append((0, _PartChecker(ACCELERATION, highest_acceleration, accelerations)))
        if rate_used:
            self._parts.append((3, _PartChecker(RATE, highest_rate, AngularRateChecks())))
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.state = GOOD
        self._last = NEVER
        self._delivery.reset()
        for _, part in self._parts:
            part.reset()

    def forget_turn(self) -> None:
        """Believe that the sensor is right as it is, though it turned over."""
        for _, part in self._parts:
            part.forget_turn()

    def check(self, instant: int, sample: Sample, sequence: int | None = None) -> Checked:
        """Take the sample of an instant [ns], and the number that its publisher gave the message, if known."""
        if instant < self._last - MAX_BACKWARDS_NS:
            self.reset()
        self._last = instant
        found, old = [], 0
        for at, part in self._parts:
            found.append(part.check(instant, sample[at : at + 3]))
            old += not part.is_new
        delivery = self._delivery.take(instant, sequence, 1.0 - old / len(self._parts) if old else 1.0)
        self.state = (found and (found[0] or found[-1])) or delivery or GOOD
        if not (self.state.masked or old):
            return Checked(sample, self.state)
        if delivery and delivery.masked:
            return Checked(ABSENT, self.state)
        for (at, part), state in zip(self._parts, found, strict=True):
            if state or part.is_missing:
                sample = sample[:at] + NO_VALUES + sample[at + 3 :]
        return Checked(sample, self.state)


class _PartChecker:
    """Checks one part of one sensor's samples.

    Attributes:
        is_missing: the latest sample lacked the part.
        is_new: it had it, and not that of the sample before, unless something is found.
    """

    def __init__(self, part: Part, highest: float, values: AccelerationChecks | AngularRateChecks) -> None:
        self._part = part
        self._limit = BEYOND_TRAINING * highest if highest == highest else MAX_VALUE
        self._repeated = RepeatedSamples(part, highest if highest == highest else None)
        self._values = values
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._repeated.reset()
        self._values.reset()
        self._found: SensorState | None = None
        self._until = NEVER  # instant to which it is held
        self._seen: int | None = None  # instant of the latest sample that had the part
        self._missed = 0  # samples since
        self.is_missing, self.is_new = False, True

    def forget_turn(self) -> None:
        """Believe that the sensor is right as it is, though it turned over."""
        if isinstance(self._values, AccelerationChecks):
            self._values.forget_turn()
            self._found = None

    def check(self, instant: int, sample: Sample) -> SensorState | None:
        """Take three values; return the state that forbids their use, None = none does."""
        x, y, z = sample
        is_number, found = abs(x) <= MAX_VALUE and abs(y) <= MAX_VALUE and abs(z) <= MAX_VALUE, None  # false for NaN
        self.is_missing = is_missing = not is_number or max(abs(x), abs(y), abs(z)) > self._limit
        if is_number and (self._missed or not is_missing):  # one absurd sample alone poisons no statistic
            values = x, y, z
            found = self._repeated.take(instant, values) or self._values.take(instant, values)
        if is_missing:
            found = found or self._missing(instant)
        else:
            self._seen, self._missed = instant, 0
        if found:
            self._found = found
            self._until = instant + round(HOLD_S.get(found.verdict, DEFAULT_HOLD_S) * SECOND)
        elif self._found and instant >= self._until:
            self._found = None
        self.is_new = self._found is not None or not (is_missing or self._repeated.repeats)
        return self._found

    def _missing(self, instant: int) -> SensorState | None:
        if self._seen is None:
            self._seen = instant
        self._missed += 1
        if self._missed < MIN_MISSING or instant - self._seen < MIN_MISSING_NS:
            return None
        reason = f"sends no {self._part.name}: it is marked absent (covariance -1), not finite or out of range"
        return SensorState(
            Verdict.ABSENT, reason, f"enable the {self._part.name} in its driver, in {self._part.unit}", True
        )
