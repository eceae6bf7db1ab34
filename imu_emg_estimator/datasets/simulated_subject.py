"""A simulated subject, for demonstrations, tests and controllers without a recording.

Its movement and its EMG are drawn together from movement statistics of real subjects. The result is labelled as
simulated wherever it is shown, and is no substitute for real data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.spatial.transform import Rotation

from imu_emg_estimator.datasets.movement_cycles import MAX_CYCLE_S, MIN_CYCLE_S, SITTING_DOWN, STANDING_UP
from imu_emg_estimator.datasets.movement_statistics import (
    FINE_HARMONICS,
    SIT_TO_STAND,
    SITTING,
    STANDING,
    MovementStatistics,
    fourier_basis,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import SIMULATED, RawEmg, Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

Array = NDArray[np.float64]
Labels = NDArray[np.str_]
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
MAX_DEVIATION_STD = 2.5  # of a subject from the mean
SIT_TO_STAND_S = 15.0  # of a schedule that nobody gave
HOLD_S = 2.0  # seated, and standing, between rising and sitting down
MIN_ENVELOPE = 0.02  # of a muscle at rest, as a share of full amplitude
RESTING_LEVEL, MAX_COUNT = 128, 255  # of an EMG amplifier that gives counts
MINUTE_S = 60.0


@dataclass(frozen=True)
class SubjectState:
    """What changes a subject from one day to another; assumed, not derived from data.

    Attributes:
        load: by which share the EMG rises, at the same movement.
        fatigue: by which share of the fresh EMG it rises in every minute.
        mounting: standard deviation of each sensor's rotation about each axis [rad], beyond how it is worn in the data.
    """

    load: float = 0.0
    fatigue: float = 0.0
    mounting: float = 0.0


@dataclass(frozen=True)
class _Traits:
    """Traits of a simulated subject: courses [activities, coefficients, channels], log durations, amplitudes, ..."""

    courses: Array
    postures: Array
    times: Array
    amplitude: Array
    mounting: Sequence[Rotation]


def simulate(
    statistics: MovementStatistics,
    seconds: float,
    seed: int,
    schedule: Schedule = (),
    state: SubjectState = SubjectState(),
    begin: float = 0.0,
) -> Recording:
    """Simulate a subject's recording on the statistics' rig, with raw EMG and labelled activities.

    Args:
        seconds: duration of the recording.
        seed: determines the subject: how it moves, where sensors and electrodes sit, how its muscles work.
        schedule: activities and postures of the statistics, and their durations [s], repeated to the end; empty =
            those of ``SCHEDULE`` that the statistics have, or a minute of each.
        state: what differs from one day to another.
        begin: time since the subject began to move [s]: what the subject does at another time differs.

    Raises:
        InputError: a duration or an activity cannot be simulated.
    """
    rig = statistics.rig
    traits = _draw_traits(statistics, state, np.random.default_rng(seed))
    rng = np.random.default_rng([seed, round(begin)])
    labels = _labels(statistics, schedule or usual_schedule(statistics), seconds)
    weights = _weights(labels, rig.rate, statistics)
    scores, begins = _draw_cycles(statistics, traits, labels, rng)
    phases = _phases(statistics, traits, labels, begins)
    channels = _channels(statistics, traits, weights, phases, scores, rng)
    sensors, muscles = 6 * len(rig.sensors), len(rig.muscles)
    imu = _measured(channels[:, :sensors], statistics, traits, rng)
    effort = (1.0 + state.load) * (1.0 + state.fatigue * (begin + np.arange(len(labels)) / rig.rate) / MINUTE_S)
    wanted = np.maximum(channels[:, sensors:] ** 2, MIN_ENVELOPE) * traits.amplitude * effort[:, None]
    emg, envelope = _emg(wanted, statistics, rng)
    return Recording(
        name=f"{SIMULATED}-{seed}",
        subject=f"{SIMULATED}-{seed}",
        rig=rig,
        start=EPOCH_S + begin,
        imu=imu.astype(np.float32),
        envelope=envelope.astype(np.float32),
        envelope_unit=statistics.emg_unit,
        muscle_weight=np.ones(muscles),
        condition=_named_halves(labels, phases),
        emg=emg,
    )


def simulate_on(
    statistics: MovementStatistics, seed: int, schedule: Schedule = (), state: SubjectState = SubjectState()
) -> Iterator[Recording]:
    """Yield recordings of a subject without end, one for each time through the schedule; they follow without a jump."""
    schedule = schedule or (
        *usual_schedule(statistics),
        *((name, SIT_TO_STAND_S) for name in (SIT_TO_STAND,) if name in statistics.activities),
    )
    rate = statistics.rig.rate
    seconds, faded = max(sum(length for _, length in schedule), MIN_DURATION_S), round(TRANSITION_S * rate)
    share = np.linspace(0.0, 1.0, faded)[:, None, None]
    begin, before = 0.0, None
    while True:
        recording = simulate(statistics, seconds + TRANSITION_S, seed, schedule, state, begin)
        if before is not None:
            recording.imu[:faded] = share * recording.imu[:faded] + (1 - share) * before
        before, stop = recording.imu[-faded:], len(recording) - faded
        yield recording.slice(0, stop)
        begin += stop / rate


def usual_schedule(statistics: MovementStatistics) -> Schedule:
    """Return the activities of ``SCHEDULE`` that the statistics have, or a minute of each of theirs."""
    known = (*statistics.postures, *statistics.activities)
    usual = [entry for entry in SCHEDULE if entry[0] in known]
    if any(name in statistics.activities for name, _ in usual):
        return usual
    return [(name, MINUTE_S) for name in statistics.activities]


# the subject


def _draw_traits(statistics: MovementStatistics, state: SubjectState, rng: np.random.Generator) -> _Traits:
    scores = _deviates(rng, len(statistics.components))
    values, vectors = np.linalg.eigh(statistics.amplitude_covariance)
    deviation = vectors @ (np.sqrt(np.maximum(values, 0.0)) * _deviates(rng, len(values)))
    return _Traits(
        courses=statistics.mean + np.tensordot(scores, statistics.components, 1),
        postures=statistics.posture_mean + np.tensordot(scores, statistics.posture_components, 1),
        times=statistics.time_mean + scores @ statistics.time_components,
        amplitude=np.exp(statistics.amplitude_mean + deviation),
        mounting=[Rotation.from_rotvec(rng.normal(0.0, state.mounting, 3)) for _ in statistics.rig.sensors],
    )


def _deviates(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Array:
    return np.asarray(np.clip(rng.standard_normal(shape), -MAX_DEVIATION_STD, MAX_DEVIATION_STD))


# activities over time


def _labels(statistics: MovementStatistics, schedule: Schedule, seconds: float) -> Labels:
    if not MIN_DURATION_S <= seconds <= MAX_DURATION_S:
        raise InputError(f"{seconds:g} s cannot be simulated; choose {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s")
    known = (*statistics.postures, *statistics.activities)
    for condition, length in schedule:
        if condition not in known or not 0 < length <= MAX_DURATION_S:
            raise InputError(f"{length:g} s of '{condition}' cannot be simulated; choose from {', '.join(known)}")
    rate = statistics.rig.rate
    lengths = [max(1, round(length * rate)) for _, length in schedule]
    return np.resize(np.repeat([condition for condition, _ in schedule], lengths), round(seconds * rate))


def _weights(labels: Labels, rate: float, statistics: MovementStatistics) -> dict[str, Array]:
    """Return the share [samples] of every activity, which changes smoothly from one to the next."""
    width = max(1, round(TRANSITION_S * rate / 2))
    shares = {}
    for condition in (*statistics.postures, *statistics.activities):
        if (labels == condition).any():
            once = uniform_filter1d((labels == condition).astype(np.float64), width, mode="nearest")
            shares[condition] = uniform_filter1d(once, width, mode="nearest")
    return shares


def _draw_cycles(
    statistics: MovementStatistics, traits: _Traits, labels: Labels, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw how cycles differ, scores [activities, cycles, components], and when they begin [cycles] in samples.

    Strides go on from one activity to the next.
    """
    rate, activities = statistics.rig.rate, list(statistics.activities)
    most = int(len(labels) / rate / MIN_CYCLE_S) + 3
    scores = np.stack([_correlated(most, correlation, rng) for correlation in statistics.cycle_correlation])
    logarithms = (
        traits.times[:, None]
        + np.einsum("ack,ak->ac", scores, statistics.cycle_times)
        + statistics.time_within[:, None] * rng.standard_normal((len(activities), most))
    )
    durations = np.clip(np.exp(logarithms), MIN_CYCLE_S, MAX_CYCLE_S)
    begins = [0.0]
    while begins[-1] < len(labels):
        label = labels[int(begins[-1])]
        index = activities.index(label) if label in activities else 0
        held = 2 * HOLD_S if label == SIT_TO_STAND else 0.0
        begins.append(begins[-1] + (durations[index, len(begins) - 1] + held) * rate)
    return scores, np.array(begins)


def _phases(statistics: MovementStatistics, traits: _Traits, labels: Labels, begins: Array) -> dict[str, Array]:
    """Return the phase [samples] in cycles of every activity."""
    shared = np.interp(np.arange(len(labels)), begins, np.arange(len(begins)))
    phases = dict.fromkeys(statistics.activities, shared)
    if SIT_TO_STAND in phases:
        duration = float(np.exp(traits.times[statistics.activities.index(SIT_TO_STAND)]))
        phases[SIT_TO_STAND] = _held(labels == SIT_TO_STAND, shared, duration / (duration + 2 * HOLD_S))
    return phases


def _held(is_active: NDArray[np.bool_], phase: Array, moving: float) -> Array:
    """Return the phase [samples] of rising and sitting down, held seated and standing but for a share of the cycle.

    Every bout begins with standing.
    """
    begins = np.append(0, np.flatnonzero(np.diff(is_active.astype(int)) > 0) + 1)
    begin = begins[np.searchsorted(begins, np.arange(len(phase)), "right") - 1]
    half, within = np.divmod(np.floor(phase[begin]) + phase - phase[begin] + 0.5 + moving / 2, 0.5)
    return np.asarray(half / 2 + np.minimum(within / (moving / 2), 1.0 - 1e-9) / 2)


def _named_halves(labels: Labels, phases: dict[str, Array]) -> Labels:
    """Name what a subject does while it rises and sits down again."""
    if SIT_TO_STAND not in labels:
        return labels
    at = phases[SIT_TO_STAND] % 1.0
    is_held = np.diff(phases[SIT_TO_STAND], prepend=0.0) < 1e-9
    names = np.where(at < 0.5, np.where(is_held, STANDING, STANDING_UP), np.where(is_held, SITTING, SITTING_DOWN))
    return np.where(labels == SIT_TO_STAND, names, labels)


# signals


def _channels(
    statistics: MovementStatistics,
    traits: _Traits,
    weights: dict[str, Array],
    phases: dict[str, Array],
    scores: Array,
    rng: np.random.Generator,
) -> Array:
    """Compute the channels [samples, channels] of a moving body, without sensor and electrode effects."""
    samples = len(next(iter(weights.values())))
    channels = np.zeros((samples, statistics.mean.shape[-1]))
    for index, name in enumerate(statistics.postures):
        if name in weights:
            channels += weights[name][:, None] * traits.postures[index]
    for index, name in enumerate(statistics.activities):
        if name in weights:
            at = np.flatnonzero(weights[name] > 0)
            movement = _movement(statistics, traits, index, phases[name][at], scores[index], rng)
            channels[at] += weights[name][at, None] * movement
    return channels


def _movement(
    statistics: MovementStatistics,
    traits: _Traits,
    activity: int,
    phase: Array,
    scores: Array,
    rng: np.random.Generator,
) -> Array:
    """Compute an activity's channels: the subject's mean course, and how every cycle differs from it."""
    basis = fourier_basis(phase)
    movement: Array = basis @ traits.courses[activity]
    cycle = np.floor(phase).astype(np.intp)
    within = phase - cycle
    correlation = statistics.cycle_correlation[activity]
    components = statistics.cycle_components[activity]
    deviates = _blended(scores, cycle, within, correlation)
    waves = (deviates[:, :, None] * basis[:, None]).reshape(len(phase), -1)
    movement += waves @ components.reshape(-1, components.shape[-1])
    movement += _unexplained(statistics.cycle_spread[activity], phase, cycle, within, rng)
    return movement


def _correlated(cycles: int, correlation: Array, rng: np.random.Generator) -> Array:
    """Draw deviates [cycles, components] of unit variance, each correlated with that of the cycle before."""
    deviates = rng.standard_normal((cycles, len(correlation)))
    for index in range(1, cycles):
        deviates[index] = correlation * deviates[index - 1] + np.sqrt(1 - correlation**2) * deviates[index]
    return deviates


def _blended(values: Array, cycle: NDArray[np.intp], within: Array, correlation: Array) -> Array:
    """Lead from every cycle's deviates [cycles, components] to those of the next, at unit variance throughout."""
    after = within[:, None]
    size = np.sqrt((1 - after) ** 2 + after**2 + 2 * correlation * after * (1 - after))
    return np.asarray(((1 - after) * values[cycle] + after * values[cycle + 1]) / size)


def _unexplained(
    spread: Array, phase: Array, cycle: NDArray[np.intp], within: Array, rng: np.random.Generator
) -> Array:
    """Compute what of the cycles' differences the components leave: each channel by itself."""
    basis = fourier_basis(phase, FINE_HARMONICS)
    result = np.empty((len(phase), spread.shape[1]))
    this = spread * rng.standard_normal(spread.shape)
    for first, last in zip(*_runs(cycle), strict=True):
        following = spread * rng.standard_normal(spread.shape)
        share = within[first:last, None]
        waves = basis[first:last]
        result[first:last] = ((1 - share) * (waves @ this) + share * (waves @ following)) / np.hypot(1 - share, share)
        this = following
    return result


def _runs(cycle: NDArray[np.intp]) -> tuple[list[int], list[int]]:
    edges = [0, *(np.flatnonzero(np.diff(cycle)) + 1).tolist(), len(cycle)]
    return edges[:-1], edges[1:]


def _measured(channels: Array, statistics: MovementStatistics, traits: _Traits, rng: np.random.Generator) -> Array:
    """Turn channels into sensor samples [samples, sensors, 6]: with noise, mounting rotation and clipping."""
    noise, full_scale = (part[: channels.shape[1]] for part in (statistics.noise, statistics.full_scale))
    imu = (channels + rng.standard_normal(channels.shape) * noise).reshape(len(channels), -1, 2, 3)
    for sensor, rotation in enumerate(traits.mounting):
        imu[:, sensor] = imu[:, sensor] @ rotation.as_matrix().T
    bound = full_scale.reshape(imu.shape[1:])
    return np.asarray(np.clip(imu, -bound, bound)).reshape(len(imu), -1, 6)


def _emg(wanted: Array, statistics: MovementStatistics, rng: np.random.Generator) -> tuple[RawEmg | None, Array]:
    """Make raw EMG, noise whose mean magnitude after the high-pass is the wanted envelope, and its envelope."""
    rate, own_rate = statistics.emg_rate, statistics.rig.rate
    if not rate:
        return None, wanted
    instants, times = np.arange(round(len(wanted) * rate / own_rate)) / rate, np.arange(len(wanted)) / own_rate
    magnitude = np.stack([np.interp(instants, times, muscle) for muscle in wanted.T], axis=1)
    kept = 1 - 2 * EnvelopeSettings().high_pass / rate  # share of white noise that passes
    raw = magnitude * rng.standard_normal(magnitude.shape) * np.sqrt(np.pi / 2 / kept)
    if statistics.emg_unit == "count":
        raw = np.clip(np.round(RESTING_LEVEL + raw), 0, MAX_COUNT)
    envelope = emg_envelope(raw, rate, EnvelopeSettings())
    sampled = np.stack([np.interp(times, instants, muscle) for muscle in envelope.T], axis=1)
    return RawEmg(raw, rate, statistics.emg_unit), sampled
