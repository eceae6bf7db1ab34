"""Gait cycles: strides of a leg on a common time base, and the scale of their envelopes.

A cycle lasts from one landing of a leg to the next and has 101 points. It counts for the muscles of its own leg
alone, so every muscle's cycle starts at its own leg's landing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import MAX_TARGET, population_reference
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.stride_detection import POINTS, stride_starts, strides, time_normalise

SWING_SEGMENT = "shank"  # its angular rate shows the strides
SIDES = ("right", "left", "centre")
EXTREMES = (1.0, 99.0)  # percentiles that serve as minimum and maximum, robust to artefacts


@dataclass(frozen=True)
class Cycles:
    """Gait cycles, those of each leg in temporal order.

    Attributes:
        imu: [cycles, 101, sensors, 6], masked parts NaN.
        envelope: [cycles, 101, muscles] in the EMG's unit; NaN for muscles of the other leg, not trusted or not known.
        condition: [cycles] activity, the same throughout a cycle.
        side: [cycles] the leg.
    """

    imu: FloatArray
    envelope: FloatArray
    condition: NDArray[np.str_]
    side: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.imu)

    def take(self, chosen: NDArray[Any]) -> Cycles:
        """Select cycles by an index or mask [cycles]."""
        return Cycles(self.imu[chosen], self.envelope[chosen], self.condition[chosen], self.side[chosen])

    def known(self) -> NDArray[np.bool_]:
        """Return whether the whole envelope is known [cycles, muscles]."""
        return np.asarray(np.isfinite(self.envelope).all(axis=1))

    def number(self) -> NDArray[np.intp]:
        """Count the earlier cycles of the same leg [cycles]."""
        result = np.empty(len(self), dtype=np.intp)
        for side in np.unique(self.side):
            result[self.side == side] = np.arange((self.side == side).sum())
        return result


def legs(rig: Rig) -> list[str]:
    """List the sides with a shank sensor, which shows the strides; raise InputError without any."""
    found = [side for side in SIDES if any(s.segment == SWING_SEGMENT and s.side == side for s in rig.sensors)]
    if not found:
        raise InputError(
            f"rig '{rig.name}' has no sensor on a {SWING_SEGMENT}, so no gait cycles; use --protocol streaming"
        )
    return found


def muscles_of(rig: Rig, side: str) -> list[int]:
    """Return the muscles of a leg's cycles; those of no leg with a shank sensor belong to the first leg."""
    known = legs(rig)
    return [i for i, muscle in enumerate(rig.muscles) if (muscle.side if muscle.side in known else known[0]) == side]


def cycles_of(recording: Recording, side: str) -> Cycles:
    """Time-normalise the cycles of one leg in locomotion, each within one activity.

    Args:
        side: one of ``legs``.
    """
    rig = recording.rig
    shank = next(i for i, s in enumerate(rig.sensors) if s.segment == SWING_SEGMENT and s.side == side)
    pairs = strides(stride_starts(recording.imu[:, shank], rig.rate, rig.lateral_axis), rig.rate)
    steady = [_is_steady(recording.condition[first : last + 1]) for first, last in pairs]
    pairs = pairs[np.array(steady, dtype=bool)]
    envelope = np.full((len(pairs), POINTS, len(rig.muscles)), np.nan, dtype=np.float32)
    for muscle in muscles_of(rig, side):
        if recording.muscle_weight[muscle] > 0:
            envelope[:, :, muscle] = time_normalise(recording.envelope[:, muscle], pairs)
    return Cycles(
        imu=time_normalise(recording.imu, pairs).astype(np.float32),
        envelope=envelope,
        condition=recording.condition[pairs[:, 0]],
        side=np.full(len(pairs), side),
    )


def subject_cycles(recordings: Sequence[Recording]) -> Cycles:
    """Return all cycles of one subject's recordings, which must be in temporal order."""
    return joined([cycles_of(recording, side) for recording in recordings for side in legs(recording.rig)])


def joined(parts: Sequence[Cycles]) -> Cycles:
    """Concatenate cycles."""
    return Cycles(
        np.concatenate([part.imu for part in parts]),
        np.concatenate([part.envelope for part in parts]),
        np.concatenate([part.condition for part in parts]),
        np.concatenate([part.side for part in parts]),
    )


def _is_steady(condition: NDArray[np.str_]) -> bool:
    return bool(condition[0] in LOCOMOTION and (condition == condition[0]).all())


@dataclass(frozen=True)
class Scale:
    """Minimum and range [muscles] of an envelope, in its unit: the values of activation 0 and 1."""

    low: FloatArray
    span: FloatArray

    def activation(self, envelope: FloatArray) -> FloatArray:
        return np.minimum((envelope - self.low) / self.span, MAX_TARGET)

    def envelope(self, activation: FloatArray) -> FloatArray:
        return np.asarray(activation * self.span + self.low)


def scale_of(cycles: Cycles) -> Scale:
    """Compute a subject's own scale over these cycles; NaN for unknown muscles."""
    low, high = np.full((2, cycles.envelope.shape[2]), np.nan)
    for muscle in np.flatnonzero(cycles.known().any(axis=0)):
        values = cycles.envelope[cycles.known()[:, muscle], :, muscle]
        low[muscle], high[muscle] = np.percentile(values, EXTREMES)
    return Scale(low, np.where(high > low, high - low, np.nan))


def population_scale(scales: Collection[Scale], rig: Rig | None = None) -> Scale:
    """Combine the scales of the training subjects into one for unknown subjects; twin muscles share it."""
    span = population_reference(np.array([scale.span for scale in scales]), rig)
    relative = np.nanmean([scale.low / scale.span for scale in scales], axis=0)
    return Scale(np.asarray(relative * span), span)
