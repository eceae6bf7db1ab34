"""Recordings of many people as if all wore their sensors the same way round: ``either_way`` in the rig.

What changes its sign with a half turn shows two groups of recordings, and the larger one is taken to be right; then
each is compared with the other people's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.model.worn_ways import HalfTurns, moving_rows, signs_of, turned_sensors
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.motion_statistics import MotionStatistics
from imu_emg_estimator.training.fit_motion_distribution import Motion, centres_of, motion_of

MAX_ROUNDS = 5
TINY = 1e-9


def worn_alike(recordings: Sequence[Recording]) -> list[Recording]:
    """Turn back, in every recording, the sensors that are worn the other way round from most people's."""
    subjects = by_subject(recordings)
    if len(subjects) < 2 or not (turns := HalfTurns(recordings[0].rig)).sensors:
        return list(recordings)
    worn = [_turned(own, sensors) for own, sensors in zip(recordings, _minority(recordings, turns), strict=True)]
    motions = {subject: motion_of(own) for subject, own in by_subject(worn).items()}
    for _ in range(MAX_ROUNDS):
        turned = [_turned_by_others(worn, motions, subject) for subject in subjects]
        if not any(turned):
            break
    return worn


def _turned_by_others(worn: list[Recording], motions: dict[str, Motion], subject: str) -> bool:
    """Turn, in place, what is likelier the other way by all other subjects; return whether anything was turned."""
    others = centres_of([motion for name, motion in motions.items() if name != subject])
    changed = False
    for index, own in enumerate(worn):
        sensors = turned_sensors(own.imu, own.rig, others, 0.0) if others and own.subject == subject else []
        worn[index], changed = _turned(own, sensors), changed or bool(sensors)
    if changed:
        motions[subject] = motion_of([own for own in worn if own.subject == subject])
    return changed


def _minority(recordings: Sequence[Recording], turns: HalfTurns) -> list[list[int]]:
    """Guess which sensors of each recording are worn the other way round, all people counting alike."""
    rig, owners = recordings[0].rig, MotionStatistics(len(recordings[0].rig.sensors)).owners
    rows = [moving_rows(own.imu, rig.rate)[0] for own in recordings]
    means = np.stack([own.mean(axis=0) if len(own) else np.zeros(len(owners)) for own in rows])
    counts = Counter(own.subject for own in recordings)
    weight = np.array([1.0 / counts[own.subject] for own in recordings])
    found: list[list[int]] = [[] for _ in recordings]
    for sensor, signs in zip(turns.sensors, turns.statistics, strict=True):
        for index in np.flatnonzero(_other_side(means[:, (owners == sensor).all(axis=1) & (signs < 0)], weight)):
            found[index].append(sensor)
    return found


def _other_side(values: FloatArray, weight: FloatArray) -> NDArray[np.bool_]:
    """Return which rows [rows, values] lie on the lighter side of a plane through 0 that divides them best."""
    scaled = values / np.sqrt((weight[:, None] * values**2).sum(axis=0) + TINY)
    side = np.sign(np.linalg.svd(scaled * np.sqrt(weight)[:, None], full_matrices=False)[0][:, 0])
    return np.asarray(side * np.sign(weight @ side) < 0)


def _turned(recording: Recording, sensors: Sequence[int]) -> Recording:
    return replace(recording, imu=recording.imu * signs_of(sensors, recording.rig)) if sensors else recording
