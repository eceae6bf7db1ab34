"""Samples of two sources on one topic: two drivers, or one that changes its unit or its signs from message to message.

The limits lie beyond what HuGaDB holds (all 13 subjects, those sensors aside that are at fault in it); HuGaDB's most
extreme window stands in brackets.
"""

from __future__ import annotations

from imu_emg_estimator.signals.sample_windows import Window
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

MIN_JUMPS = 0.45  # of the length, a share of the samples of 0.2 s, where nearly all jump (0.42 at 60 and 100 Hz)
MIN_STEP_MPS2 = 2.0  # root mean square, of samples that go back and forth
MAX_RETURN = 0.04  # of the squared step, by which every other sample differs (0.02, once)
# In half a second, and how many are left while it goes on: changes of the unit (2 twice, 1 33 times in 45 hours of
# sensors), and large steps that take each other back (5).
CHANGES, CHANGES_LEFT = 2, 1
RETURNS, RETURNS_LEFT = 8, 3
REMEDY = "let one driver alone send on its topic"


class MixedSources:
    """Recognises the samples of two sources by the windows of one sensor's acceleration."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget that there were two."""
        self._goes_on = False

    def judge(self, short: Window, half: Window | None) -> SensorState | None:
        """Judge the newest 0.2 s and half second; return what is wrong, None = nothing."""
        found = _in_turns(short) or (self._now_and_then(half) if half else None)
        self._goes_on = found is not None
        return found

    def _now_and_then(self, half: Window) -> SensorState | None:
        if half.unit_changes >= (CHANGES_LEFT if self._goes_on else CHANGES):
            return _in_two_units(half.unit_changes, "0.5")
        if half.returns < (RETURNS_LEFT if self._goes_on else RETURNS):
            return None
        reason = f"leaps between two accelerations, {half.returns} times back and forth in 0.5 s"
        return SensorState(Verdict.TWO_PUBLISHERS, reason, REMEDY, True)


def _in_turns(short: Window) -> SensorState | None:
    """Recognise sources that alternate from sample to sample."""
    if short.jumps >= MIN_JUMPS * short.samples:
        return _in_two_units(short.jumps, "0.2")
    if short.steps < short.samples * MIN_STEP_MPS2**2 or short.double_steps > MAX_RETURN * short.steps:
        return None
    return SensorState(
        Verdict.TWO_PUBLISHERS, "alternates between two accelerations from message to message", REMEDY, True
    )


def _in_two_units(jumps: int, seconds: str) -> SensorState:
    reason = f"changes its size from message to message, {jumps} times in {seconds} s, as if in two units"
    return SensorState(Verdict.OTHER_UNITS, reason, REMEDY, True)
