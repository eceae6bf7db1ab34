"""Accelerations in other units, without gravity, negated, or mixed from two sources: told by sums over windows.

The limits lie beyond what HuGaDB holds (all 13 subjects, 7.5 hours, rest and locomotion, those sensors aside that
are at fault in it); the figures beside them are HuGaDB's most extreme 51 ms step, in m/s².
"""

from __future__ import annotations

import math

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector, Window
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

SHORT, HALF, LONG = 4, 10, 20  # blocks: 0.2, 0.5 and 1 s
MAX_WEIGHTLESS_MPS2 = 3.4  # longest sample of 0.2 s; a range of 2 g in g gives at most 3.5
MIN_HUGE_MPS2 = 45.0  # shortest sample of 0.2 s (31)
MIN_MEAN_LENGTH_MPS2 = 7.0  # over a second (9.0 in locomotion)
MIN_GRAVITY_MPS2 = 4.0  # over a second where the length varies as it never does in a mere rotation (5.3)
MIN_LENGTH_VARIATION = 0.45  # of the mean length
QUIET_MPS2 = 0.35  # standard deviation over a second
QUIET_GRAVITY_MPS2 = (8.2, 11.5)  # then (8.6 to 11.0)
IN_G = (0.6, 1.7)  # gravity in g
IN_MILLI_G = 300.0  # and more
MIN_JUMPS = 5  # in 0.2 s, of the length by ``sample_windows.JUMP_RATIO`` (4 at most)
MIN_STEP_MPS2 = 2.0  # root mean square, of samples that go to and fro
MAX_RETURN = 0.04  # of the squared step, by which every other sample differs
MIN_TURN = math.cos(math.radians(100.0))  # of gravity from one half second to the next (86 degrees)
MIN_TURN_STEP = 0.5  # of that change, in one step: limbs turn gradually
QUIET_TURN_MPS2 = 1.5
NEGATED_S = 10.0  # how long turned axes are remembered; the placement of the sensor shows in that time
MIN_NOISE_MPS2 = 0.004  # standard deviation over 0.2 s of any sensor on a body

UNIT_REMEDY = "have its driver send m/s² (REP 103)"


class AccelerationChecks:
    """Follows the acceleration of one sensor, block by block."""

    def __init__(self) -> None:
        self.windows = SampleWindows()
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.windows.reset()
        self._found: SensorState | None = None
        self._before: Vector | None = None  # gravity before the axes were negated
        self._negated_until = 0

    def take(self, instant: int, sample: Vector) -> SensorState | None:
        """Take the finite values [m/s²] of an instant [ns]; return what is wrong, None = nothing."""
        if self.windows.take(instant, sample):
            self._found = self._judge(instant)
        return self._found

    def _judge(self, instant: int) -> SensorState | None:
        short = self.windows.window(SHORT)
        if short is None:
            return None
        mixed = self._mixed()
        if mixed:
            return mixed
        level = self._level(short)
        if level:
            return level
        return self._negated(instant) or self._slow_level()

    def _mixed(self) -> SensorState | None:
        """Recognise samples that go to and fro between two sources."""
        blocks = [self.windows.blocks[-1 - index] for index in range(SHORT)]
        jumps = sum(block.jumps for block in blocks)
        count, steps = sum(block.count for block in blocks), sum(block.steps for block in blocks)
        if jumps >= MIN_JUMPS:
            reason = f"changes its size from message to message, {jumps} times in 0.2 s, as if in two units"
            return SensorState(Verdict.OTHER_UNITS, reason, "let one driver alone send on its topic", True)
        if steps < count * MIN_STEP_MPS2**2 or sum(block.double_steps for block in blocks) > MAX_RETURN * steps:
            return None
        reason = "goes to and fro between two accelerations from message to message"
        return SensorState(Verdict.TWO_PUBLISHERS, reason, "let one driver alone send on its topic", True)

    def _level(self, short: Window) -> SensorState | None:
        blocks = [self.windows.blocks[-1 - index] for index in range(SHORT)]
        longest = math.sqrt(max(block.longest for block in blocks))
        if longest < MAX_WEIGHTLESS_MPS2:
            return self._weightless(short)
        if math.sqrt(min(block.shortest for block in blocks)) > MIN_HUGE_MPS2:
            return _huge(short.mean_length)
        if short.deviation < MIN_NOISE_MPS2:
            reason = f"hardly changes (by {short.deviation:.4f} m/s²), less than the noise of a sensor on a body"
            return SensorState(Verdict.FROZEN, reason, "switch it off and on again, or restart its driver", True)
        return None

    def _weightless(self, window: Window) -> SensorState:
        longer = self.windows.window(min(len(self.windows.blocks), LONG)) or window
        for seen in (window, longer):
            if IN_G[0] <= seen.gravity <= IN_G[1] and seen.gravity > 0.7 * seen.mean_length:
                reason = f"measures a gravity of {seen.gravity:.2f} instead of 9.81 m/s², as if in g"
                return SensorState(Verdict.OTHER_UNITS, reason, UNIT_REMEDY, True)
        return _without_gravity(window)

    def _slow_level(self) -> SensorState | None:
        window = self.windows.window(LONG)
        if window is None:
            return None
        varies = window.length_deviation > MIN_LENGTH_VARIATION * window.mean_length
        if window.mean_length < MIN_MEAN_LENGTH_MPS2 or (window.gravity < MIN_GRAVITY_MPS2 and varies):
            return _without_gravity(window)
        lowest, highest = QUIET_GRAVITY_MPS2
        if window.deviation < QUIET_MPS2 and not lowest <= window.gravity <= highest:
            reason = f"measures a gravity of {window.gravity:.1f} instead of 9.81 m/s²"
            return SensorState(Verdict.IMPLAUSIBLE, reason, "calibrate or replace it", True)
        return None

    def _negated(self, instant: int) -> SensorState | None:
        if self._before is not None:
            return self._still_negated(instant, self._before)
        turn = self._turned(HALF, HALF, HALF) or self._turned(3, SHORT, SHORT)
        if turn is None:
            return None
        before, after = turn
        self._before, self._negated_until = before, instant + round(NEGATED_S * SECOND)
        return _negated_axes(before, after)

    def _turned(self, blocks: int, skipped: int, earlier: int) -> tuple[Vector, Vector] | None:
        """Return gravity before and after it turned over in one step; None = it did not."""
        after, before = self.windows.window(blocks), self.windows.window(earlier, skipped)
        if after is None or before is None or min(after.gravity, before.gravity) < MIN_GRAVITY_MPS2:
            return None
        if blocks < HALF and max(after.deviation, before.deviation) > QUIET_TURN_MPS2:
            return None
        if _dot(after.mean, before.mean) > MIN_TURN * after.gravity * before.gravity:
            return None
        change = math.dist(after.mean, before.mean)
        steps = [self.windows.blocks[-1 - index].largest_step for index in range(blocks + skipped)]
        return (before.mean, after.mean) if math.sqrt(max(steps)) > MIN_TURN_STEP * change else None

    def _still_negated(self, instant: int, before: Vector) -> SensorState | None:
        window = self.windows.window(SHORT)
        if window and instant < self._negated_until:
            size = window.gravity * math.hypot(*before)
            if _dot(window.mean, before) < 0.3 * size:
                return self._found or _negated_axes(before, window.mean)
        self._before = None
        self.windows.keep(0)
        return None


def _huge(length: float) -> SensorState:
    unit = "mg" if length > IN_MILLI_G else "another unit"
    reason = f"measures {length:.0f} m/s² on average, as if in {unit}"
    return SensorState(Verdict.OTHER_UNITS, reason, UNIT_REMEDY, True)


def _without_gravity(window: Window) -> SensorState:
    reason = f"measures a gravity of {window.gravity:.1f} instead of 9.81 m/s², as if its driver removed it"
    return SensorState(Verdict.IMPLAUSIBLE, reason, "have its driver send accelerations with gravity (REP 145)", True)


def _negated_axes(before: Vector, after: Vector) -> SensorState:
    axes = [name for name, a, b in zip("xyz", before, after, strict=True) if a * b < 0.0 and abs(a - b) > 3.0]
    reason = f"turned over from one message to the next: {' and '.join(axes) or 'an axis'} changed sign"
    return SensorState(Verdict.IMPLAUSIBLE, reason, "check the signs of its axes in its driver, and restart it", True)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
