"""EMG envelope: the rectified and smoothed muscle signal that the model estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import FloatArray

MIN_DURATION_S = 2.0  # below, the filters' edges would be all of the envelope


@dataclass(frozen=True)
class EnvelopeSettings:
    """How raw EMG becomes an envelope.

    Attributes:
        high_pass: corner [Hz] below which movement artefacts are removed before rectifying.
        low_pass: corner [Hz] of the smoothing after rectifying.
        order: order of each Butterworth filter; applied forwards and backwards, so without delay.
    """

    high_pass: float = 8.0
    low_pass: float = 4.0
    order: int = 2

    def __post_init__(self) -> None:
        if not (0 < self.high_pass < np.inf and 0 < self.low_pass < np.inf and 1 <= self.order <= 8):
            raise InputError(f"envelope of {self} cannot be made; corners must be positive, the order 1 to 8")


def emg_envelope(raw: FloatArray, rate: float, settings: EnvelopeSettings) -> FloatArray:
    """Compute the linear envelope of raw EMG: high-pass, full-wave rectification, low-pass, without delay.

    Args:
        raw: [samples, channels] in any unit; NaN gaps are bridged by the channel's median and stay NaN in the result.
        rate: sampling rate [Hz], more than twice the higher corner.

    Returns:
        [samples, channels], same unit as ``raw``, never negative.

    Source: the usual linear envelope of the field (SENIAM; Hermens et al. 2000,
    doi 10.1016/S1050-6411(00)00027-4), corners for coarsely sampled EMG.
    """
    from scipy.signal import butter, sosfiltfilt  # here: the live path needs the settings alone

    slowest = 2 * max(settings.high_pass, settings.low_pass)
    if rate <= slowest:
        raise InputError(f"raw EMG at {rate:g} Hz is too slow: more than {slowest:g} Hz is needed")
    if len(raw) < MIN_DURATION_S * rate:
        raise InputError(f"raw EMG of {len(raw) / rate:.1f} s is too short: at least {MIN_DURATION_S:g} s is needed")
    missing = ~np.isfinite(raw)
    bridged = bridge_gaps(raw)
    high = butter(settings.order, settings.high_pass, "highpass", fs=rate, output="sos")
    low = butter(settings.order, settings.low_pass, "lowpass", fs=rate, output="sos")
    rectified = np.abs(sosfiltfilt(high, bridged, axis=0))
    envelope = np.maximum(sosfiltfilt(low, rectified, axis=0), 0.0)
    return np.where(missing, np.nan, envelope)


def bridge_gaps(raw: FloatArray) -> FloatArray:
    """Replace NaN in raw EMG [samples, channels] by the channel's median, so that it can be filtered."""
    return np.where(np.isfinite(raw), raw, _channel_median(raw))


def varies(channel: FloatArray) -> bool:
    """Whether a channel [samples] changes at all; one that is constant measured nothing."""
    known = channel[np.isfinite(channel)]
    return len(known) > 0 and float(np.ptp(known)) > 1e-6 * float(np.abs(known).max())


def check_one_kind(kinds: Sequence[tuple[str, str]]) -> None:
    """Raise InputError where some recordings, by name, have raw EMG and others envelopes, whose amplitudes differ."""
    first = {kind: name for name, kind in reversed(kinds)}
    if len(first) > 1:
        named = " and ".join(f"{kind} in {name}" for kind, name in sorted(first.items()))
        raise InputError(f"EMG is of two kinds, {named}; use one kind for all recordings")


def _channel_median(raw: FloatArray) -> FloatArray:
    known = np.isfinite(raw).any(axis=0)
    median = np.zeros(raw.shape[1])
    median[known] = np.nanmedian(raw[:, known], axis=0)
    return median
