"""Closed-form adaptation: a linear head fitted to a subject's EMG on the frozen network's tokens by ridge regression.

The strength of the shrinkage is chosen by blocked cross-validation within the calibration data, and held near its
default where these are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

CORRELATED_SAMPLES = 7.0  # in a row count as one: the envelope holds 4 Hz, the rate is 58.8 Hz
STRENGTH_FACTORS = 10.0 ** np.arange(-1.5, 1.75, 0.25)  # strengths that are tried, relative to the default
STRENGTH_DEVIATION = 0.25  # of the natural logarithm of the strength about its default, before any data
BLOCKS = 5
MIN_ERROR = 1e-6  # references²; a perfect fit must not become infinitely likely


@dataclass(frozen=True)
class Moments:
    """Sums over samples that a ridge regression is solved from.

    Attributes:
        gram: [inputs, inputs] of the inputs with themselves; the last input is always 1.
        cross: [inputs] of the inputs with the target.
        power: of the target with itself.
        count: samples.
    """

    gram: NDArray[np.float64]
    cross: NDArray[np.float64]
    power: float
    count: float

    @classmethod
    def of(cls, inputs: FloatArray, target: FloatArray, weight: FloatArray) -> Moments:
        """Sum over inputs [samples, inputs], target and weight [samples]."""
        x, y, w = (np.asarray(values, dtype=np.float64) for values in (inputs, target, weight))
        weighted = x * w[:, None]
        return cls(weighted.T @ x, weighted.T @ y, float(w @ y**2), float(w.sum()))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.gram + other.gram, self.cross + other.cross, self.power + other.power, self.count + other.count
        )

    def ridge(self, centre: FloatArray, precision: FloatArray, strength: float) -> NDArray[np.float64]:
        """Fit a head [inputs], shrunk to a centre [inputs] that counts as so many independent samples.

        Args:
            precision: [inputs, inputs] how firmly each direction is held, relative to the others.
        """
        return solve_ridge(self.gram, self.cross, strength * CORRELATED_SAMPLES * precision, centre)


def solve_ridge(gram: FloatArray, cross: FloatArray, penalty: FloatArray, centre: FloatArray) -> NDArray[np.float64]:
    """Solve for coefficients [inputs] or [inputs, targets] of least squared error, shrunk to a centre.

    Args:
        gram: [inputs, inputs] of the inputs with themselves.
        cross: [inputs] or [inputs, targets] of the inputs with the targets.
        penalty: [inputs, inputs] quadratic form of the difference from the centre that is added to the squared error.
        centre: as ``cross``; what the coefficients shrink to.
    """
    return np.asarray(np.linalg.solve(gram + penalty, cross + penalty @ centre))


@dataclass(frozen=True)
class LeftOut:
    """Scores of heads on blocks of time that they were not fitted to.

    Attributes:
        error: mean squared error [references²].
        r: Pearson correlation; 0 where the estimate or the target is constant.
    """

    error: float
    r: float


@dataclass(frozen=True)
class RidgeFit:
    """A fitted head [inputs], the strength of its shrinkage, and how well such heads do on left-out blocks."""

    head: NDArray[np.float64]
    strength: float
    left_out: LeftOut


def fit_head(blocks: Sequence[Moments], centre: FloatArray, precision: FloatArray, strength: float) -> RidgeFit:
    """Fit a head to blocks of time, none of them empty; its strength is chosen by leaving out one after the other.

    Args:
        centre: [inputs] head to shrink to.
        precision: [inputs, inputs] how firmly each direction of the head is held, relative to the others.
        strength: the default [independent samples]; a log-normal belief about it, against which the left-out
            errors speak as the Gaussian likelihood of as many samples as are independent.
    """
    whole = reduce(Moments.__add__, blocks)
    candidates = strength * STRENGTH_FACTORS
    trials = [leave_out(blocks, centre, precision, candidate) for candidate in candidates]
    unlikely = 0.5 * whole.count / CORRELATED_SAMPLES * np.log([trial.error for trial in trials])
    unlikely += 0.5 * (np.log(STRENGTH_FACTORS) / STRENGTH_DEVIATION) ** 2
    best = int(np.argmin(unlikely))
    return RidgeFit(whole.ridge(centre, precision, candidates[best]), float(candidates[best]), trials[best])


def squared_error(blocks: Sequence[Moments], head: FloatArray) -> float:
    """Sum the squared errors [references²] of a given head [inputs] over all blocks."""
    whole = reduce(Moments.__add__, blocks)
    return float(whole.power - 2 * head @ whole.cross + head @ whole.gram @ head)


def leave_out(blocks: Sequence[Moments], centre: FloatArray, precision: FloatArray, strength: float) -> LeftOut:
    """Fit to all blocks but one and score the head on that one, for each of them."""
    whole = reduce(Moments.__add__, blocks)
    totals = np.zeros(6)
    for block in blocks:
        rest = Moments(whole.gram - block.gram, whole.cross - block.cross, 0.0, whole.count - block.count)
        head = rest.ridge(centre, precision, strength)
        # Count, and sums of estimate, target, estimate², target² and estimate times target: the last input is 1.
        totals += [
            block.count,
            head @ block.gram[:, -1],
            block.cross[-1],
            head @ block.gram @ head,
            block.power,
            head @ block.cross,
        ]
    count, estimate, target, estimate_power, target_power, product = totals
    error = (target_power - 2 * product + estimate_power) / count
    variances = (estimate_power - estimate**2 / count) * (target_power - target**2 / count)
    covariance = product - estimate * target / count
    return LeftOut(max(float(error), MIN_ERROR), float(covariance / variances**0.5) if variances > 0 else 0.0)


def blocks_of(inputs: FloatArray, target: FloatArray, weight: FloatArray) -> list[Moments]:
    """Cut into contiguous blocks of equal weight; inputs [samples, inputs], target and weight [samples]."""
    share = np.cumsum(weight) / np.sum(weight)
    block = np.minimum((share * BLOCKS).astype(int), BLOCKS - 1)
    chosen = [(block == index) & (weight > 0) for index in range(BLOCKS)]
    return [Moments.of(inputs[part], target[part], weight[part]) for part in chosen if part.any()]
