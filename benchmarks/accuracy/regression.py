"""Ridge regression from sums over rows, so that a part is left out by subtraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from imu_emg_estimator.calibration.closed_form import solve_ridge
from imu_emg_estimator.recording import FloatArray

STRENGTHS = tuple(10.0**power for power in range(-4, 4))  # for inputs of unit variance
FOLDS = 4
INTERCEPT_STRENGTH = 1e-6  # practically not shrunk


@dataclass(frozen=True)
class Sums:
    """Weighted sums over rows of inputs, the last of which is 1, and targets.

    Attributes:
        gram: [inputs, inputs] of the inputs with themselves.
        cross: [inputs, targets] of the inputs with the targets.
        power: of all targets with themselves.
    """

    gram: FloatArray
    cross: FloatArray
    power: float

    @classmethod
    def of(cls, rows: FloatArray, target: FloatArray, weight: FloatArray) -> Sums:
        """Sum over rows [rows, inputs], target [rows, targets] and weight [rows], in the precision of the rows."""
        used = weight > 0
        rows, target, weight = (part[used].astype(rows.dtype, copy=False) for part in (rows, target, weight))
        weighed = rows * weight[:, None]
        gram, cross = weighed.T @ rows, weighed.T @ target
        return cls(gram.astype(np.float64), cross.astype(np.float64), float(weight @ (target**2).sum(axis=1)))

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.gram + other.gram, self.cross + other.cross, self.power + other.power)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.gram - other.gram, self.cross - other.cross, self.power - other.power)

    def solve(self, strength: float, prior: FloatArray) -> FloatArray:
        """Solve for coefficients [inputs, targets] of least squared error + strength * |coefficients - prior|²."""
        mass = max(float(self.gram[-1, -1]), 1e-12)  # sum of the weights
        penalty = np.full(len(self.gram), strength * mass)
        penalty[-1] = INTERCEPT_STRENGTH * mass
        return solve_ridge(self.gram, self.cross, np.diag(penalty), prior)

    def error(self, coefficients: FloatArray) -> float:
        """Return the weighted sum of squared errors of the coefficients on these rows."""
        quadratic = (coefficients * (self.gram @ coefficients)).sum()
        return float(quadratic - 2 * (coefficients * self.cross).sum() + self.power)


def ridge(parts: Sequence[Sums], prior: FloatArray | None = None) -> FloatArray:
    """Fit coefficients [inputs, targets], shrunk towards a prior (default: zero) as is best on left-out parts.

    Args:
        parts: of the data, e.g. a subject's or a stretch of time's each; those of a fold are left out together.
    """
    whole = reduce(Sums.__add__, parts)
    prior = np.zeros_like(whole.cross) if prior is None else prior
    errors = np.zeros(len(STRENGTHS))
    if len(parts) > 1:
        for index in range(min(FOLDS, len(parts))):
            left_out = reduce(Sums.__add__, parts[index::FOLDS])
            rest = whole - left_out
            errors += [left_out.error(rest.solve(strength, prior)) for strength in STRENGTHS]
    # The strongest wins ties, so that the prior is kept when no part can be left out.
    best = len(STRENGTHS) - 1 - int(np.argmin(errors[::-1]))
    return whole.solve(STRENGTHS[best], prior)


def ridge_of_few(rows: FloatArray, target: FloatArray, prior: FloatArray) -> FloatArray:
    """Fit in the dual form, for fewer rows [rows, inputs] than inputs; each fold is a stretch of rows."""
    errors = np.zeros(len(STRENGTHS))
    folds = [fold for fold in np.array_split(np.arange(len(rows)), FOLDS) if len(fold)]
    if len(folds) > 1:
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(rows)), fold)
            for index, strength in enumerate(STRENGTHS):
                residual = target[fold] - rows[fold] @ _solved_over_rows(rows[rest], target[rest], prior, strength)
                errors[index] += float((residual**2).sum())
    best = len(STRENGTHS) - 1 - int(np.argmin(errors[::-1]))
    return _solved_over_rows(rows, target, prior, STRENGTHS[best])


def _solved_over_rows(rows: FloatArray, target: FloatArray, prior: FloatArray, strength: float) -> FloatArray:
    rows = rows.astype(np.float64)
    inverse = np.full(rows.shape[1], 1.0 / (strength * len(rows)))
    inverse[-1] = 1.0 / (INTERCEPT_STRENGTH * len(rows))
    spread = rows * inverse
    change = spread.T @ np.linalg.solve(spread @ rows.T + np.eye(len(rows)), target - rows @ prior)
    return np.asarray(prior + change)
