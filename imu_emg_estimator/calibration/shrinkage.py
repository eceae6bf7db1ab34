"""How far a model moves from everybody's towards one subject's: as far as the evidence of a short recording goes.

Amplitude: electrodes, skin and strength make the EMG of people differ by a factor that is log-normal over subjects. A
recording tells that of one subject with an error. The mean of what is usual and of what was measured, each weighted by
its precision, is the best guess (empirical Bayes: Morris, J. Am. Stat. Assoc. 78:47-55, 1983).

Shape: of what adapting improves, the part is taken that is not explained by chance. What one muscle shows counts for
the subject's others (positive-part James-Stein: Efron and Morris, J. Am. Stat. Assoc. 68:117-130, 1973).

In both, the movements of a recording tell of a subject's other movements with an error that no duration removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.calibration.improvement import Improvement, jackknife_deviation, time_blocks
from imu_emg_estimator.recording import FloatArray

SUBJECTS_DEVIATION = 0.5  # of the logarithm of the amplitude over subjects: 13 of HuGaDB
# Logarithm by which ``population_reference``, mean(1/a) / mean(1/a²), lies below the middle of log-normal amplitudes a.
USUAL = 1.5 * SUBJECTS_DEVIATION**2
MOVEMENTS_DEVIATION = 0.17  # of the logarithm between the movements of a recording and others: HuGaDB, walking and all
MOVEMENTS_R2 = 0.02  # deviation of an improvement in R² between the movements of a recording and others
INTERVAL = 1.96  # standard deviations on either side that cover 95 %


@dataclass(frozen=True)
class Amplitude:
    """A subject's EMG relative to the estimate.

    Attributes:
        factor: that the estimate is multiplied by.
        low, high: ends of its 95 % interval.
        measured: factor that fits the recording best, by least squares.
        share: of the measured logarithm in that of ``factor``; the rest is the usual one.
    """

    factor: float
    low: float
    high: float
    measured: float
    share: float

    def __str__(self) -> str:
        return f"{self.factor:.2f} times ({self.low:.2f} to {self.high:.2f})"


def shrunk_amplitude(
    measured: FloatArray, estimated: FloatArray, rate: float, usual: float | None
) -> tuple[Amplitude, FloatArray] | None:
    """Find the factor from an estimate [samples] to the measured envelope [samples].

    Args:
        usual: logarithm of the factor over subjects; None = not known, since the units differ.

    Returns:
        The amplitude, and the estimate [samples] times the factors that are found without the stretch of time around
        each sample; None where there is no factor above 0.
    """
    known = np.isfinite(measured) & np.isfinite(estimated)
    truth, guess = (np.asarray(values[known], dtype=np.float64) for values in (measured, estimated))
    block, blocks = time_blocks(len(truth), rate)
    if len(truth) < 2 * blocks:
        return None
    product, power = (np.bincount(block, part, blocks) for part in (truth * guess, guess**2))
    products, powers = product.sum() - product, power.sum() - power
    if not (products > 0).all():
        return None
    without, fitted = np.log(products / powers), float(np.log(product.sum() / power.sum()))
    variance = jackknife_deviation(without) ** 2 + MOVEMENTS_DEVIATION**2
    share = 1.0 if usual is None else SUBJECTS_DEVIATION**2 / (SUBJECTS_DEVIATION**2 + variance)
    prior, spread = (1.0 - share) * (usual or 0.0), INTERVAL * np.sqrt(share * variance)
    factor, low, high = (float(np.exp(prior + share * fitted + part)) for part in (0.0, -spread, spread))
    held_out = np.full(len(measured), np.nan)
    held_out[known] = guess * np.exp(prior + share * without)[block]
    return Amplitude(factor, low, high, float(np.exp(fitted)), share), held_out


def shrunk_share(improvements: Sequence[Improvement]) -> float:
    """Return which share of adapted estimates to take, from their improvements in R² over those that are there."""
    chance = sum(((found.high - found.low) / (2 * INTERVAL)) ** 2 + MOVEMENTS_R2**2 for found in improvements)
    change = sum(found.change**2 for found in improvements)
    return max(0.0, 1.0 - chance / change) if change else 0.0
