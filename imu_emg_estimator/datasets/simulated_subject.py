"""A simulated subject, for demonstrations and tests without a recording.

Its strides are drawn from stride statistics of real subjects. The result is labelled as simulated wherever it is shown
and is no substitute for real data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from imu_emg_estimator.datasets.hugadb import LOCOMOTION
from imu_emg_estimator.datasets.stride_statistics import (
    LEFT,
    RIGHT,
    STANDING,
    fourier_basis,
    leg_muscle,
    leg_sensors,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

Array = NDArray[np.float64]
Schedule = Sequence[tuple[str, float]]

SCHEDULE: Schedule = (
    (STANDING, 3.0),
    ("walking", 20.0),
    ("stairs_up", 10.0),
    ("walking", 6.0),
    ("stairs_down", 10.0),
    ("running", 9.0),
)  # s
MIN_DURATION_S, MAX_DURATION_S = 5.0, 3600.0
EPOCH_S = 1_704_067_200.0  # start of simulated recordings: 2024-01-01
TRANSITION_S = 1.0  # from one activity to the next
MAX_DEVIATION_STD = 2.0  # of a subject from the mean
MOUNTING_STD_RAD = np.radians(3.0)  # of a sensor's rotation on its segment, about each axis
STRIDE_CORRELATION = 0.5  # of a stride's deviation with that of the previous stride
CADENCE_CORNER_HZ = 0.4  # the cadence wanders more slowly than this
UNSTEADINESS_CORNER_HZ = 6.0  # of the differences between strides that their components do not explain
RESTING_ACTIVATION = 0.03  # of a muscle, as a share of full amplitude
FULL_SCALE_MPS2 = 2 * 9.80665  # at which the accelerometers of the source data clip
RESTING_LEVEL, MAX_COUNT = 128, 255  # of the simulated EMG amplifier


@dataclass(frozen=True)
class _Deviation:
    """Deviation of a leg from the mean: profiles [coefficients, channels] by activity, posture [channels]."""

    profiles: Mapping[str, Array]
    posture: Array


@dataclass(frozen=True)
class _LegTraits:
    """Traits of one leg of the simulated subject.

    Attributes:
        profiles: [coefficients, channels] by activity.
        posture: [channels] when standing.
        amplitude: envelope at a value of 1 in the envelope channel.
        mounting: rotation of every sensor on its segment.
    """

    profiles: Mapping[str, Array]
    posture: Array
    amplitude: float
    mounting: Sequence[Rotation]


def simulate(statistics: Mapping[str, Any], seconds: float, seed: int, schedule: Schedule = SCHEDULE) -> Recording:
    """Simulate a subject's recording on the statistics' rig, with raw EMG and labelled activities.

    Args:
        statistics: see ``stride_statistics``.
        seconds: duration of the recording.
        seed: determines the subject: its movement, sensor placement and muscle activation.
        schedule: activities (``standing`` or one of ``LOCOMOTION``) and their durations [s], repeated to the end.

    Raises:
        InputError: a duration or an activity cannot be simulated.
    """
    rig = Rig.from_dict(statistics["rig"], where="stride statistics")
    rng = np.random.default_rng(seed)
    traits = dict(zip((RIGHT, LEFT), _draw_legs(statistics, rng), strict=True))
    labels = _labels(schedule, seconds, rig.rate)
    weights = _weights(labels, rig.rate)
    phases = _phases(statistics, weights, rig.rate, rng)
    imu = np.empty((len(labels), len(rig.sensors), 6))
    raw = np.empty((len(labels), len(rig.muscles)))
    for side, leg in traits.items():
        channels = _leg_channels(statistics, leg, weights, phases[side], rig.rate, rng)
        imu[:, leg_sensors(rig, side)] = _measured(channels[:, :-1], leg, statistics, rng)
        raw[:, leg_muscle(rig, side)] = _emg(channels[:, -1] * leg.amplitude, rig.rate, rng)
    imu[:, leg_sensors(rig, LEFT)] *= rig.mirror_signs()
    return Recording(
        name=f"simulated-{seed}",
        subject=f"simulated-{seed}",
        rig=rig,
        start=EPOCH_S,
        imu=imu.astype(np.float32),
        envelope=emg_envelope(raw, rig.rate, EnvelopeSettings()).astype(np.float32),
        envelope_unit=statistics["amplitude"]["unit"],
        muscle_weight=np.ones(len(rig.muscles)),
        condition=labels,
        emg=RawEmg(raw, rig.rate, statistics["amplitude"]["unit"]),
    )


# the subject


def _draw_legs(statistics: Mapping[str, Any], rng: np.random.Generator) -> list[_LegTraits]:
    """Draw the right and the left leg of a subject."""
    movements = _draw_deviations(statistics["leg_components"]["imu"], rng)
    activations = _draw_deviations(statistics["leg_components"]["envelope"], rng)
    return [_draw_leg(statistics, *pair, rng) for pair in zip(movements, activations, strict=True)]


def _draw_leg(
    statistics: Mapping[str, Any], movement: _Deviation, activation: _Deviation, rng: np.random.Generator
) -> _LegTraits:
    amplitude = statistics["amplitude"]
    sensors = len(movement.posture) // 6
    return _LegTraits(
        profiles={
            c: np.array(statistics["conditions"][c]["mean"])
            + np.concatenate([movement.profiles[c], activation.profiles[c]], axis=1)
            for c in LOCOMOTION
        },
        posture=np.array(statistics["standing"]) + np.concatenate([movement.posture, activation.posture]),
        amplitude=amplitude["median"] * float(np.exp(amplitude["log_std"] * _deviates(rng, 1)[0])),
        mounting=[Rotation.from_rotvec(rng.normal(0.0, MOUNTING_STD_RAD, 3)) for _ in range(sensors)],
    )


def _draw_deviations(components: Mapping[str, Any], rng: np.random.Generator) -> list[_Deviation]:
    """Draw the deviations of a subject's legs from the mean, correlated as those of real subjects."""
    alike = np.array(components["leg_correlation"])
    shared = _deviates(rng, len(alike))
    deviations = []
    for _ in (RIGHT, LEFT):
        scores = np.sqrt(alike) * shared + np.sqrt(1 - alike) * _deviates(rng, len(alike))
        profiles = {c: np.tensordot(scores, np.array(components["profiles"][c]), 1) for c in LOCOMOTION}
        deviations.append(_Deviation(profiles, scores @ np.array(components["standing"])))
    return deviations


def _deviates(rng: np.random.Generator, count: int) -> Array:
    return np.asarray(np.clip(rng.standard_normal(count), -MAX_DEVIATION_STD, MAX_DEVIATION_STD))


# activities over time


def _labels(schedule: Schedule, seconds: float, rate: float) -> NDArray[np.str_]:
    if not MIN_DURATION_S <= seconds <= MAX_DURATION_S:
        raise InputError(f"{seconds:g} s cannot be simulated; choose {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s")
    for condition, length in schedule:
        if condition not in (STANDING, *LOCOMOTION) or not length > 0:
            known = ", ".join((STANDING, *LOCOMOTION))
            raise InputError(f"{length:g} s of '{condition}' cannot be simulated; choose from {known}")
    if not schedule:
        raise InputError("an empty schedule cannot be simulated; name at least one activity")
    lengths = [max(1, round(length * rate)) for _, length in schedule]
    return np.resize(np.repeat([condition for condition, _ in schedule], lengths), round(seconds * rate))


def _weights(labels: NDArray[np.str_], rate: float) -> dict[str, Array]:
    """Return the share [samples] of every activity, which changes smoothly from one to the next."""
    width = max(1, round(TRANSITION_S * rate / 2))
    shares = {}
    for condition in (STANDING, *LOCOMOTION):
        once = uniform_filter1d((labels == condition).astype(np.float64), width, mode="nearest")
        shares[condition] = uniform_filter1d(once, width, mode="nearest")
    return shares


def _phases(
    statistics: Mapping[str, Any], weights: Mapping[str, Array], rate: float, rng: np.random.Generator
) -> dict[str, Array]:
    """Return the phase [samples] of either leg in strides; a leg lands at every whole number."""
    samples = len(weights[STANDING])
    pace, lead = _deviates(rng, 2)
    wander = _slow_noise(samples, CADENCE_CORNER_HZ, rate, rng)
    frequency, ahead = np.zeros(samples), np.zeros(samples)
    for condition in LOCOMOTION:
        time, phase = (statistics["conditions"][condition][key] for key in ("stride_time", "other_leg_phase"))
        duration = time["mean"] + pace * time["between_legs"] + wander * time["within_leg"]
        frequency += weights[condition] / np.maximum(duration, 0.5 * time["mean"])
        ahead += weights[condition] * (phase["mean"] + lead * phase["between_legs"] - 0.5)
    right = np.cumsum(frequency) / rate
    return {RIGHT: right, LEFT: right + 0.5 - ahead}


# signals


def _leg_channels(
    statistics: Mapping[str, Any],
    leg: _LegTraits,
    weights: Mapping[str, Array],
    phase: Array,
    rate: float,
    rng: np.random.Generator,
) -> Array:
    """Compute the channels [samples, channels] of a moving leg, without sensor and electrode effects."""
    basis = fourier_basis(phase)
    channels = weights[STANDING][:, None] * leg.posture
    for condition in LOCOMOTION:
        figures = statistics["conditions"][condition]
        movement = basis @ leg.profiles[condition]
        for component in np.array(figures["stride_components"]):
            movement += _stride_deviation(phase, rng)[:, None] * (basis @ component)
        # The envelope, the last channel, gets its noise when the raw EMG is made.
        for channel, deviation in enumerate(figures["stride_noise"][:-1]):
            movement[:, channel] += deviation * _slow_noise(len(phase), UNSTEADINESS_CORNER_HZ, rate, rng)
        channels += weights[condition][:, None] * movement
    channels[:, -1] = np.maximum(channels[:, -1], RESTING_ACTIVATION)
    return channels


def _stride_deviation(phase: Array, rng: np.random.Generator) -> Array:
    """Draw one deviate per stride, correlated between neighbouring strides, and interpolate to samples."""
    first, last = int(np.floor(phase[0])), int(np.ceil(phase[-1])) + 1
    deviates = rng.standard_normal(last - first + 1)
    for index in range(1, len(deviates)):
        deviates[index] = (
            STRIDE_CORRELATION * deviates[index - 1] + np.sqrt(1 - STRIDE_CORRELATION**2) * deviates[index]
        )
    return np.asarray(np.interp(phase, np.arange(first, last + 1), deviates))


def _measured(channels: Array, leg: _LegTraits, statistics: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Turn a leg's channels into sensor samples [samples, sensors, 6]: with noise, mounting rotation and clipping."""
    noisy: Array = channels + rng.standard_normal(channels.shape) * np.array(statistics["sensor_noise"])
    imu = noisy.reshape(len(channels), -1, 6)
    for sensor, rotation in enumerate(leg.mounting):
        imu[:, sensor, :3] = np.clip(rotation.apply(imu[:, sensor, :3]), -FULL_SCALE_MPS2, FULL_SCALE_MPS2)
        imu[:, sensor, 3:] = rotation.apply(imu[:, sensor, 3:])
    return imu


def _emg(envelope: Array, rate: float, rng: np.random.Generator) -> Array:
    """Make raw EMG [samples] in counts: noise whose mean magnitude after the high-pass equals the envelope."""
    kept = 1 - 2 * EnvelopeSettings().high_pass / rate  # share of white noise that passes
    noise = rng.standard_normal(len(envelope)) * np.sqrt(np.pi / 2 / kept)
    return np.asarray(np.clip(np.round(RESTING_LEVEL + envelope * noise), 0, MAX_COUNT))


def _slow_noise(samples: int, corner: float, rate: float, rng: np.random.Generator) -> Array:
    """Draw noise [samples] of unit variance below a corner frequency [Hz]."""
    noise = sosfiltfilt(butter(2, corner, "lowpass", fs=rate, output="sos"), rng.standard_normal(samples))
    return np.asarray(noise / noise.std())
