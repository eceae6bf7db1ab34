"""Rows of a table at uneven instants, brought onto the regular grid of a rig.

Instants are in seconds; gaps become NaN and are never filled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags import MAX_BRIDGED_S, MAX_DURATION_S
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.emg_envelope import MIN_DURATION_S, EnvelopeSettings, emg_envelope, varies
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

Array = NDArray[np.float64]

MAX_IMU_GAP_S = AlignmentSettings().largest_gap  # as in the live node, IMU data are not interpolated over more
SLACK_S = 1e-6  # instants in files are rounded


def sample_rate(path: Path, times: Array, column: str) -> float:
    """Return the rate [Hz] of increasing instants [rows] [s] from their median distance."""
    if not np.isfinite(times).all():
        raise InputError(f"{path}: column '{column}' has an empty cell; give every row its instant")
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise InputError(
            f"{path}: column '{column}' does not increase from {times[row - 1]:.10g} to {times[row]:.10g} s "
            f"(row {row + 1} of the data); sort the rows, and split the file where its clock restarts"
        )
    return float(f"{1.0 / np.median(steps):.6g}")


def grid_of(path: Path, times: Array, rate: float) -> Array:
    """Return the instants [samples] of a grid of this rate [Hz] from the first to the last of ``times`` [s]."""
    duration = float(times[-1] - times[0])
    if duration > MAX_DURATION_S:
        raise InputError(
            f"{path} covers {duration / 3600:.1f} h, more than {MAX_DURATION_S / 3600:g} h; give instants in seconds, "
            "or split the file"
        )
    if duration < MIN_DURATION_S:
        raise InputError(
            f"{path} covers {duration:.3g} s, at least {MIN_DURATION_S:g} s are needed; give instants in seconds, "
            "or remove the file"
        )
    grid: Array = times[0] + np.arange(int(duration * rate + SLACK_S) + 1) / rate
    return grid


def interpolate(times: Array, values: FloatArray, grid: Array, max_gap_s: float) -> Array:
    """Interpolate columns [rows, columns] linearly to a grid [samples], as ``GridAligner`` does live.

    A NaN is a sample that was not taken. The result is NaN outside of a column's first and last sample, and
    between two samples further apart than the gap [s].
    """
    result = np.full((len(grid), values.shape[1]), np.nan)
    for column, result_column in zip(values.T, result.T, strict=True):
        known = np.isfinite(column)
        if not known.any():
            continue
        own = times[known]
        after = np.clip(np.searchsorted(own, grid - SLACK_S), 0, len(own) - 1)
        before = np.clip(np.searchsorted(own, grid + SLACK_S, side="right") - 1, 0, len(own) - 1)
        covered = (own[0] <= grid + SLACK_S) & (grid - SLACK_S <= own[-1])
        covered &= own[after] - own[before] <= max_gap_s + SLACK_S
        result_column[covered] = np.interp(grid[covered], own, column[known])
    return result


def resample_emg(path: Path, times: Array, values: Array, grid: Array, column: str) -> tuple[Array, float]:
    """Resample EMG columns [rows, columns] to an even time base of their own rate; returns them and that rate [Hz].

    Filters need evenly spaced samples. The time base begins with the rig's grid, as a Recording's raw EMG must.
    """
    rate = sample_rate(path, times, column)
    base = grid[0] + np.arange(int((grid[-1] - grid[0]) * rate + SLACK_S) + 1) / rate
    return interpolate(times, values, base, max_emg_gap(rate)), rate


def max_emg_gap(rate: float) -> float:
    """Return the longest gap [s] over which EMG of this rate [Hz] is interpolated."""
    return max(1.5 / rate, MAX_BRIDGED_S)


def envelope_on_grid(path: Path, raw: Array, rate: float, grid: Array, settings: EnvelopeSettings) -> Array:
    """Return the envelope [samples, muscles] on the grid of evenly sampled raw EMG [rows, muscles] that begins with it.

    A channel that never changes measured nothing: NaN, and not the noise that a filter makes of a constant.
    """
    alive = np.array([varies(channel) for channel in raw.T])
    try:
        envelope = emg_envelope(np.where(alive, raw, np.nan), rate, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return np.maximum(interpolate(grid[0] + np.arange(len(raw)) / rate, envelope, grid, max_emg_gap(rate)), 0.0)


def check_overlap(path: Path, envelope: Array, rate: float) -> None:
    """Raise InputError where EMG [samples, muscles] is known for less of the grid than a filter needs."""
    seconds = np.isfinite(envelope).any(axis=1).sum() / rate
    if seconds < MIN_DURATION_S:
        raise InputError(
            f"{path} holds {seconds:.1f} s in which IMU and EMG data overlap; "
            f"at least {MIN_DURATION_S:g} s are needed, by the same clock"
        )


def latest_value(times: Array, values: NDArray[Any], grid: Array, otherwise: Any) -> NDArray[Any]:
    """Return the value [samples] that was set last at each instant of the grid; ``otherwise`` before the first."""
    index = np.searchsorted(times, grid + SLACK_S, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], otherwise)
