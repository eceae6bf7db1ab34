"""Powerline interference in raw EMG: detection at 50 or 60 Hz, and removal with its harmonics by notch filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.recording import FloatArray

MAINS_HZ = (50.0, 60.0)
MAX_DEVIATION_HZ = 1.0  # of the mains and the amplifier's clock together
LINE_HZ = 0.6  # half width of a line in the spectrum
NEIGHBOURHOOD_HZ = 6.0  # half width of the band in which the spectrum should be even
NOTCH_HZ = 2.0  # width of a notch, at -6 dB
MIN_RATIO, MIN_HARMONIC_RATIO = 12.0, 6.0  # power at the line over that around it
MIN_SHARE = 0.01  # of the power above MIN_FREQUENCY_HZ; less does not matter
MIN_FREQUENCY_HZ = 8.0  # below lie movement artefacts
MAX_FREQUENCY = 0.95  # of half the sampling rate
MAX_HARMONICS = 20
SEGMENT_S = 4.0  # of one spectrum
MAX_SEGMENTS = 60  # spread over the recording


@dataclass(frozen=True)
class Powerline:
    """Powerline interference of one channel.

    Attributes:
        frequency: of the mains, as measured [Hz].
        lines: frequencies that stand out [Hz], the mains and its harmonics.
        share: of the power above 8 Hz that they hold.
    """

    frequency: float
    lines: tuple[float, ...]
    share: float


def powerline_can_be_found(rate: float) -> bool:
    """Whether EMG of a rate [Hz] shows the powerline where it is; slower EMG folds it onto the muscle's frequencies."""
    return rate * MAX_FREQUENCY / 2 > min(MAINS_HZ) + NEIGHBOURHOOD_HZ


def find_powerline(raw: FloatArray, rate: float) -> list[Powerline | None]:
    """Find the powerline interference of every channel.

    A line must stand out of its neighbourhood in the median of many spectra, so that bursts are not mistaken for one.

    Args:
        raw: [samples, channels]; NaN = not available.
        rate: sampling rate [Hz].

    Returns:
        One entry a channel; None = no powerline, or sampled too slowly to find it.
    """
    if not powerline_can_be_found(rate) or len(raw) < SEGMENT_S * rate:
        return [None] * raw.shape[1]
    return [_powerline(*_spectrum(channel, rate)) for channel in raw.T]


def remove_powerline(channel: FloatArray, rate: float, powerline: Powerline | None) -> FloatArray:
    """Remove the lines of the powerline from one channel [samples] without NaN, without delay."""
    if powerline is None:
        return channel
    from scipy.signal import iirnotch, sosfiltfilt, tf2sos  # takes a second to import where processors are busy

    sections = [tf2sos(*iirnotch(line, line / NOTCH_HZ, fs=rate)) for line in powerline.lines]
    return np.asarray(sosfiltfilt(np.concatenate(sections), channel))


def _spectrum(channel: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Return frequencies [Hz] and the median power spectrum of stretches of a channel."""
    length = round(SEGMENT_S * rate)
    starts = np.unique(np.linspace(0, len(channel) - length, MAX_SEGMENTS).astype(int))
    window = np.hanning(length)
    powers = []
    for start in starts:
        stretch = np.asarray(channel[start : start + length], dtype=np.float64)
        known = np.isfinite(stretch)
        if known.mean() > 0.9:
            stretch = np.where(known, stretch - stretch[known].mean(), 0.0)
            powers.append(np.abs(np.fft.rfft(stretch * window)) ** 2)
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    return frequencies, np.median(powers, axis=0) if powers else np.zeros(len(frequencies))


def _powerline(frequencies: FloatArray, power: FloatArray) -> Powerline | None:
    total = float(power[frequencies >= MIN_FREQUENCY_HZ].sum())
    if not total:
        return None
    highest = MAX_FREQUENCY * frequencies[-1]
    mains = [
        _line(frequencies, power, nominal, MAX_DEVIATION_HZ)
        for nominal in MAINS_HZ
        if nominal + NEIGHBOURHOOD_HZ < highest
    ]
    frequency, ratio, _ = max(mains, key=lambda line: line[1])
    if ratio < MIN_RATIO:
        return None
    lines = []
    for harmonic in range(1, MAX_HARMONICS + 1):
        if harmonic * frequency + NEIGHBOURHOOD_HZ < highest:
            line = _line(frequencies, power, harmonic * frequency, LINE_HZ)
            if harmonic == 1 or line[1] >= MIN_HARMONIC_RATIO:
                lines.append((harmonic * frequency, line[2]))
    share = sum(excess for _, excess in lines) / total
    return Powerline(frequency, tuple(line for line, _ in lines), share) if share >= MIN_SHARE else None


def _line(frequencies: FloatArray, power: FloatArray, nominal: float, wander: float) -> tuple[float, float, float]:
    """Return frequency [Hz] of the highest power near a nominal one, its ratio to the floor, and the line's power."""
    away = np.abs(frequencies - nominal)
    near = np.flatnonzero(away <= wander)
    peak = near[np.argmax(power[near])]
    distance = np.abs(frequencies - frequencies[peak])
    floor = float(np.median(power[(distance > 2 * LINE_HZ) & (distance <= NEIGHBOURHOOD_HZ)]))
    line = distance <= LINE_HZ
    centre = float(np.average(frequencies[line], weights=power[line])) if power[line].any() else nominal
    ratio = float(power[peak]) / floor if floor > 0 else np.inf
    return centre, ratio, float(np.maximum(power[line] - floor, 0).sum())
