"""Subjects who wear a sensor the other way round than all others, told before anything is trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig_schema import AXES

MIN_SUBJECTS = 4
MIN_LENGTH_MPS2 = 4.9  # of the mean acceleration: else the sensor turns too much to have a direction
MAX_SPREAD_DEG = 45.0  # median, of the others from their common direction
# Of 24 people with a band on the forearm, the one who wears it the other way round is 129° off, others up to 20°.
MIN_ANGLE_DEG = 90.0


def worn_otherwise(recordings: Sequence[Recording]) -> list[str]:
    """Name subjects whose mean acceleration points away from that of all others; a sentence each."""
    rig, groups = recordings[0].rig, by_subject(recordings)
    if len(groups) < MIN_SUBJECTS:
        return []
    means = np.array([_means(own) for own in groups.values()])  # [subjects, sensors, 3]
    found = []
    for sensor, name in enumerate(rig.sensor_names):
        directions = _directions(means[:, sensor])
        for index, subject in enumerate(groups):
            others = np.delete(directions, index, axis=0)
            others = others[np.isfinite(others).all(axis=1)]
            if len(others) < MIN_SUBJECTS - 1 or not np.isfinite(directions[index]).all():
                continue
            centre = np.median(others, axis=0)
            angle = _angle(directions[index], centre)
            if angle > MIN_ANGLE_DEG and np.median([_angle(own, centre) for own in others]) < MAX_SPREAD_DEG:
                axis = AXES[int(np.argmax(np.abs(centre)))]
                found.append(
                    f"subject {subject}: {name} points {angle:.0f}° away from the others' ({axis} reversed): if it is "
                    "worn the other way round, turn its axes in the data, or leave the subject out"
                )
    return found


def _means(recordings: Sequence[Recording]) -> FloatArray:
    """Return the mean acceleration [sensors, 3]; NaN where there is none."""
    joined = np.concatenate([recording.imu[..., :3] for recording in recordings])
    known = np.isfinite(joined)
    total = np.where(known, joined, 0.0).sum(axis=0)
    counted: FloatArray = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    return counted


def _directions(means: FloatArray) -> FloatArray:
    length = np.linalg.norm(means, axis=1, keepdims=True)
    directions: FloatArray = np.where(length > MIN_LENGTH_MPS2, means / np.maximum(length, 1e-9), np.nan)
    return directions


def _angle(a: FloatArray, b: FloatArray) -> float:
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
