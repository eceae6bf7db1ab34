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
# In half a second, of which one must be in the newest 0.2 s: changes of the unit (2 twice, 1 33 times in 45 hours of
# sensors), and large steps that take each other back (5).
CHANGES, RETURNS = 2, 8
REMEDY = "let one driver alone send on its topic"


def mixed_sources(short: Window, half: Window | None) -> SensorState | None:
    """Judge the newest 0.2 s and half second of one sensor's acceleration; return what is wrong, None = nothing."""
    return _in_turns(short) or (_now_and_then(short, half) if half else None)


def _now_and_then(short: Window, half: Window) -> SensorState | None:
    """Recognise sources that mix in any order, as long as they do."""
    if short.unit_changes and half.unit_changes >= CHANGES:
        return _in_two_units(half.unit_changes, "0.5")
    if not short.returns or half.returns < RETURNS:
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
