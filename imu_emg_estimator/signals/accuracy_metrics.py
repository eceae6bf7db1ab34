"""Agreement of an estimate with a measured envelope: r, R² and nRMSE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.recording import FloatArray

FIGURES = ("r", "r2", "nrmse")


@dataclass(frozen=True)
class Scores:
    """Agreement of one muscle's estimate with its measured envelope.

    Attributes:
        r: Pearson correlation, independent of scale and offset.
        r2: coefficient of determination, 1 - residual / variance; negative if worse than the measured mean.
        nrmse: root-mean-square error / (maximum - minimum) of the measured envelope.
        samples: number of scored samples.
    """

    r: float
    r2: float
    nrmse: float
    samples: int


def score(measured: FloatArray, estimated: FloatArray) -> Scores:
    """Score one muscle's estimate [samples] against its measurement [samples], over samples that are finite in both.

    Figures are NaN with fewer than two samples or a constant measurement; r of a constant estimate is 0.
    """
    known = np.isfinite(measured) & np.isfinite(estimated)
    truth, guess = measured[known].astype(np.float64), estimated[known].astype(np.float64)
    if len(truth) < 2 or np.ptp(truth) == 0:
        return Scores(np.nan, np.nan, np.nan, len(truth))
    residual = float(np.mean((truth - guess) ** 2))
    r = float(np.corrcoef(truth, guess)[0, 1]) if np.ptp(guess) > 0 else 0.0
    return Scores(r, 1.0 - residual / float(np.var(truth)), residual**0.5 / float(np.ptp(truth)), len(truth))
