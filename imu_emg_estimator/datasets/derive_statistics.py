"""Movement statistics of a lab's own recordings, or of a data set's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.movement_cycles import POINTS, cycles_of, mirrored, signals_of, swing_of
from imu_emg_estimator.datasets.movement_statistics import (
    FINE_HARMONICS,
    HARMONICS,
    POSTURES,
    SIT_TO_STAND,
    MovementStatistics,
    fourier_basis,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

Array = NDArray[np.float64]

COMPONENTS = 10  # of the differences between subjects
CYCLE_COMPONENTS, MUSCLE_COMPONENTS = 8, 4  # of those between cycles: in movement, in what muscles do besides
TIME_WEIGHT = 4.0  # of a cycle's duration, beside a channel
MIN_CYCLES = 10  # of a subject in an activity; with fewer it does not count
MAX_CYCLES = 60  # of a subject that the differences between cycles are taken from
FULL_AMPLITUDE_PERCENTILE = 95  # of a muscle's envelope in movement
IMPUTATIONS = 8  # iterations
COEFFICIENTS = 2 * HARMONICS + 1
ALIGNMENTS = 3  # iterations
MAX_CORRELATION = 0.98  # of a cycle with the one before
NOISE_S = 120.0
SHIFTS = 128  # phases that are tried
MIN_AGREEMENT = 0.4  # correlation with the mean course of a cycle that belongs to an activity


@dataclass
class _Person:
    """A subject, or its mirror image: coefficients [cycles, fine coefficients, channels] by activity, and more."""

    cycles: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    durations: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    postures: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    noise: list[Array] = field(default_factory=list)
    amplitude: Array = field(default_factory=lambda: np.empty(0))

    @property
    def sensor_channels(self) -> int:
        """Number of channels that are not of muscles."""
        return next(part[0].shape[-1] for part in self.cycles.values() if part) - len(self.amplitude)

    def count(self, activity: str) -> int:
        return sum(map(len, self.durations[activity]))

    def has(self, activity: str) -> bool:
        return self.count(activity) >= MIN_CYCLES


def derive_statistics(recordings: Sequence[Recording]) -> MovementStatistics:
    """Derive averages and variations of movement and EMG together; masked sensors and untrusted EMG are left out.

    A rig whose sides mirror each other is read a second time as in a mirror, which doubles what few subjects show.

    Raises:
        InputError: no activity has enough cycles, or a muscle has no EMG.
    """
    rig, subjects = recordings[0].rig, len({recording.subject for recording in recordings})
    known = (*rig.movement_names, SIT_TO_STAND)
    people = _people(recordings, known)
    _align_people(people, known)
    activities = tuple(name for name in known if any(person.has(name) for person in people))
    if not activities:
        raise InputError(_too_few(recordings, people, known))
    postures = tuple(name for name in POSTURES if any(name in person.postures for person in people))
    amplitudes = np.log([person.amplitude for person in people])
    if unknown := np.flatnonzero(~np.isfinite(amplitudes).any(axis=0)).tolist():
        raise InputError(f"no recording has trusted EMG of {rig.muscle_names[unknown[0]]}; a subject needs its EMG")
    emg = next((recording.emg for recording in recordings if recording.emg), None)
    magnitudes = np.max([np.nan_to_num(np.abs(signals_of(own))).max(axis=0) for own in recordings], axis=0)
    return MovementStatistics(
        rig=rig,
        subjects=subjects,
        emg_rate=emg.rate if emg else 0.0,
        emg_unit=recordings[0].envelope_unit,
        activities=activities,
        postures=postures,
        **_between_subjects(people, activities, postures),
        **_between_cycles(people, activities, _envelope_noise(emg.rate if emg else 0.0)),
        amplitude_mean=np.nanmean(amplitudes, axis=0),
        amplitude_covariance=_covariance(amplitudes) * subjects / max(subjects - 1, 1),
        noise=np.nan_to_num(_nanmedian([noise for person in people for noise in person.noise], magnitudes.shape)),
        full_scale=magnitudes,
    )


def _too_few(recordings: Sequence[Recording], people: Sequence[_Person], activities: Sequence[str]) -> str:
    labels = sorted({str(label) for recording in recordings for label in np.unique(recording.condition)})
    most = {name: max(person.count(name) for person in people) for name in activities}
    found = ", ".join(f"{count} of {name}" for name, count in most.items() if count) or "none"
    return (
        f"too few cycles to simulate anyone: {found}; one subject needs {MIN_CYCLES} of a movement that the rig names. "
        f"The recordings are labelled {', '.join(labels[:8])}"
    )


# people and their cycles


def _align_people(people: Sequence[_Person], activities: Sequence[str]) -> None:
    """Let all cycles begin at the same phase of the movement, and drop those of another movement.

    How starts are found differs with sensors and gaits, by up to half a cycle.
    """
    for name in activities:
        if not (present := [person for person in people if person.has(name)]):
            continue
        for person in present:
            person.cycles[name] = [np.concatenate(person.cycles[name])]
            person.durations[name] = [np.concatenate(person.durations[name])]
        for _ in range(ALIGNMENTS):
            shared = _nanmean(np.stack([_nanmean(person.cycles[name][0]) for person in present]))
            for person in present:
                _align(person, name, shared)
        for person in present:
            _align(person, name, _nanmean(person.cycles[name][0]))


def _align(person: _Person, activity: str, reference: Array) -> None:
    """Shift each cycle in phase to where its sensors agree most with a reference; drop those that agree too little."""
    cycles = person.cycles[activity][0]
    own, other = (_accelerations(part, person.sensor_channels) for part in (cycles, reference))
    scale = np.sqrt((np.abs(other) ** 2).sum(axis=0)) + 1e-9
    own, other = own / scale, other / scale
    shifts = np.arange(SHIFTS) / SHIFTS
    turns = np.exp(2j * np.pi * np.outer(np.arange(1, own.shape[1] + 1), shifts))
    agreement = (np.einsum("shc,hc->sh", own, other.conj()) @ turns).real
    size = np.sqrt((np.abs(own) ** 2).sum(axis=(1, 2)) * (np.abs(other) ** 2).sum()) + 1e-9
    is_alike = agreement.max(axis=1) / size > MIN_AGREEMENT
    best = shifts[agreement.argmax(axis=1)][is_alike]
    waves = _waves(cycles[is_alike])
    waves = waves * np.exp(2j * np.pi * np.outer(best, np.arange(1, waves.shape[1] + 1)))[..., None]
    aligned = cycles[is_alike]
    aligned[:, 1::2], aligned[:, 2::2] = waves.real, -waves.imag
    person.cycles[activity], person.durations[activity] = [aligned], [person.durations[activity][0][is_alike]]


def _accelerations(cycles: Array, sensors: int) -> NDArray[np.complex128]:
    """Return the waves of what hardly any recording lacks."""
    axes = np.arange(sensors).reshape(-1, 6)[:, :3].ravel()
    return _waves(np.nan_to_num(cycles[..., axes]))


def _waves(coefficients: Array) -> NDArray[np.complex128]:
    return np.asarray(coefficients[..., 1::2, :] - 1j * coefficients[..., 2::2, :])


def _people(recordings: Sequence[Recording], activities: Sequence[str]) -> list[_Person]:
    views = [recordings]
    if recordings[0].rig.is_mirrorable:
        views.append([mirrored(recording) for recording in recordings])
    swings = {activity: swing_of(recordings, activity) for activity in activities}
    people = []
    for view in views:
        by_subject: dict[str, list[Recording]] = defaultdict(list)
        for recording in view:
            by_subject[recording.subject].append(recording)
        people += [_person(own, swings) for own in by_subject.values()]
    return people


def _person(recordings: Sequence[Recording], swings: Mapping[str, Array | None]) -> _Person:
    person = _Person()
    muscles = len(recordings[0].rig.muscles)
    moving = np.concatenate([signals_of(own)[own.is_movement(), -muscles:] for own in recordings])
    person.amplitude = _percentile(moving)
    transform = np.linalg.pinv(fourier_basis(np.arange(POINTS) / POINTS, FINE_HARMONICS))
    for recording in recordings:
        for name in POSTURES:
            _add_posture(person, name, recording)
        present = set(np.unique(recording.condition))
        for activity, swing in swings.items():
            if activity in present or activity == SIT_TO_STAND:
                courses, durations = cycles_of(recording, activity, swing)
                courses[..., -muscles:] = np.sqrt(courses[..., -muscles:] / person.amplitude)
                person.cycles[activity].append(np.einsum("cp,spk->sck", transform, courses).astype(np.float32))
                person.durations[activity].append(durations)
    return person


def _add_posture(person: _Person, name: str, recording: Recording) -> None:
    still = signals_of(recording)[recording.condition == name]
    if len(still) > recording.rig.rate:
        muscles = len(recording.rig.muscles)
        # Neighbouring samples of a still subject differ by noise alone; the median ignores short movements.
        person.noise.append(np.median(np.abs(np.diff(still, axis=0)), axis=0) / 0.6745 / np.sqrt(2))
        still[:, -muscles:] = np.sqrt(still[:, -muscles:] / person.amplitude)
        person.postures[name].append(_nanmean(still))


def _percentile(moving: Array) -> Array:
    enough = np.isfinite(moving).any(axis=0)
    result = np.full(moving.shape[1], np.nan)
    result[enough] = np.nanpercentile(moving[:, enough], FULL_AMPLITUDE_PERCENTILE, axis=0)
    return result


# figures


def _between_subjects(
    people: Sequence[_Person], activities: Sequence[str], postures: Sequence[str]
) -> dict[str, Array]:
    """Decompose the differences between subjects in courses, postures and durations together."""
    channels = next(cycles[0].shape[-1] for person in people for cycles in person.cycles.values() if cycles)
    muscles = len(people[0].amplitude)
    courses = np.full((len(people), len(activities), COEFFICIENTS, channels), np.nan)
    still = np.full((len(people), len(postures), channels), np.nan)
    times = np.full((len(people), len(activities)), np.nan)
    for row, person in enumerate(people):
        for column, name in enumerate(activities):
            if person.has(name):
                courses[row, column] = _nanmean(np.concatenate(person.cycles[name])[:, :COEFFICIENTS])
                times[row, column] = np.log(np.median(np.concatenate(person.durations[name])))
        for column, name in enumerate(postures):
            if name in person.postures:
                still[row, column] = _nanmean(np.stack(person.postures[name]))
    means = [_nanmean(part) for part in (courses, still, times)]
    deviation = courses - means[0]
    scale = np.sqrt(np.nan_to_num(_nanmean(deviation**2)).sum(axis=(0, 1))) + 1e-9  # [channels]
    scale[-muscles:] /= np.sqrt((channels - muscles) / muscles)  # muscles together weigh as much as sensors
    time_scale = np.nanstd(times) + 1e-9
    rows = np.concatenate(
        [
            (deviation / scale).reshape(len(people), -1),
            ((still - means[1]) / scale).reshape(len(people), -1) / np.sqrt(COEFFICIENTS),
            (times - means[2]) / time_scale / COEFFICIENTS,
        ],
        axis=1,
    )
    components, _ = _principal_components(rows, COMPONENTS)
    ends = np.cumsum([deviation[0].size, still[0].size])
    of_courses, of_postures, of_times = np.split(components, ends, axis=1)
    of_courses = of_courses.reshape(-1, *deviation.shape[1:]) * scale
    return {
        "mean": means[0],
        "components": of_courses,
        "posture_mean": means[1],
        "posture_components": of_postures.reshape(len(components), *still.shape[1:]) * scale * np.sqrt(COEFFICIENTS),
        "time_mean": means[2],
        "time_components": of_times * time_scale * COEFFICIENTS,
    }


def _between_cycles(people: Sequence[_Person], activities: Sequence[str], envelope_noise: float) -> dict[str, Array]:
    """Decompose the differences between the cycles of one subject, activity by activity."""
    found = [_cycle_figures([p for p in people if p.has(name)], name, envelope_noise) for name in activities]
    return {key: np.stack([figures[key] for figures in found]) for key in found[0]}


def _cycle_figures(people: Sequence[_Person], activity: str, envelope_noise: float) -> dict[str, Array]:
    """Decompose how sensors and durations differ, what of the muscles follows from it, and what else muscles do."""
    sensors = people[0].sensor_channels
    deviations, times, levels = [], [], []
    for person in people:
        cycles, durations = person.cycles[activity][0], np.log(person.durations[activity][0])
        firsts = np.arange(0, len(cycles) - 1, 1 + 2 * len(cycles) // MAX_CYCLES)
        chosen = np.stack([firsts, firsts + 1], axis=1).ravel()  # neighbours
        deviations.append((cycles - _nanmean(cycles))[chosen])
        times.append((durations - np.median(durations))[chosen])
        levels.append(_nanmean(cycles)[0, sensors:])
    rest, time = np.concatenate(deviations).astype(np.float64), np.concatenate(times)
    coarse = rest[:, :COEFFICIENTS].copy()
    scale = np.sqrt(_power(coarse).sum(axis=0)) + 1e-9
    time_scale = time.std() / TIME_WEIGHT + 1e-9
    moved = (coarse / scale)[..., :sensors].reshape(len(coarse), -1)
    components, scores = _principal_components(np.column_stack([moved, time / time_scale]), CYCLE_COMPONENTS)
    following = _fitted(scores, coarse[..., sensors:])
    own = coarse[..., sensors:] - np.tensordot(scores, following, 1)
    own_components, own_scores = _principal_components(own.reshape(len(own), -1), MUSCLE_COMPONENTS)
    courses = np.zeros((CYCLE_COMPONENTS + MUSCLE_COMPONENTS, *coarse.shape[1:]))
    courses[:CYCLE_COMPONENTS, :, :sensors] = components[:, :-1].reshape(-1, COEFFICIENTS, sensors) * scale[:sensors]
    courses[:CYCLE_COMPONENTS, :, sensors:] = following
    courses[CYCLE_COMPONENTS:, :, sensors:] = own_components.reshape(-1, *own.shape[1:])
    scores = np.concatenate([scores, own_scores], axis=1)
    rest[:, :COEFFICIENTS] -= np.tensordot(scores, courses, 1)
    spread = np.sqrt(_power(rest))
    noise = (envelope_noise * _nanmean(np.stack(levels))) ** 2
    for part in (spread[None, :, sensors:], courses[CYCLE_COMPONENTS:, :, sensors:]):
        variance = _variance(part).sum(axis=0)
        part *= np.sqrt(np.clip(1 - noise / (variance + 1e-12), 0.0, 1.0))  # the raw EMG will bring its own noise
        noise = np.maximum(noise - variance, 0.0)
    return {
        "time_within": np.array((time - scores[:, :CYCLE_COMPONENTS] @ components[:, -1] * time_scale).std()),
        "cycle_times": np.pad(components[:, -1] * time_scale, (0, MUSCLE_COMPONENTS)),
        "cycle_components": courses,
        "cycle_correlation": np.clip((scores[1::2] * scores[::2]).mean(axis=0), 0.0, MAX_CORRELATION),
        "cycle_spread": spread,
    }


def _fitted(scores: Array, courses: Array) -> Array:
    """Fit courses [cycles, coefficients, muscles] by scores [cycles, components], where they are known."""
    found = []
    for muscle in np.moveaxis(courses, -1, 0):
        known = np.isfinite(muscle).all(axis=1)
        found.append(np.linalg.lstsq(scores[known], muscle[known], rcond=None)[0])
    return np.stack(found, axis=-1)


def _variance(coefficients: Array) -> Array:
    """Return the variance [..., channels] over a cycle of deviations [..., coefficients, channels]."""
    power = coefficients**2
    return np.asarray(power[..., 0, :] + power[..., 1:, :].sum(axis=-2) / 2)


def _envelope_noise(rate: float) -> float:
    """Return how much the square root of an envelope scatters because raw EMG is noise itself; 0 = no raw EMG."""
    if not rate:
        return 0.0
    raw = np.random.default_rng(0).standard_normal((round(NOISE_S * rate), 1))
    envelope = np.sqrt(emg_envelope(raw, rate, EnvelopeSettings()))
    return float(envelope.std() / envelope.mean())


def _power(deviations: Array) -> Array:
    return np.nan_to_num(_nanmean(deviations**2))


def _principal_components(rows: Array, count: int) -> tuple[Array, Array]:
    """Return components [count, columns], scaled to one standard deviation, and standardised scores [rows, count].

    Unknown values are imputed iteratively from the components (Roweis 1998, EM algorithms for PCA).
    """
    known = np.isfinite(rows)
    filled = np.where(known, rows, 0.0)
    for _ in range(1 if known.all() else IMPUTATIONS):
        right = _directions(filled, count)
        scores = filled @ right.T
        filled = np.where(known, rows, scores @ right)
    size = np.sqrt((scores**2).mean(axis=0)) + 1e-12
    return size[:, None] * right, scores / size


def _directions(rows: Array, count: int) -> Array:
    """Return the directions [count, columns] of most variance, from the smaller of the two products."""
    wide = rows.shape[0] < rows.shape[1]
    vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)[1][:, ::-1][:, :count]
    directions = (vectors.T @ rows) if wide else vectors.T
    return np.asarray(directions / (np.linalg.norm(directions, axis=1, keepdims=True) + 1e-12))


def _covariance(values: Array) -> Array:
    """Return the covariance [columns, columns] of rows, of which some values are unknown."""
    centred = values - np.nanmean(values, axis=0)
    products = centred[:, :, None] * centred[:, None, :]
    return np.nan_to_num(_nanmean(products))


def _nanmedian(values: Sequence[Array], shape: tuple[int, ...]) -> Array:
    return np.nanmedian(np.stack(values), axis=0) if values else np.zeros(shape)


def _nanmean(values: Array) -> Array:
    """Average the finite values over the first axis; NaN where there are none."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
