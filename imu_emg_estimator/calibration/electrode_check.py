"""Screening: what goes wrong with electrodes, found before a subject's EMG is adapted to.

A muscle's channel may carry its twin of the other leg (leads or electrodes exchanged, or a subject whose legs fire
together), or nothing that has to do with the movement (an electrode off, an amplifier at rest). Both show in the
calibration data alone; adapting to the latter would teach the network nonsense.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imu_emg_estimator.calibration.closed_form import CORRELATED, Moments, leave_out
from imu_emg_estimator.recording import FloatArray

EXCHANGED = 15.0  # natural logarithm of the likelihood ratio at which a channel is taken for its twin's
TRIAL_STRENGTH = 30.0  # of the shrinkage of the heads that are tried, see ``closed_form``
MIN_R = 0.25  # of such heads on left-out blocks; below, the EMG does not follow the movement


def sources_of_channels(envelope: FloatArray, estimate: FloatArray, twins: Sequence[int]) -> list[int]:
    """Which muscle's estimate each channel goes with: its own, or where that is much more likely, its twin's.

    Args:
        envelope: [samples, muscles] measured; NaN = not known.
        estimate: [samples, muscles] before adaptation; NaN = not known.
        twins: of every muscle, the same muscle on the other side.

    Returns:
        For every channel the index of a muscle.
    """
    sources = []
    for muscle, twin in enumerate(twins):
        known = np.isfinite(envelope[:, muscle]) & np.isfinite(estimate).all(axis=1)
        own, other = (_correlation(envelope[known, muscle], estimate[known, index]) for index in (muscle, twin))
        evidence = 0.5 * known.sum() / CORRELATED * np.log((1 - own**2) / (1 - other**2))
        sources.append(twin if evidence > EXCHANGED else muscle)
    return sources


def movement_r(blocks: Sequence[Moments], head: FloatArray) -> float:
    """How well heads [inputs] near the given one, fitted to parts of the data, follow the parts left out: Pearson's r.

    Below ``MIN_R`` the EMG has nothing to do with the movement.
    """
    return leave_out(blocks, head, np.eye(len(head)), TRIAL_STRENGTH).r


def _correlation(measured: FloatArray, estimated: FloatArray) -> float:
    """Pearson's r, 0 where it is negative or one of them is constant."""
    if len(measured) < 2 or np.ptp(measured) == 0 or np.ptp(estimated) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(measured, estimated)[0, 1], 0.0, 0.999))
