"""How much later one file's clock began than another's, from what both recorded: pulses, or movement and EMG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from imu_emg_estimator.imports.channel_names import ACC, ENVELOPE, RAW_EMG, TRIGGER, meaning_of
from imu_emg_estimator.imports.channels import Array, Channel, Take

GRID_HZ = 100.0
SMOOTHING_S = 0.1
MIN_SHARE = 0.5  # of the shorter file that must overlap at a lag
LOBE_S = 1.0  # around the best lag that belongs to it
MAX_DRIFT = 0.01  # of one clock against the other
MIN_DRIFTING_PULSES = 4
MAX_PULSES = 1000
PULSE_TOLERANCE_S = 0.02


@dataclass(frozen=True)
class Lag:
    """What must be added to the second file's instants [s] to be on the first one's clock, and how sure that is.

    Attributes:
        seconds: to add.
        best: correlation there.
        next_best: the highest correlation elsewhere.
    """

    seconds: float
    best: float
    next_best: float

    @property
    def is_clear(self) -> bool:
        """Whether both files agree there, and nowhere else as well."""
        return self.best >= 0.3 and self.best - max(self.next_best, 0.0) >= 0.1


@dataclass(frozen=True)
class PulseFit:
    """How pulses of a trigger in two files coincide: ``seconds`` + ``rate`` x the second file's instants; how many."""

    seconds: float
    count: int
    rate: float = 1.0


def lag_by_pulses(first: Take, second: Take) -> PulseFit | None:
    """Return how pulses of a trigger in both files coincide.

    None without pulses that fit, and where they fit at several lags: an even rhythm of which one file has fewer.
    """
    ours, theirs = _pulses(first), _pulses(second)
    if not len(ours) or not len(theirs):
        return None
    candidates = (
        (ours[:, None] - theirs[None, :]).ravel() if len(ours) * len(theirs) <= 10_000 else ours[:9] - theirs[0]
    )
    counts = [int((np.abs(theirs[:, None] + lag - ours).min(axis=1) < PULSE_TOLERANCE_S).sum()) for lag in candidates]
    best = int(np.argmax(counts))
    if counts[best] < min(len(ours), len(theirs)):
        return _drifting(ours, theirs)
    alike = candidates[np.array(counts) == counts[best]]
    if np.ptp(alike) > 2 * PULSE_TOLERANCE_S:
        return None
    apart = ours - theirs[:, None]
    lags = apart[np.arange(len(theirs)), np.abs(apart - candidates[best]).argmin(axis=1)]
    return PulseFit(float(np.median(lags[np.abs(lags - candidates[best]) < PULSE_TOLERANCE_S])), counts[best])


def _drifting(ours: Array, theirs: Array) -> PulseFit | None:
    """Return how as many pulses of two clocks that drift apart coincide; None where they do not."""
    if len(ours) != len(theirs) or len(ours) < MIN_DRIFTING_PULSES:
        return None
    rate, seconds = np.polyfit(theirs, ours, 1)
    fits = abs(rate - 1) < MAX_DRIFT and np.abs(rate * theirs + seconds - ours).max() < PULSE_TOLERANCE_S
    return PulseFit(float(seconds), len(ours), float(rate)) if fits else None


def _pulses(take: Take) -> Array:
    """Return the instants [s] at which the first channel of a trigger rises."""
    for channel in take.channels:
        if TRIGGER.search(channel.name):
            values = np.nan_to_num(channel.values)
            middle = (values.min() + values.max()) / 2
            rises = np.flatnonzero((values[1:] > middle) & (values[:-1] <= middle)) + 1
            if values.max() > values.min() and 0 < len(rises) <= MAX_PULSES:
                return np.asarray(channel.times[rises])
    return np.empty(0)


def lag_by_correlation(first: Take, second: Take) -> Lag | None:
    """Return the lag at which movement and EMG, or two accelerometers, agree best; None where a file has neither."""
    kinds = [kind for kind in (ACC, RAW_EMG) if _intensity(first, kind) and _intensity(second, kind)]
    pairs = [(kinds[0], kinds[0])] if kinds else [(ACC, RAW_EMG), (RAW_EMG, ACC)]
    for ours, theirs in pairs:
        one, other = _intensity(first, ours), _intensity(second, theirs)
        if one and other:
            return _best_lag(*one, *other)
    return None


def _intensity(take: Take, kind: str) -> tuple[float, Array] | None:
    """Return the first instant [s] and how much is going on from there, on a grid: of accelerometers, or of EMG."""
    wanted = (RAW_EMG, ENVELOPE) if kind == RAW_EMG else (ACC,)
    channels = [channel for channel in take.channels if (found := meaning_of(channel)) and found.kind in wanted]
    if not channels:
        return None
    start = max(float(channel.times[0]) for channel in channels)
    stop = min(float(channel.times[-1]) for channel in channels)
    grid = start + np.arange(max(int((stop - start) * GRID_HZ), 2)) / GRID_HZ
    total = sum((_changes(channel, grid) for channel in channels), np.zeros(len(grid)))
    return start, total


def _changes(channel: Channel, grid: Array) -> Array:
    """Return the size of a channel's changes, smoothed, on a grid, in units of its own spread."""
    known = np.isfinite(channel.values)
    steps = np.abs(np.diff(channel.values[known], prepend=channel.values[known][:1]))
    times = channel.times[known]
    width = max(round(SMOOTHING_S * (len(times) - 1) / (times[-1] - times[0])), 1)
    smooth = np.convolve(steps, np.full(width, 1.0 / width), mode="same")
    spread = float(smooth.std())
    result: Array = np.interp(grid, times, smooth / spread if spread else smooth)
    return result


def _best_lag(our_start: float, ours: Array, their_start: float, theirs: Array) -> Lag:
    correlation, lags = _correlations(ours, theirs)
    best = int(np.argmax(correlation))
    elsewhere = np.abs(lags - lags[best]) > LOBE_S * GRID_HZ
    next_best = float(correlation[elsewhere].max()) if elsewhere.any() else 0.0
    seconds = our_start - their_start + float(lags[best]) / GRID_HZ
    return Lag(seconds, float(correlation[best]), next_best)


def _correlations(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Return the correlation of two series at every lag [samples] of the second at which enough of them overlaps."""
    from scipy.signal import correlate, correlation_lags

    sums = partial(correlate, method="fft")
    ones, others = np.ones(len(ours)), np.ones(len(theirs))
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    count = np.maximum(sums(ones, others), 1.0)
    mean_ours, mean_theirs = sums(ours, others) / count, sums(ones, theirs) / count
    covariance = sums(ours, theirs) / count - mean_ours * mean_theirs
    variance = (sums(ours**2, others) / count - mean_ours**2) * (sums(ones, theirs**2) / count - mean_theirs**2)
    enough = count >= MIN_SHARE * min(len(ours), len(theirs))
    result: Array = np.where(enough, covariance / np.sqrt(np.maximum(variance, 1e-12)), -1.0)
    return result, correlation_lags(len(ours), len(theirs)).astype(np.float64)
