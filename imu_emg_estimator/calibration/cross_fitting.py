"""Estimates of a subject's data by models that were not adapted to them, so that a calibration is judged honestly.

The data are cut into contiguous blocks of time. Each block is estimated by models that were adapted to the others, with
a gap between: all data are judged once. Hidden are the EMG's values alone; the movement before a block is what a live
model has seen, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.offline_estimate import estimate_all
from imu_emg_estimator.recording import FloatArray, Recording, trusted_envelope

FOLDS = 4
GAP_S = 1.0  # on either side of a block that are not adapted to: the envelope's filter reaches that far

Adapt = Callable[[Sequence[Recording]], Estimator]


@dataclass(frozen=True)
class CrossFit:
    """Envelopes [samples, muscles] of all recordings in a row, in the unit of the EMG; NaN = not known.

    Attributes:
        measured: the subject's EMG.
        before: by the model in use.
        kept: by the model in use, from what the adapted models see.
        factor: from ``kept`` to the EMG, fitted to the other blocks; 1 where there is none above zero.
        adapted: by name of the way to adapt, by models that were adapted to the other blocks.
    """

    measured: FloatArray
    before: FloatArray
    kept: FloatArray
    factor: FloatArray
    adapted: Mapping[str, FloatArray]

    @property
    def scaled(self) -> FloatArray:
        """By the model in use, its amplitude fitted to the other blocks."""
        return np.asarray(self.kept * self.factor)

    def mixed(self, way: str, muscle: int, share: float) -> tuple[FloatArray, FloatArray]:
        """Mix a share of a way's estimate of a muscle [samples] with the scaled one.

        Returns:
            The shape, in the unit of ``kept``, and the estimate, both [samples].
        """
        factor = self.factor[:, muscle]
        shape = (1.0 - share) * self.kept[:, muscle] + share * self.adapted[way][:, muscle] / factor
        return shape, shape * factor


def cross_fit(
    running: Estimator,
    ways: Mapping[str, Adapt],
    recordings: Sequence[Recording],
    given: Sequence[Recording] | None = None,
) -> CrossFit:
    """Estimate every block by models that know the others.

    Args:
        running: the model in use, which knows none of the recordings.
        ways: by name, what makes a model for the subject from recordings in which the EMG of a block is NaN.
        recordings: what is adapted to, and what the adapted models see.
        given: the same with sensors that were left out, which the model in use sees; None = none were.
    """
    measured = trusted_envelope(recordings)
    kept = estimate_all(running, recordings)
    before = kept if given is None else estimate_all(running, given)
    factor = np.ones_like(kept)
    adapted = {name: np.full_like(kept, np.nan) for name in ways}
    for block, near in _blocks(np.asarray(np.isfinite(measured).any(axis=1)), round(GAP_S * recordings[0].rig.rate)):
        known = np.where(near[:, None], np.nan, measured)
        factor[block] = np.nan_to_num(scale_of(known, kept), nan=1.0)
        hidden = _with_envelope(recordings, known)
        for name, way in ways.items():
            adapted[name][block] = estimate_all(way(hidden), recordings)[block]
    return CrossFit(measured, before, kept, factor, adapted)


def scale_of(measured: FloatArray, estimated: FloatArray) -> FloatArray:
    """Fit factors [muscles] to estimates [samples, muscles] by least squares; NaN where there is none above zero."""
    known = np.isfinite(measured) & np.isfinite(estimated)
    truth, guess = (np.where(known, values, 0.0) for values in (measured, estimated))
    power, product = (guess**2).sum(axis=0), (truth * guess).sum(axis=0)
    possible = (power > 0) & (product > 0)
    return np.where(possible, product / np.where(possible, power, 1.0), np.nan)


def _blocks(known: NDArray[np.bool_], gap: int) -> list[tuple[slice, NDArray[np.bool_]]]:
    """Cut into blocks with equally many known samples; with each, which samples [samples] are in it or near it."""
    index, count = np.arange(len(known)), np.cumsum(known)
    edges = np.searchsorted(count, count[-1] * np.arange(1, FOLDS) / FOLDS, side="left")
    starts, stops = [0, *map(int, edges)], [*map(int, edges), len(known)]
    return [
        (slice(start, stop), (index >= start - gap) & (index < stop + gap))
        for start, stop in zip(starts, stops, strict=True)
    ]


def _with_envelope(recordings: Sequence[Recording], envelope: FloatArray) -> list[Recording]:
    """Replace the envelopes of the recordings by rows [samples, muscles] of all of them."""
    edges = np.cumsum([0, *map(len, recordings)])
    return [
        replace(recording, envelope=envelope[start:stop])
        for recording, start, stop in zip(recordings, edges[:-1], edges[1:], strict=True)
    ]
