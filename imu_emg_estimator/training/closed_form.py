"""Closed-form adaptation: the linear head that fits a wearer's EMG on the frozen network's tokens, by ridge regression.

The strength of the shrinkage is chosen by blocked cross-validation within the calibration data, held near its
default where these are too few to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

CORRELATED = 7.0  # samples in a row that tell as much as one: the envelope holds 4 Hz, the rate is 58.8 Hz
STRENGTHS = 10.0 ** np.arange(-1.0, 3.75, 0.5)  # independent samples that the centre of the shrinkage is worth
STRENGTH_DEVIATION = 1.0  # of the natural logarithm of the strength about its default, before any data
BLOCKS = 5
MEASURED_LEAST = 1e-6  # of the squared error [references²]; a perfect fit must not become infinitely likely


@dataclass(frozen=True)
class Moments:
    """What a ridge regression needs to know of its data: sums over samples.

    Attributes:
        gram: [inputs, inputs] of the inputs with themselves.
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
        """From inputs [samples, inputs], target and weight [samples]."""
        x, y, w = (np.asarray(values, dtype=np.float64) for values in (inputs, target, weight))
        weighted = x * w[:, None]
        return cls(weighted.T @ x, weighted.T @ y, float(w @ y**2), float(w.sum()))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.gram + other.gram, self.cross + other.cross, self.power + other.power, self.count + other.count
        )

    def error(self, head: FloatArray) -> float:
        """Mean squared error of a linear head [inputs] on these data."""
        total = self.power - 2 * head @ self.cross + head @ self.gram @ head
        return max(float(total) / self.count, MEASURED_LEAST)

    def ridge(self, centre: FloatArray, precision: FloatArray, strength: float) -> NDArray[np.float64]:
        """Head [inputs] that fits best, shrunk to a centre [inputs] as if so many independent samples spoke for it."""
        pull = strength * CORRELATED * np.diag(precision)
        return np.asarray(np.linalg.solve(self.gram + pull, self.cross + pull @ centre))


@dataclass(frozen=True)
class RidgeFit:
    """A fitted head.

    Attributes:
        head: [inputs].
        strength: that cross-validation chose.
        error: mean squared error on data that the head was not fitted on, from cross-validation.
    """

    head: NDArray[np.float64]
    strength: float
    error: float


def fit_head(blocks: Sequence[Moments], centre: FloatArray, precision: FloatArray, strength: float) -> RidgeFit:
    """Fit a head to blocks of time, none of them empty; its strength is chosen by leaving out one after the other.

    Args:
        centre: [inputs] head to shrink to.
        precision: [inputs] how firmly each of its weights is held, relative to the others.
        strength: the default [independent samples]; a log-normal belief about it, against which the left-out
            errors speak as the Gaussian likelihood of as many samples as are independent.
    """
    whole = reduce(Moments.__add__, blocks)
    errors = np.array([_left_out_error(blocks, centre, precision, value) for value in STRENGTHS])
    unlikely = 0.5 * whole.count / CORRELATED * np.log(errors)
    unlikely += 0.5 * (np.log(STRENGTHS / strength) / STRENGTH_DEVIATION) ** 2
    best = int(np.argmin(unlikely))
    return RidgeFit(whole.ridge(centre, precision, STRENGTHS[best]), float(STRENGTHS[best]), float(errors[best]))


def blocks_of(inputs: FloatArray, target: FloatArray, weight: FloatArray) -> list[Moments]:
    """Contiguous blocks of equal weight; inputs [samples, inputs], target and weight [samples]."""
    share = np.cumsum(weight) / np.sum(weight)
    block = np.minimum((share * BLOCKS).astype(int), BLOCKS - 1)
    chosen = [(block == index) & (weight > 0) for index in range(BLOCKS)]
    return [Moments.of(inputs[part], target[part], weight[part]) for part in chosen if part.any()]


def _left_out_error(blocks: Sequence[Moments], centre: FloatArray, precision: FloatArray, strength: float) -> float:
    if len(blocks) < 2:
        return blocks[0].error(centre)
    total = 0.0
    for index, block in enumerate(blocks):
        rest = reduce(Moments.__add__, [*blocks[:index], *blocks[index + 1 :]])
        total += block.error(rest.ridge(centre, precision, strength)) * block.count
    return total / sum(block.count for block in blocks)
