"""Gravity as the acceleration of a recording shows it: exactly at rest, within bounds where a limb never rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imu_emg_estimator.recording import FloatArray

REST_WINDOW_S = 0.5  # limbs that turn at once rest no longer
MAX_REST_SHARE = 0.05  # standard deviation there, of all axes together, of the mean length, whatever the unit
MIN_REST_WINDOWS = 3
MOVING_WINDOW_S = 2.0  # over which what a movement adds to gravity averages out


class Gravity(NamedTuple):
    """Gravity, a median over windows of half a second of rest, or of two seconds where there is too little rest.

    A limb that moves adds to gravity what averages out, and turns: the mean vector is shorter than gravity, the mean
    length is not.

    Attributes:
        length: of the mean acceleration [m/s²].
        quiet: whether it was seen at rest.
        level: mean length of the acceleration [m/s²].
    """

    length: float
    quiet: bool
    level: float


def gravity_of(parts: Sequence[FloatArray], rate: float) -> Gravity:
    """Measure gravity in the accelerations [samples, 3] of a sensor; NaN where all are too short or have gaps."""
    windows = _windows(parts, round(REST_WINDOW_S * rate))
    resting = [window for window in windows if _rests(window)]
    quiet = len(resting) >= MIN_REST_WINDOWS
    if not quiet:
        windows = _windows(parts, round(MOVING_WINDOW_S * rate)) or list(parts)
    chosen = resting if quiet else [window for window in windows if np.isfinite(window).all()]
    if not chosen:
        return Gravity(float("nan"), False, float("nan"))
    length = np.median([np.linalg.norm(window.mean(axis=0)) for window in chosen])
    return Gravity(float(length), quiet, float(np.median([np.linalg.norm(own, axis=1).mean() for own in chosen])))


def _windows(parts: Sequence[FloatArray], length: int) -> list[FloatArray]:
    return [part[start : start + length] for part in parts for start in range(0, len(part) - length + 1, length)]


def _rests(window: FloatArray) -> bool:
    deviation = np.sqrt(window.var(axis=0).sum())
    return bool(deviation < MAX_REST_SHARE * np.linalg.norm(window, axis=1).mean())  # false for NaN
