"""Whether one estimate follows the measurement significantly better than another: a jackknife over blocks of time.

Samples of an envelope follow each other closely, and so do strides: only stretches of seconds count as separate
evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

BLOCK_S = 3.0  # two or three strides
MIN_BLOCKS, MAX_BLOCKS = 4, 20
CONFIDENCE = 0.95
MIN_VARIANCE = 1e-12


@dataclass(frozen=True)
class Improvement:
    """A difference, after less before, with its confidence interval.

    Attributes:
        change: of the figure.
        low, high: ends of its 95 % confidence interval.
        at_least: lower end of the one-sided 95 % confidence interval.
        blocks: of time that it was found on.
    """

    change: float
    low: float
    high: float
    at_least: float
    blocks: int

    @property
    def significant(self) -> bool:
        """Whether it is larger than chance explains."""
        return self.at_least > 0.0


@dataclass(frozen=True)
class _Sums:
    """Sums that r and R² are computed from: count, truth, estimate, their squares and products, block by block.

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


def improvement_in_r(measured: FloatArray, before: FloatArray, after: FloatArray, rate: float) -> Improvement:
    """Compute the change of Pearson's r from one estimate [samples] to another, over samples known in all."""
    return _improvement(measured, before, after, rate, _Sums.r)


def improvement_in_r2(measured: FloatArray, before: FloatArray, after: FloatArray, rate: float) -> Improvement:
    """Compute the change of R² from one estimate [samples] to another, over samples known in all."""
    return _improvement(measured, before, after, rate, _Sums.r2)


def _improvement(
    measured: FloatArray,
    before: FloatArray,
    after: FloatArray,
    rate: float,
    figure: Callable[[_Sums], NDArray[np.float64]],
) -> Improvement:
    from scipy.special import stdtrit  # the live node reads reports, and needs no SciPy

    known = np.isfinite(measured) & np.isfinite(before) & np.isfinite(after)
    truth, old, new = (np.asarray(values[known], dtype=np.float64) for values in (measured, before, after))
    block, blocks = time_blocks(len(truth), rate)
    if len(truth) < 2 * blocks:
        return Improvement(0.0, -np.inf, np.inf, -np.inf, 0)
    scale = float(np.abs(truth).max()) or 1.0  # so that no unit makes a variance vanish
    earlier, later = (_Sums.of(truth / scale, estimate / scale, block, blocks) for estimate in (old, new))
    change = float(figure(later.together()) - figure(earlier.together()))
    without = figure(later.without_each()) - figure(earlier.without_each())
    deviation = jackknife_deviation(without)
    both, one = (float(stdtrit(blocks - 1, share)) * deviation for share in (0.5 + CONFIDENCE / 2, CONFIDENCE))
    return Improvement(change, change - both, change + both, change - one, blocks)


def time_blocks(samples: int, rate: float) -> tuple[NDArray[np.intp], int]:
    """Cut a row of samples into stretches of time that count as separate evidence: block [samples], and how many."""
    blocks = int(np.clip(samples / (BLOCK_S * rate), MIN_BLOCKS, MAX_BLOCKS))
    return np.arange(samples) * blocks // max(samples, 1), blocks


def jackknife_deviation(without: NDArray[np.float64]) -> float:
    """Compute the standard deviation of a figure from its values [blocks] without each of the blocks."""
    blocks = len(without)
    return float(np.std((blocks - 1) * without, ddof=1) / np.sqrt(blocks))
