"""Derive ``resource/stride_statistics.json``: ``derive_stride_statistics.py path/to/hugadb_v1 OUT.json``."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.datasets.hugadb import LOCOMOTION
from imu_emg_estimator.datasets.stride_statistics import (
    FORMAT_VERSION,
    HARMONICS,
    LEFT,
    RIGHT,
    STANDING,
    fourier_basis,
    leg_muscle,
    leg_sensors,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import CHANNELS
from imu_emg_estimator.signals.stride_detection import IndexArray, stride_starts, strides, time_normalise

Array = NDArray[np.float64]
LegKey = tuple[str, str]  # subject, side

SWING_SEGMENT = "shank"  # whose sensor shows where strides begin
POINTS = 50  # per stride, without the first of the next one
COMPONENTS = {"imu": 4, "envelope": 4}  # principal components of the differences between legs
STRIDE_COMPONENTS = 3  # principal components of the differences between strides of one leg
MIN_STRIDES = 5  # of a leg in an activity; legs with fewer are left out
FULL_AMPLITUDE_PERCENTILE = 95  # of a leg's envelope in locomotion
IMPUTATIONS = 30  # iterations
SIGNIFICANT_DIGITS = 4


@dataclass
class _Leg:
    """Strides of one leg of one subject: profiles [strides, coefficients, channels] by activity."""

    profiles: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    standing: list[Array] = field(default_factory=list)
    noise: list[Array] = field(default_factory=list)
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    leads: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    amplitude: float = np.nan

    def mean_profile(self, condition: str) -> Array | None:
        """Average over the strides: [coefficients, channels]; None with too few of them."""
        found = self.profiles[condition]
        if sum(len(profiles) for profiles in found) < MIN_STRIDES:
            return None
        return _nanmean(np.concatenate(found))

    def scale_envelope(self) -> None:
        for profiles in self.profiles.values():
            for profile in profiles:
                profile[..., -1] /= self.amplitude
        for posture in self.standing:
            posture[-1] /= self.amplitude


def derive_stride_statistics(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Derive averages and variations of strides from recordings of many subjects of one rig.

    Masked gyroscopes and EMG channels of weight 0 are left out.

    Returns:
        A JSON document with the keys of ``resource/stride_statistics.json``.

    Raises:
        InputError: a leg has no shank sensor, or too few subjects show an activity.
    """
    rig = recordings[0].rig
    legs = _legs(recordings)
    means = {c: {key: leg.mean_profile(c) for key, leg in legs.items()} for c in LOCOMOTION}
    for condition, profiles in means.items():
        if sum(profile is not None for profile in profiles.values()) <= max(COMPONENTS.values()):
            raise InputError(f"too few subjects show strides of '{condition}'; give recordings of more of them")
    return {
        "format_version": FORMAT_VERSION,
        "description": "averages and variations of strides of real subjects; no recording, no single subject",
        "subjects": list(dict.fromkeys(subject for subject, _ in legs)),
        "rig": rig.to_dict(),
        "channels": _channel_names(rig),
        "conditions": {c: _condition_statistics(c, legs, means[c]) for c in LOCOMOTION},
        "standing": _rounded(_nanmean(np.stack([_posture(leg) for leg in legs.values()]))),
        "sensor_noise": _rounded(np.nanmedian(np.concatenate([leg.noise for leg in legs.values()]), axis=0)),
        "leg_components": _leg_components(legs, means),
        "amplitude": _amplitude_statistics(legs, recordings[0].envelope_unit),
    }


# strides of every leg


def _legs(recordings: Iterable[Recording]) -> dict[LegKey, _Leg]:
    legs: dict[LegKey, _Leg] = defaultdict(_Leg)
    envelopes: dict[LegKey, list[Array]] = defaultdict(list)
    for recording in recordings:
        starts = {side: _starts(recording, side) for side in (RIGHT, LEFT)}
        for side, other in ((RIGHT, LEFT), (LEFT, RIGHT)):
            key = recording.subject, side
            signals = _leg_signals(recording, side)
            envelopes[key].append(signals[recording.is_movement(), -1])
            _add_standing(legs[key], signals[recording.condition == STANDING])
            _add_strides(legs[key], recording, signals, starts[side])
            if _masked(recording, RIGHT) == _masked(recording, LEFT):  # else their starts are found differently
                _add_leads(legs[key], recording, starts[side], starts[other])
    for key, leg in legs.items():
        known = np.concatenate(envelopes[key])
        known = known[np.isfinite(known)]
        leg.amplitude = float(np.percentile(known, FULL_AMPLITUDE_PERCENTILE)) if len(known) else np.nan
        leg.scale_envelope()
    return dict(legs)


def _starts(recording: Recording, side: str) -> IndexArray:
    return stride_starts(_swing_signals(recording, side), recording.rig.rate, recording.rig.lateral_axis)


def _masked(recording: Recording, side: str) -> bool:
    return not bool(np.isfinite(_swing_signals(recording, side)[:, 3:]).any())


def _swing_signals(recording: Recording, side: str) -> Array:
    """Return the signals [samples, 6] of the sensor by which the strides of a leg are found."""
    rig = recording.rig
    for index in leg_sensors(rig, side):
        if rig.sensors[index].segment == SWING_SEGMENT:
            return np.asarray(recording.imu[:, index], dtype=np.float64)
    raise InputError(f"rig '{rig.name}' has no sensor on the {side} {SWING_SEGMENT}; strides are found by it")


def _leg_signals(recording: Recording, side: str) -> Array:
    """Return a leg's channels [samples, channels], mirrored to the right if it is the left one."""
    imu = recording.imu[:, leg_sensors(recording.rig, side)].astype(np.float64)
    if side == LEFT:
        imu *= recording.rig.mirror_signs()
    muscle = leg_muscle(recording.rig, side)
    trusted = recording.muscle_weight[muscle] > 0
    envelope = recording.envelope[:, muscle] if trusted else np.full(len(recording), np.nan)
    return np.concatenate([imu.reshape(len(imu), -1), envelope[:, None]], axis=1)


def _add_standing(leg: _Leg, signals: Array) -> None:
    if len(signals) > 1:
        leg.standing.append(_nanmean(signals))
        # Neighbouring samples of a still subject differ by noise alone; the median ignores short movements.
        leg.noise.append(np.median(np.abs(np.diff(signals[:, :-1], axis=0)), axis=0) / 0.6745 / np.sqrt(2))


def _add_strides(leg: _Leg, recording: Recording, signals: Array, starts: IndexArray) -> None:
    transform = np.linalg.pinv(fourier_basis(np.arange(POINTS) / POINTS))
    for condition in LOCOMOTION:
        pairs = _steady_strides(recording, starts, condition)
        if len(pairs):
            normalised = time_normalise(signals, pairs, POINTS + 1)[:, :POINTS]
            leg.profiles[condition].append(np.einsum("cp,spk->sck", transform, normalised))
            leg.durations[condition].extend((pairs[:, 1] - pairs[:, 0]) / recording.rig.rate)


def _add_leads(leg: _Leg, recording: Recording, starts: IndexArray, other: IndexArray) -> None:
    """Append the phase of this leg's strides at which the other leg lands, 0 to 1."""
    for condition in LOCOMOTION:
        for first, last in _steady_strides(recording, starts, condition):
            between = other[(other >= first) & (other < last)]
            if len(between) == 1:
                leg.leads[condition].append(float(between[0] - first) / float(last - first))


def _steady_strides(recording: Recording, starts: IndexArray, condition: str) -> IndexArray:
    """Return the strides [strides, 2] that lie within one activity."""
    pairs = strides(starts, recording.rig.rate)
    steady = [bool((recording.condition[first : last + 1] == condition).all()) for first, last in pairs]
    return np.asarray(pairs[np.array(steady, dtype=bool)])


# figures


def _condition_statistics(
    condition: str, legs: dict[LegKey, _Leg], means: dict[LegKey, Array | None]
) -> dict[str, Any]:
    known = {key: profile for key, profile in means.items() if profile is not None}
    mean = _nanmean(np.stack(list(known.values())))
    components, noise = _stride_components(condition, legs, known)
    durations = {key: np.array(legs[key].durations[condition]) for key in known}
    leads = np.array([np.median(legs[key].leads[condition]) for key in known if legs[key].leads[condition]])
    return {
        "strides": int(sum(len(values) for values in durations.values())),
        "legs": len(known),
        "mean": _rounded(mean),
        "stride_components": _rounded(components),
        "stride_noise": _rounded(noise),
        "stride_time": {
            "mean": _rounded(np.mean([np.median(values) for values in durations.values()])),
            "between_legs": _rounded(np.std([np.median(values) for values in durations.values()])),
            "within_leg": _rounded(np.median([_spread(values) for values in durations.values()])),
        },
        "other_leg_phase": {"mean": _rounded(leads.mean()), "between_legs": _rounded(leads.std())},
    }


def _stride_components(condition: str, legs: dict[LegKey, _Leg], means: dict[LegKey, Array]) -> tuple[Array, Array]:
    """Decompose the deviations of strides from their leg's mean, for legs of which all channels are known.

    Returns:
        Components [count, coefficients, channels], and the standard deviation of the rest [channels].
    """
    residuals = np.concatenate([np.concatenate(legs[key].profiles[condition]) - mean for key, mean in means.items()])
    residuals = residuals[np.isfinite(residuals).all(axis=(1, 2))]
    scale = _rms(residuals)
    components, scores = _principal_components((residuals / scale).reshape(len(residuals), -1), STRIDE_COMPONENTS)
    rest = residuals - (scores @ components).reshape(residuals.shape) * scale
    return components.reshape(-1, *residuals.shape[1:]) * scale, _rms(rest)


def _leg_components(legs: dict[LegKey, _Leg], means: dict[str, dict[LegKey, Array | None]]) -> dict[str, Any]:
    """Decompose the differences between legs over all activities, separately for movement and envelope.

    ``leg_correlation`` is the correlation between the two legs of a subject in each component.
    """
    postures = np.stack([_posture(leg) for leg in legs.values()])
    profiles = np.full((len(legs), len(LOCOMOTION), 2 * HARMONICS + 1, postures.shape[1]), np.nan)
    for row, key in enumerate(legs):
        for column, condition in enumerate(LOCOMOTION):
            profile = means[condition][key]
            if profile is not None:
                profiles[row, column] = profile
    sides = [side for _, side in legs]
    split = profiles.shape[-1] - 1
    return {
        "imu": _group_components(profiles[..., :split], postures[:, :split], sides, COMPONENTS["imu"]),
        "envelope": _group_components(profiles[..., split:], postures[:, split:], sides, COMPONENTS["envelope"]),
    }


def _group_components(profiles: Array, postures: Array, sides: Sequence[str], count: int) -> dict[str, Any]:
    deviation = profiles - _nanmean(profiles)
    posture_deviation = postures - _nanmean(postures)
    scale = np.sqrt(_nanmean(deviation**2).sum(axis=-2).mean(axis=0))  # [channels]
    rows = np.concatenate([(deviation / scale).reshape(len(sides), -1), posture_deviation / scale], axis=1)
    components, scores = _principal_components(rows, count)
    split = deviation[0].size
    by_condition = components[:, :split].reshape(count, *deviation.shape[1:]) * scale
    right, left = (scores[[side == wanted for side in sides]] for wanted in (RIGHT, LEFT))
    return {
        "profiles": {c: _rounded(by_condition[:, index]) for index, c in enumerate(LOCOMOTION)},
        "standing": _rounded(components[:, split:] * scale),
        "leg_correlation": _rounded(np.clip((right * left).mean(axis=0), 0.0, 1.0)),
    }


def _principal_components(rows: Array, count: int) -> tuple[Array, Array]:
    """Return components [count, columns], scaled to one standard deviation, and standardised scores [rows, count].

    Unknown values are imputed iteratively from the components (Roweis 1998, EM algorithms for PCA).
    """
    known = np.isfinite(rows)
    filled = np.where(known, rows, 0.0)
    for _ in range(1 if known.all() else IMPUTATIONS):
        left, singular, right = np.linalg.svd(filled, full_matrices=False)
        filled = np.where(known, rows, (left[:, :count] * singular[:count]) @ right[:count])
    size = np.sqrt(len(rows))
    return singular[:count, None] / size * right[:count], left[:, :count] * size


def _amplitude_statistics(legs: dict[LegKey, _Leg], unit: str) -> dict[str, Any]:
    logarithm = np.log([leg.amplitude for leg in legs.values() if np.isfinite(leg.amplitude)])
    median = _rounded(np.exp(np.median(logarithm)))
    return {
        "unit": unit,
        "percentile": FULL_AMPLITUDE_PERCENTILE,
        "median": median,
        "log_std": _rounded(np.std(logarithm)),
    }


def _posture(leg: _Leg) -> Array:
    channels = next(iter(leg.profiles.values()))[0].shape[-1]
    return _nanmean(np.stack(leg.standing)) if leg.standing else np.full(channels, np.nan)


def _rms(profiles: Array) -> Array:
    """Compute the standard deviation [channels] over strides and phases from coefficients, by Parseval's theorem."""
    power = (profiles**2).mean(axis=0)
    return np.asarray(np.sqrt(power[0] + power[1:].sum(axis=0) / 2))


def _spread(values: Array) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / 1.349


def _nanmean(values: Array) -> Array:
    """Average the finite values over the first axis; NaN where there are none."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _channel_names(rig: Rig) -> list[str]:
    axes = ("ax", "ay", "az", "gx", "gy", "gz")
    assert len(axes) == CHANNELS
    segments = [rig.sensors[index].segment for index in leg_sensors(rig, RIGHT)]
    muscle = rig.muscles[leg_muscle(rig, RIGHT)].muscle
    return [f"{segment}.{axis}" for segment in segments for axis in axes] + [f"{muscle}.envelope"]


def _rounded(values: Any) -> Any:
    """Convert to nested lists of floats with ``SIGNIFICANT_DIGITS``."""
    array = np.asarray(values, dtype=np.float64)
    return float(f"{array:.{SIGNIFICANT_DIGITS}g}") if array.ndim == 0 else [_rounded(value) for value in array]


if __name__ == "__main__":
    data, out = map(Path, sys.argv[1:])
    derived = derive_stride_statistics(hugadb.load(data, workers=os.cpu_count() or 1))
    out.write_text(json.dumps(derived, separators=(",", ":")) + "\n", encoding="utf-8")
