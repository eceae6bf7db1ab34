"""Accelerations in other units, without gravity, negated, or of a sensor that hardly moves.

All is told by sums over windows. The limits lie beyond what HuGaDB holds (all 13 subjects, 7.5 hours, rest and
locomotion, those sensors aside that are at fault in it); HuGaDB's most extreme window stands in brackets.
"""

from __future__ import annotations

import math

from imu_emg_estimator.signals.gravity_loss import GravityLoss
from imu_emg_estimator.signals.gravity_steps import GravitySteps
from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND
from imu_emg_estimator.signals.mixed_sources import mixed_sources
from imu_emg_estimator.signals.relative_stillness import STOPPED_MPS2, RelativeStillness
from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector, Window, dot
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict
from imu_emg_estimator.signals.usual_gravity import UsualGravity

MOMENT, SHORT, AGAIN, HALF, STRIDE, LONG = 2, 4, 6, 10, 14, 20  # blocks: 0.1, 0.2, 0.3, 0.5, 0.7 and 1 s
MAX_WEIGHTLESS_MPS2 = 3.4  # longest sample of 0.2 s; a range of 2 g in g gives at most 3.5 (4.1, twice less)
MIN_HUGE_MPS2 = 45.0  # shortest sample of 0.2 s (31)
# Over 0.5 and 1 s: mean length (6.3, 8.0); and gravity where the length varies as in no mere rotation (3.9, 5.3)
MIN_LENGTH_MPS2 = {HALF: 5.8, LONG: 7.3}
MIN_GRAVITY_MPS2 = {HALF: 3.5, LONG: 5.0}
MIN_LENGTH_VARIATION = 0.3
MIN_SHORT_GRAVITY_MPS2 = 6.5  # in the newest 0.2 s, or gravity is there again
MIN_GRAVITY_AGAIN_MPS2 = {AGAIN: 7.5, STRIDE: 6.5}  # over 0.3 s beside a step by it, and 0.7 s, where it was removed
QUIET_MPS2, QUIET_HALF_MPS2 = 0.35, 0.15  # standard deviation over a second, and over half of one
QUIET_GRAVITY_MPS2 = (8.2, 11.5)  # then (8.6 to 11.0)
IN_G = (0.6, 2.0)  # mean length in g
IN_MILLI_G = 300.0  # and more
MIN_TURN = math.cos(math.radians(100.0))  # of gravity from one half second to the next (86 degrees)
MIN_TURN_GRAVITY_MPS2 = 4.0  # before and after
MIN_TURN_STEP = 0.5  # of the change, in one step: limbs turn gradually
QUIET_BLOCKS = 3  # that show a turn where there is no movement
QUIET_TURN_MPS2 = 1.5  # standard deviation there
MIRRORED_SHARE = 0.1  # of the change, that is left when the signs of some axes are put right
MIN_MIRRORED_MPS2 = 3.0
NEGATED_S = 60.0  # how long turned axes are masked, unless they turn back
MIN_NOISE_MPS2 = 0.004  # standard deviation over 0.2 s of any sensor on a body
MIN_AXIS_NOISE_MPS2 = 0.1  # of an axis over a second, while all axes together exceed the next (0.3)
MOVING_MPS2 = 2.0

UNIT_REMEDY = "have its driver send m/s² (REP 103)"
RESTART_REMEDY = "switch it off and on again, or restart its driver"


class AccelerationChecks:
    """Follows the acceleration of one sensor, block by block.

    Args:
        sensor: its index among those of ``others``.
        others: how much the sensors of the rig move; None = there are no others.
        steps: in which gravity vanishes from all sensors.
    """

    def __init__(
        self, sensor: int = 0, others: RelativeStillness | None = None, steps: GravitySteps | None = None
    ) -> None:
        self._sensor, self._others, self._steps = sensor, others, steps
        self._windows, self._loss, self._usual = SampleWindows(), GravityLoss(), UsualGravity()
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._windows.reset()
        self._loss.reset()
        self._usual.reset()
        self._found: SensorState | None = None
        self._turned: tuple[Vector, Vector] | None = None  # gravity before and after axes were negated
        self._scaled: SensorState | None = None  # gravity was wrong when it was last seen
        self._removed: SensorState | None = None  # gravity was removed, and has not been seen again
        self._suspected = False  # by a step of its own alone
        self._stepped = NEVER  # instant when gravity last vanished or returned in one step
        self._stood = False  # frozen, or still while it should have moved
        self._usual_blocks = 0  # in a row, of which gravity was not
        self._negated_until = 0
        self._right: Vector | None = None  # gravity before axes were negated that are not masked any more
        if self._others:
            self._others.reset(self._sensor)
        if self._steps:
            self._steps.reset(self._sensor)

    def forget_turn(self) -> None:
        """Believe that the sensor is right as it is."""
        if self._turned:
            self._turned = self._found = None
            self._usual.reset()
            self._windows.forget_blocks()

    def take(self, instant: int, sample: Vector) -> SensorState | None:
        """Take the finite values [m/s²] of an instant [ns]; return what is wrong, None = nothing."""
        if self._windows.take(instant, sample):
            self._found = self._judge(instant)
            if self._found is None:
                self._usual.take(self._windows)
        return self._found

    def _judge(self, instant: int) -> SensorState | None:
        if self._steps:
            self._follow_steps(self._steps, instant)
        if not self._found and not self._removed and self._loss.take(instant, self._windows):
            self._removed, self._suspected = _removed("lost gravity from one message to the next"), True
        short = self._windows.window(SHORT)
        if short is None:
            return self._removed or (_negated_axes(*self._turned) if self._turned else self._scaled)
        half, deviation = self._windows.window(HALF), short.deviation
        found = mixed_sources(short, half) or self._level(short)
        if found:
            self._stood = found.verdict is Verdict.FROZEN
            return found
        if self._is_put_right(short):
            self._windows.forget_blocks()
            self._scaled = half = None
        if self._others:
            before = self._windows.window(MOMENT, SHORT + 1) if deviation < STOPPED_MPS2[-1] else None
            deviations = [window.deviation if window else None for window in (half, before)]
            found = self._others.judge(self._sensor, instant, deviation, *deviations)
            if self._stood and not found:  # where it stood says nothing of gravity
                self._windows.forget_blocks()
                half = None
            self._stood = found is not None
        found = found or self._negated(instant, half) or (self._slow_level(short, half) if half else self._scaled)
        return found or self._still_removed(instant)

    def _follow_steps(self, steps: GravitySteps, instant: int) -> None:
        """Take it over where gravity vanished from all sensors in one instant, or returned."""
        steps.take(self._sensor, instant, self._windows)
        latest = max(steps.vanished, steps.returned)
        if latest <= self._stepped:
            return
        is_removed = steps.vanished == latest
        self._stepped, self._suspected = latest, False
        if is_removed == (self._removed is not None):
            return
        self._windows.forget_blocks()
        self._removed = _removed("lost gravity in the same instant as other sensors") if is_removed else None

    def _is_put_right(self, short: Window) -> bool:
        """Whether a unit is right again, or gravity there again, so that what was before says nothing any more."""
        if not self._found or self._turned or self._removed:
            return False
        if self._found.verdict is Verdict.OTHER_UNITS:
            return True
        if self._scaled and short.deviation > QUIET_MPS2:
            return False
        return self._found.verdict is Verdict.IMPLAUSIBLE and _is_usual(short)

    def _level(self, short: Window) -> SensorState | None:
        if short.mean_length < MAX_WEIGHTLESS_MPS2 and self._windows.longest(SHORT) < MAX_WEIGHTLESS_MPS2:
            return self._weightless(short)
        if short.mean_length > MIN_HUGE_MPS2 and self._windows.shortest(SHORT) > MIN_HUGE_MPS2:
            unit = "mg" if short.mean_length > IN_MILLI_G else "another unit"
            reason = f"measures {short.mean_length:.0f} m/s² on average, as if in {unit}"
            return SensorState(Verdict.OTHER_UNITS, reason, UNIT_REMEDY, True)
        if short.deviation < MIN_NOISE_MPS2:
            reason = f"hardly changes (by {short.deviation:.4f} m/s²), less than any sensor on a body"
            return SensorState(Verdict.FROZEN, reason, RESTART_REMEDY, True)
        return None

    def _weightless(self, short: Window) -> SensorState:
        if self._removed:
            return self._without_gravity(short)
        for window in (short, self._windows.window(HALF)):
            if window and IN_G[0] <= window.mean_length <= IN_G[1] and window.gravity > 0.5 * window.mean_length:
                reason = f"measures a gravity of {window.gravity:.2f} instead of 9.81 m/s², as if in g"
                return SensorState(Verdict.OTHER_UNITS, reason, UNIT_REMEDY, True)
        return self._without_gravity(short)

    def _without_gravity(self, window: Window) -> SensorState:
        self._removed = _removed(f"measures a gravity of {window.gravity:.1f} instead of 9.81 m/s²")
        self._suspected = False
        return self._removed

    def _still_removed(self, instant: int) -> SensorState | None:
        """Hold that gravity is removed until it is seen again: accelerations may look like it for a while."""
        if self._removed is None:
            return None
        returned = self._steps and self._steps.has_returned(self._sensor, instant - SECOND // 2)
        for blocks in (AGAIN,) if self._suspected else (AGAIN, STRIDE) if returned else (STRIDE,):
            mean = self._windows.mean(blocks)
            if mean and math.hypot(*mean) > MIN_GRAVITY_AGAIN_MPS2[blocks]:
                if self._suspected:
                    self._loss.returned(instant)
                self._removed, self._suspected = None, False
        return self._removed

    def _slow_level(self, short: Window, half: Window) -> SensorState | None:
        if _lacks_gravity(short, half, HALF):
            return self._without_gravity(half)
        long, found = self._windows.window(LONG), self._scaled
        if long is not None:
            found = self._without_gravity(long) if _lacks_gravity(short, long, LONG) else self._slow_axes(short, long)
        lowest, highest = QUIET_GRAVITY_MPS2
        is_usual = lowest <= half.gravity <= highest or half.deviation > QUIET_HALF_MPS2
        return found or (None if is_usual or self._others_move() else _wrong_gravity(half))

    def _slow_axes(self, short: Window, long: Window) -> SensorState | None:
        """Judge what only a second shows: gravity in quiet, and axes that have noise alone."""
        lowest, highest = QUIET_GRAVITY_MPS2
        deviation, gravity = long.deviation, long.gravity
        self._usual_blocks = self._usual_blocks + 1 if lowest <= gravity <= highest else 0
        if self._usual_blocks > (
            0 if deviation < QUIET_MPS2 else LONG
        ):  # less than a second of a stride proves nothing
            self._scaled = None
        elif not self._usual_blocks and deviation < QUIET_MPS2 and not self._others_move():
            self._scaled = _wrong_gravity(long)
        if deviation > MOVING_MPS2 and short.deviation > MOVING_MPS2 and min(long.variances) < MIN_AXIS_NOISE_MPS2**2:
            axis = long.variances.index(min(long.variances))
            reason = f"its acceleration in {'xyz'[axis]} stays at {long.mean[axis]:.3g} m/s² while the other axes move"
            return SensorState(Verdict.FROZEN, reason, RESTART_REMEDY, True)
        return self._scaled

    def _others_move(self) -> bool:
        """Whether half of the other sensors move, so that one in quiet is frozen, and shows no gravity."""
        return self._others is not None and self._others.others_move(self._sensor)

    def _negated(self, instant: int, half: Window | None) -> SensorState | None:
        if self._turned:
            return self._still_negated(instant, *self._turned)
        turn = self._quiet_turn()
        if turn is None and half and (before := self._windows.mean(HALF, HALF)):
            turn = self._turn(before, half.mean, 2 * HALF)
        if turn is None:
            return None
        self._windows.forget_blocks()
        right, self._right = self._right, None
        is_back = self._usual.is_turn_back(*turn)
        if is_back or (right and math.dist(turn[1], right) < math.dist(turn[0], right)):  # the fault has ended
            return None
        self._turned, self._negated_until = turn, instant + round(NEGATED_S * SECOND)
        return _negated_axes(*turn)

    def _quiet_turn(self) -> tuple[Vector, Vector] | None:
        before, after = self._windows.mean(SHORT, SHORT), self._windows.mean(QUIET_BLOCKS)
        if before is None or after is None:
            return None
        change = math.dist(before, after)
        if change < MIN_MIRRORED_MPS2:
            return None
        windows = self._windows.window(SHORT, SHORT), self._windows.window(QUIET_BLOCKS)
        if any(window is None or window.deviation > QUIET_TURN_MPS2 for window in windows):
            return None
        return self._turn(before, after, QUIET_BLOCKS + SHORT, _mirrored(before, after, change))

    def _turn(self, before: Vector, after: Vector, blocks: int, mirrored: bool = False) -> tuple[Vector, Vector] | None:
        """Return gravity before and after it turned over in one step within so many blocks; None = it did not."""
        lengths = math.hypot(*before), math.hypot(*after)
        if min(lengths) < MIN_TURN_GRAVITY_MPS2:
            return None
        if not mirrored and dot(before, after) > MIN_TURN * lengths[0] * lengths[1]:
            return None
        change = after[0] - before[0], after[1] - before[1], after[2] - before[2]
        # A knock may be as large, but seldom goes where gravity does.
        gradual = self._windows.step_towards(change, blocks) < MIN_TURN_STEP * math.hypot(*change)
        return None if gradual else (before, after)

    def _still_negated(self, instant: int, before: Vector, after: Vector) -> SensorState | None:
        mean = self._windows.mean(SHORT)
        nearer = not mean or math.dist(mean, after) < math.dist(mean, before)
        if nearer and instant < self._negated_until:
            return _negated_axes(before, after)
        self._turned, self._right = None, before if nearer else None
        self._windows.forget_blocks()
        return None


def _wrong_gravity(window: Window) -> SensorState:
    reason = f"measures a gravity of {window.gravity:.1f} instead of 9.81 m/s²"
    return SensorState(Verdict.IMPLAUSIBLE, reason, "calibrate or replace it", True)


def _removed(reason: str) -> SensorState:
    remedy = "have its driver send accelerations with gravity (REP 145)"
    return SensorState(Verdict.IMPLAUSIBLE, f"{reason}, as if its driver removed it", remedy, True)


def _lacks_gravity(short: Window, window: Window, blocks: int) -> bool:
    """Whether the lengths, over a window of so many blocks, are those of accelerations without gravity."""
    if window.mean_length < MIN_LENGTH_MPS2[blocks]:
        return True
    small = short.gravity < MIN_SHORT_GRAVITY_MPS2 and window.gravity < MIN_GRAVITY_MPS2[blocks]
    return small and window.length_variation > MIN_LENGTH_VARIATION


def _is_usual(short: Window) -> bool:
    """Whether a window shows gravity, and nothing else of note."""
    lowest, highest = QUIET_GRAVITY_MPS2
    return lowest < short.gravity < highest and lowest < short.mean_length < highest and short.deviation < MOVING_MPS2


def _negated_axes(before: Vector, after: Vector) -> SensorState:
    axes = [name for name, a, b in zip("xyz", before, after, strict=True) if a * b < 0.0 and abs(a - b) > 3.0]
    reason = f"turned over from one message to the next: {' and '.join(axes) or 'an axis'} changed sign"
    remedy = "check the signs of its axes in its driver, and restart it"
    return SensorState(Verdict.IMPLAUSIBLE, reason, remedy, True, math.dist(before, after))


def _mirrored(before: Vector, after: Vector, change: float) -> bool:
    """Whether a change comes of other signs of some axes, and of little else."""
    left = [min(abs(a - b), abs(a + b)) for a, b in zip(before, after, strict=True)]
    return math.hypot(*left) < MIRRORED_SHARE * change
