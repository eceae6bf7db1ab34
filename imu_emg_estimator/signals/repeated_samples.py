"""Values that come again although time goes on: frozen sensors, stuck axes, flat tops, loops of old samples, zeros.

A real sensor has noise, so exact repeats are rare. How rare was counted in HuGaDB (60 Hz, all 13 subjects) and in
recordings of wrists at 370 Hz and of forearms at 50 Hz: see the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.sample_windows import Vector
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

MIN_REPEATS = 3  # of all axes; at most 0.06 % of the samples of a working sensor repeat at all
MIN_FROZEN_NS = 60_000_000  # a driver may send every sample of a slower sensor several times
MIN_TOP_REPEATS = 2  # of one axis while the others move: three equal samples in a row
MIN_TOP_TRAVEL = 3.0  # m/s² or rad/s, by which the axes must have changed meanwhile
TOP_SAMPLES = 120  # of which a flat top must be the highest: two strides
MIN_STUCK_NS = 250_000_000  # longer than an axis stays at the end of its range in any gait
MIN_STUCK_TRAVEL = 6.0
MIN_RESTING_STUCK = 60  # repeats of an axis that count without movement: the coarsest sensor has noise
MIN_LOOPED = 5  # samples in a row that came before, each equally long ago
MIN_LOOPED_TRAVEL = 1.0  # at rest, coarse values come again by chance
MIN_RESTING_LOOPED = 20
MIN_REPLAYED, MIN_REPLAYED_TRAVEL = 12, 3.0  # samples in a row that came before, in whatever order
LOOP_NS = 5 * SECOND  # of samples remembered at least, twice that at most: a recording played again is no loop
MAX_LOOP_SAMPLES = 4096  # whatever the rate
NOTHING: Vector = (0.0, 0.0, 0.0)
FULL_SCALE_SHARE = 0.97  # of what the training subjects reached: from there on flat tops are the sensor's own


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two parts of an IMU.

    Attributes:
        name: what people call it.
        unit: of its values.
        smallest_range: of any sensor's: flat tops from there on are its own unless the training subjects tell more.
        rests_at_zero: whether a working sensor may send exact zeros.
    """

    name: str
    unit: str
    smallest_range: float
    rests_at_zero: bool


ACCELERATION = Part("acceleration", "m/s²", 2 * 9.80665, rests_at_zero=False)
RATE = Part("angular rate", "rad/s", 4.36, rests_at_zero=True)  # 250 degrees a second


class RepeatedSamples:
    """Follows one part of one sensor.

    Args:
        highest: absolute value that an axis reached in training; None = not known.

    Attributes:
        repeats: samples in a row that equal the one before.
    """

    def __init__(self, part: Part, highest: float | None = None) -> None:
        self._part = part
        self._own_top = FULL_SCALE_SHARE * (highest or part.smallest_range)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._last: Vector | None = None
        self._since = NEVER  # instant of the first of the equal samples
        self.repeats = 0
        self._travel = 0.0  # sum of all changes
        self._axes = [_Axis(), _Axis(), _Axis()]
        self._repeating = False  # some axis repeats
        self._recent: dict[Vector, int] = {}  # samples, and how many there were before
        self._older: dict[Vector, int] = {}
        self._recent_from = NEVER  # instant
        self._count = self._lag = self._looped = self._replayed = 0
        self._looped_from = self._replayed_from = 0.0  # travel where the loop was entered

    def take(self, instant: int, sample: Vector) -> SensorState | None:
        """Take the finite values of an instant [ns]; return what is wrong, None = nothing."""
        last, self._last = self._last, sample
        if last is None:
            self._since = instant
            return self._zeros(sample)
        if sample == last:
            return self._repeated(instant, sample)
        self.repeats, self._since = 0, instant
        dx, dy, dz = sample[0] - last[0], sample[1] - last[1], sample[2] - last[2]
        self._travel += abs(dx) + abs(dy) + abs(dz)
        before = self._remember(instant, sample)
        looped = found = None
        if before:
            looped = self._looped_since(before) or self._replayed_since()
        else:
            self._looped = self._replayed = 0
        if self._repeating or not (dx and dy and dz):
            found = self._axes_repeated(instant, sample, (dx, dy, dz))
        return looped or found or self._zeros(sample)

    def _repeated(self, instant: int, sample: Vector) -> SensorState | None:
        self.repeats += 1
        if self.repeats < MIN_REPEATS or instant - self._since < MIN_FROZEN_NS:
            return self._zeros(sample)
        reason = f"repeats one {self._part.name} since {(instant - self._since) / SECOND:.1f} s"
        return self._zeros(sample) or SensorState(
            Verdict.FROZEN, reason, "switch it off and on again, or restart its driver", True
        )

    def _zeros(self, sample: Vector) -> SensorState | None:
        if sample != NOTHING or self._part.rests_at_zero:
            return None
        reason = f"sends an {self._part.name} of exactly zero"
        return SensorState(Verdict.IMPLAUSIBLE, reason, "restart its driver, which sends placeholders", True)

    def _axes_repeated(self, instant: int, sample: Vector, changes: Vector) -> SensorState | None:
        """Follow the axes one by one where one of them repeats, or did, and another does not."""
        found = None
        self._repeating = False
        for index, (axis, value, change) in enumerate(zip(self._axes, sample, changes, strict=True)):
            if change:
                axis.repeats = 0
                continue
            if not axis.repeats:
                axis.since, axis.travel = instant, self._travel
            axis.repeats += 1
            self._repeating = True
            found = found or self._axis_repeated(instant, index, value)
        return found

    def _axis_repeated(self, instant: int, index: int, value: float) -> SensorState | None:
        axis, what = self._axes[index], f"its {self._part.name} in {'xyz'[index]}"
        travel = self._travel - axis.travel
        moving = instant - axis.since >= MIN_STUCK_NS and travel >= MIN_STUCK_TRAVEL
        if moving or axis.repeats >= MIN_RESTING_STUCK:
            reason = f"{what} stays at {value:.3g} {self._part.unit}"
            return SensorState(Verdict.FROZEN, reason, "switch it off and on again; replace it if that stays", True)
        if axis.repeats < MIN_TOP_REPEATS or travel < MIN_TOP_TRAVEL or abs(value) >= self._own_top:
            return None
        if not self._is_highest(index, value):
            return None
        reason = f"{what} is cut off at {value:.3g} {self._part.unit}"
        return SensorState(Verdict.CLIPPED, reason, "set a wider range", True)

    def _is_highest(self, axis: int, value: float) -> bool:
        """Whether a value is an axis's highest of late, or its lowest."""
        newest_first = chain(reversed(self._recent), reversed(self._older))
        recent = [sample[axis] for sample in islice(newest_first, TOP_SAMPLES)]
        return value == (max(recent) if value > 0 else min(recent))

    def _remember(self, instant: int, sample: Vector) -> int | None:
        """Remember a sample; return its number when it last came, None where it is new."""
        before = self._recent.pop(sample, None) or self._older.get(sample)  # the newest stays the last
        self._count += 1
        self._recent[sample] = self._count
        if instant - self._recent_from >= LOOP_NS or len(self._recent) >= MAX_LOOP_SAMPLES:
            self._older, self._recent, self._recent_from = self._recent, {}, instant
        return before

    def _looped_since(self, before: int) -> SensorState | None:
        """Recognise samples of the last seconds that are sent again in their order."""
        lag = self._count - before
        if lag != self._lag or not self._looped:
            self._lag, self._looped, self._looped_from = lag, 0, self._travel
        self._looped += 1
        moved = self._travel - self._looped_from >= MIN_LOOPED_TRAVEL
        if lag < 2 or self._looped < (MIN_LOOPED if moved else MIN_RESTING_LOOPED):
            return None
        reason = f"sends its last {lag} samples over and over"
        return SensorState(Verdict.FROZEN, reason, "restart its driver, which repeats old samples", True)

    def _replayed_since(self) -> SensorState | None:
        """Recognise samples of the last seconds that are sent again in another order, as backwards."""
        if not self._replayed:
            self._replayed_from = self._travel
        self._replayed += 1
        if self._replayed < MIN_REPLAYED or self._travel - self._replayed_from < MIN_REPLAYED_TRAVEL:
            return None
        reason = f"sends {self._replayed} samples in a row that it sent before"
        return SensorState(Verdict.FROZEN, reason, "restart its driver, which repeats old samples", True)


class _Axis:
    """Repeats of one axis, and instant and travel where they began."""

    __slots__ = ("repeats", "since", "travel")

    def __init__(self) -> None:
        self.repeats, self.since, self.travel = 0, NEVER, 0.0
