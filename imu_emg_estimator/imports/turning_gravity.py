"""What gravity says of the unit of angular rates: it turns in a sensor as fast as the sensor turns."""

from __future__ import annotations

import numpy as np

from imu_emg_estimator.imports.channels import Array

WINDOW_S = 0.5  # over which the change of gravity is compared with the angular rates
MIN_CHANGE_MPS2 = 1.0  # root mean square over a window, that gravity must turn by
MIN_AGREEMENT = 0.7  # Pearson's r of the change of gravity and what the angular rates say of it
MIN_RATIO = 20.0  # deg/s and rad/s differ by 57


def wrong_rate_unit(times: Array, imu: Array) -> str:
    """Return the unit that angular rates are in if it is not rad/s: ``rad/s`` of values that were taken for deg/s.

    Args:
        times: instants [samples] in s.
        imu: [samples, 6] in m/s² and rad/s, by the unit that is stated; NaN = not available.

    Returns:
        ``rad/s`` where gravity turns far faster than the rates say, ``deg/s`` where far slower, '' where they agree
        or nothing is clear.
    """
    known = np.isfinite(imu).all(axis=1)
    times, acceleration, rates = times[known], imu[known, :3], imu[known, 3:]
    if len(times) < 2 or times[-1] - times[0] < 4 * WINDOW_S:
        return ""
    length = max(round(WINDOW_S / float(np.median(np.diff(times)))), 1)
    smooth = _running_mean(acceleration, length)
    changes = smooth[length:] - smooth[:-length]
    turns = _running_mean(np.cross(acceleration, rates).astype(np.float64), length) * WINDOW_S
    said = _running_mean(turns, length)[: len(changes)]
    changes = changes[: len(said)]
    power = float((said**2).sum())
    if power == 0.0 or np.sqrt((changes**2).sum(axis=1).mean()) < MIN_CHANGE_MPS2:
        return ""
    common = abs(float((changes * said).sum()))
    if common / np.sqrt(power * float((changes**2).sum())) < MIN_AGREEMENT:
        return ""
    ratio = common / power
    return "rad/s" if ratio > MIN_RATIO else "deg/s" if ratio < 1 / MIN_RATIO else ""


def _running_mean(values: Array, length: int) -> Array:
    """Return the means of so many samples in a row, [samples - length + 1, ...]."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    means: Array = (sums[length:] - sums[:-length]) / length
    return means
