"""Measured and estimated envelopes of a typical stretch, in few numbers, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import interval_multiples
from imu_emg_estimator.recording import FloatArray

SHOWN_S = 12.0
CURVE_RATE_HZ = 20.0  # envelopes hold nothing above half of it
LEVEL = 0.9  # of the interval
DIGITS = 4


@dataclass(frozen=True)
class MuscleCurves:
    """Envelopes of one muscle [samples]; NaN = not known.

    Attributes:
        measured: the EMG; empty = there was none.
        estimate: from the IMUs.
        half_width: of the interval around the estimate.
        before: the estimate before the calibration; empty = there was none, or in another unit.
        inside: share of all measured samples, not only of these, that lie in the interval.
    """

    measured: tuple[float, ...]
    estimate: tuple[float, ...]
    half_width: tuple[float, ...]
    before: tuple[float, ...] = ()
    inside: float = float("nan")


@dataclass(frozen=True)
class EnvelopeCurves:
    """A stretch of envelopes.

    Attributes:
        start: of the stretch in what was recorded [s].
        rate: of the curves [Hz].
        unit: of the envelopes.
        level: share of measured values that the interval should hold.
        muscles: curves by name.
    """

    start: float
    rate: float
    unit: str
    level: float
    muscles: Mapping[str, MuscleCurves]


@dataclass(frozen=True)
class Envelopes:
    """Envelopes [samples, muscles] of everything that was recorded; NaN = not known.

    Attributes:
        measured: the EMG.
        estimate: from the IMUs.
        half_width: of the interval around it, see ``interval_half_width``.
        before: the estimate before the calibration; None = there was none.
    """

    measured: FloatArray
    estimate: FloatArray
    half_width: FloatArray
    before: FloatArray | None = None

    def inside(self) -> FloatArray:
        """Return the shares [muscles] of the measured samples that lie in the interval; NaN = none was measured."""
        known = np.isfinite(self.measured) & np.isfinite(self.estimate)
        hit = known & (np.abs(self.measured - self.estimate) <= self.half_width)
        count = known.sum(axis=0)
        return np.where(count > 0, hit.sum(axis=0) / np.maximum(count, 1), np.nan)


def curves_of(envelopes: Envelopes, names: Sequence[str], rate: float, unit: str) -> EnvelopeCurves:
    """Cut out a typical stretch, thin it out and round it; muscles without any EMG are left out where others have some.

    Args:
        names: of the muscles.
        rate: of the envelopes [Hz].
        unit: of the envelopes.
    """
    has_emg = np.asarray(np.isfinite(envelopes.measured).any(axis=0))
    step = max(1, int(rate / CURVE_RATE_HZ))
    start, stop = typical_stretch(envelopes.measured, envelopes.estimate, round(SHOWN_S * rate))

    def thin(values: FloatArray | None, muscle: int) -> tuple[float, ...]:
        if values is None or not np.isfinite(values[:, muscle]).any():
            return ()
        part = values[start : start + (stop - start) // step * step, muscle]
        return tuple(float(f"{value:.{DIGITS}g}") for value in part.reshape(-1, step).mean(axis=1))

    inside = envelopes.inside()
    return EnvelopeCurves(
        start=start / rate,
        rate=rate / step,
        unit=unit,
        level=LEVEL,
        muscles={
            name: MuscleCurves(
                measured=thin(envelopes.measured, muscle),
                estimate=thin(envelopes.estimate, muscle),
                half_width=thin(envelopes.half_width, muscle),
                before=thin(envelopes.before, muscle),
                inside=float(inside[muscle]),
            )
            for muscle, name in enumerate(names)
            if has_emg[muscle] or not has_emg.any()
        },
    )


def typical_stretch(measured: FloatArray, estimate: FloatArray, length: int) -> tuple[int, int]:
    """Find where the estimate [samples, muscles] is about as far from the measurement as mostly: first sample, end."""
    samples = len(measured)
    if samples <= length:
        return 0, samples
    error = np.abs(measured - estimate)
    known = np.asarray(np.isfinite(error).any(axis=0))
    scale = np.nanstd(measured[:, known], axis=0) if known.any() else np.ones(0)
    worst = np.inf  # a gap is not typical
    relative = np.where(np.isfinite(error[:, known]), error[:, known] / np.where(scale > 0, scale, 1.0), worst)
    starts = range(0, samples - length + 1, max(1, length // 2))
    errors = [float(relative[start : start + length].mean()) if known.any() else 0.0 for start in starts]
    order = sorted(range(len(errors)), key=lambda index: errors[index])
    whole = sum(np.isfinite(errors))
    start = starts[order[max(whole - 1, 0) // 2]]
    return start, start + length


def in_unit(bundle: Bundle, unit: str) -> NDArray[np.bool_]:
    """Return which muscles [muscles] a bundle estimates in the unit of the EMG."""
    return np.array([bundle.reference.unit_of(index) == unit for index in range(len(bundle.rig.muscles))])


def interval_half_width(bundle: Bundle, deviation: FloatArray) -> FloatArray:
    """Return half the width [samples, muscles] of the interval of ``LEVEL``, in the units of the bundle's reference.

    Args:
        deviation: [samples, muscles] the published standard deviation [references].
    """
    multiples = interval_multiples(
        bundle.deviation_scale, bundle.uncertainty.levels if bundle.uncertainty else (), LEVEL
    )
    return np.asarray(deviation * multiples * np.array(bundle.reference.amplitude))
