"""How sure it is that one estimate follows the measurement better than another: a jackknife over blocks of time.

Samples of an envelope follow each other closely, and so do strides: only stretches of seconds count as separate
evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from imu_emg_estimator.recording import FloatArray

BLOCK = 3.0  # s, two or three strides
MIN_BLOCKS, MAX_BLOCKS = 4, 20
SURE = 0.95
MIN_VARIANCE = 1e-12


@dataclass(frozen=True)
class Gain:
    """A difference, after less before, with what chance leaves of it.

    Attributes:
        change: of the figure.
        low, high: ends of its 95 % confidence interval.
        at_least: what it is at least, with a confidence of 95 % (the end of a one-sided interval).
        blocks: of time that it was found on.
    """

    change: float
    low: float
    high: float
    at_least: float
    blocks: int

    @property
    def sure(self) -> bool:
        """Whether there is more than chance in it."""
        return self.at_least > 0.0


@dataclass(frozen=True)
class _Sums:
    """What r and R² are made of: for every block the count, and the sums of truth, estimate, their squares, products.

    Attributes:
        values: [..., 6].
    """

    values: NDArray[np.float64]

    @classmethod
    def of(cls, truth: FloatArray, estimate: FloatArray, block: NDArray[np.intp], blocks: int) -> _Sums:
        parts = (np.ones_like(truth), truth, estimate, truth**2, estimate**2, truth * estimate)
        return cls(np.stack([np.bincount(block, part, blocks) for part in parts], axis=1))

    def together(self) -> _Sums:
        return _Sums(self.values.sum(axis=0))

    def without_each(self) -> _Sums:
        """All blocks but one, for each of them."""
        return _Sums(self.values.sum(axis=0) - self.values)

    def r(self) -> NDArray[np.float64]:
        """Pearson's; 0 where the truth or the estimate is constant."""
        count, truth, estimate, truths, estimates, products = np.moveaxis(self.values, -1, 0)
        variances = (truths - truth**2 / count) * (estimates - estimate**2 / count)
        covariance = products - truth * estimate / count
        return np.asarray(covariance / np.sqrt(np.where(variances > MIN_VARIANCE, variances, np.inf)))

    def r2(self) -> NDArray[np.float64]:
        """Coefficient of determination; 0 where the truth is constant."""
        count, truth, _, truths, estimates, products = np.moveaxis(self.values, -1, 0)
        variance = truths - truth**2 / count
        residual = truths - 2 * products + estimates
        constant = variance <= MIN_VARIANCE
        return np.where(constant, 0.0, 1.0 - residual / np.where(constant, 1.0, variance))


def gain_in_r(measured: FloatArray, before: FloatArray, after: FloatArray, rate: float) -> Gain:
    """Change of Pearson's r from one estimate [samples] to another; samples that are NaN in any are left out."""
    return _gain(measured, before, after, rate, _Sums.r)


def gain_in_r2(measured: FloatArray, before: FloatArray, after: FloatArray, rate: float) -> Gain:
    """Change of R² from one estimate [samples] to another; samples that are NaN in any are left out."""
    return _gain(measured, before, after, rate, _Sums.r2)


def _gain(
    measured: FloatArray,
    before: FloatArray,
    after: FloatArray,
    rate: float,
    figure: Callable[[_Sums], NDArray[np.float64]],
) -> Gain:
    known = np.isfinite(measured) & np.isfinite(before) & np.isfinite(after)
    truth, old, new = (np.asarray(values[known], dtype=np.float64) for values in (measured, before, after))
    blocks = int(np.clip(len(truth) / (BLOCK * rate), MIN_BLOCKS, MAX_BLOCKS))
    if len(truth) < 2 * blocks:
        return Gain(0.0, -np.inf, np.inf, -np.inf, 0)
    scale = float(np.abs(truth).max()) or 1.0  # so that no unit makes a variance vanish
    block = np.arange(len(truth)) * blocks // len(truth)
    earlier, later = (_Sums.of(truth / scale, estimate / scale, block, blocks) for estimate in (old, new))
    change = float(figure(later.together()) - figure(earlier.together()))
    without = figure(later.without_each()) - figure(earlier.without_each())
    deviation = float(np.std((blocks - 1) * without, ddof=1) / np.sqrt(blocks))
    both, one = (float(student.ppf(share, blocks - 1)) * deviation for share in (0.5 + SURE / 2, SURE))
    return Gain(change, change - both, change + both, change - one, blocks)
