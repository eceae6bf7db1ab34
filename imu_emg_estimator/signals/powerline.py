"""powerline interference in raw EMG: found by itself at 50 or 60 Hz, and notched out with its harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import iirnotch, sosfiltfilt, tf2sos

FloatArray = NDArray[np.floating]

MAINS = (50.0, 60.0)  # Hz
WANDER = 1.0  # Hz that the mains and an amplifier's clock may be off together
LINE = 0.6  # Hz on either side that a line takes up in the spectrum
AROUND = 6.0  # Hz on either side within which the spectrum should be even
BAND = 2.0  # Hz that a notch takes out, at -6 dB
STANDS_OUT, HARMONIC_STANDS_OUT = 12.0, 6.0  # power at the line over that around it
MIN_SHARE = 0.01  # of the power above LOWEST; less does not matter
LOWEST = 8.0  # Hz; below lie movement artefacts
HIGHEST = 0.95  # of half the sampling rate
HARMONICS = 20
SEGMENT = 4.0  # s of one spectrum
SEGMENTS = 60  # spectra at most, spread over the recording


@dataclass(frozen=True)
class Powerline:
    """powerline interference of one channel.

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
    return rate * HIGHEST / 2 > min(MAINS) + AROUND


def find_powerline(raw: FloatArray, rate: float) -> list[Powerline | None]:
    """Find the powerline interference of every channel.

    A line must stand out of its neighbourhood in the median of many spectra, so that a burst makes none.

    Args:
        raw: [samples, channels]; NaN = not available.
        rate: sampling rate [Hz].

    Returns:
        One entry a channel; None = no powerline, or too slowly sampled to tell.
    """
    if not powerline_can_be_found(rate) or len(raw) < SEGMENT * rate:
        return [None] * raw.shape[1]
    return [_powerline(*_spectrum(channel, rate)) for channel in raw.T]


def remove_powerline(channel: FloatArray, rate: float, powerline: Powerline | None) -> FloatArray:
    """One channel [samples] without the lines of its powerline, without delay; must not hold NaN."""
    if powerline is None:
        return channel
    sections = [tf2sos(*iirnotch(line, line / BAND, fs=rate)) for line in powerline.lines]
    return np.asarray(sosfiltfilt(np.concatenate(sections), channel))


def _spectrum(channel: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Frequencies [Hz] and the median power spectrum of stretches of a channel."""
    length = round(SEGMENT * rate)
    starts = np.unique(np.linspace(0, len(channel) - length, SEGMENTS).astype(int))
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
    total = float(power[frequencies >= LOWEST].sum())
    if not total:
        return None
    highest = HIGHEST * frequencies[-1]
    mains = [_line(frequencies, power, nominal, WANDER) for nominal in MAINS if nominal + AROUND < highest]
    frequency, ratio, _ = max(mains, key=lambda line: line[1])
    if ratio < STANDS_OUT:
        return None
    lines = []
    for harmonic in range(1, HARMONICS + 1):
        if harmonic * frequency + AROUND < highest:
            line = _line(frequencies, power, harmonic * frequency, LINE)
            if harmonic == 1 or line[1] >= HARMONIC_STANDS_OUT:
                lines.append((harmonic * frequency, line[2]))
    share = sum(excess for _, excess in lines) / total
    return Powerline(frequency, tuple(line for line, _ in lines), share) if share >= MIN_SHARE else None


def _line(frequencies: FloatArray, power: FloatArray, nominal: float, wander: float) -> tuple[float, float, float]:
    """Frequency [Hz] of the highest power near a nominal one, how it stands out, and the power of the line."""
    away = np.abs(frequencies - nominal)
    near = np.flatnonzero(away <= wander)
    peak = near[np.argmax(power[near])]
    distance = np.abs(frequencies - frequencies[peak])
    floor = float(np.median(power[(distance > 2 * LINE) & (distance <= AROUND)]))
    line = distance <= LINE
    centre = float(np.average(frequencies[line], weights=power[line])) if power[line].any() else nominal
    ratio = float(power[peak]) / floor if floor > 0 else np.inf
    return centre, ratio, float(np.maximum(power[line] - floor, 0).sum())
