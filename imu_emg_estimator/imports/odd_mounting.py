"""Subjects who wore a sensor the other way round from all others, by the mean direction of gravity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from imu_emg_estimator.datasets.csv_folders import sensor_columns
from imu_emg_estimator.imports.channel_names import ACC
from imu_emg_estimator.imports.channels import Channel
from imu_emg_estimator.recording import FloatArray

MIN_SUBJECTS = 4
MIN_AGREEMENT = 0.7  # length of the mean of the others' directions; 1 = all the same
OPPOSITE = -0.5  # cosine of the angle to that mean


def mean_accelerations(columns: Sequence[Channel], sensors: Sequence[str]) -> dict[str, FloatArray]:
    """Return the mean acceleration [3] of each sensor in one take."""
    values = {column.name: column.values for column in columns}
    return {
        sensor: np.array([np.nanmean(values[name]) for name in names])
        for sensor in sensors
        if set(names := sensor_columns(sensor, ACC)) <= set(values)
    }


def odd_mountings(takes: Sequence[tuple[str, Mapping[str, FloatArray]]], sensors: Sequence[str]) -> list[str]:
    """Return a sentence on each subject and sensor whose gravity points against that of the other subjects.

    Args:
        takes: subject and mean accelerations of every take.
    """
    return [note for sensor in sensors for note in _opposite(dict(_directions(takes, sensor)), sensor)]


def _directions(takes: Sequence[tuple[str, Mapping[str, FloatArray]]], sensor: str) -> Iterator[tuple[str, FloatArray]]:
    """Yield each subject's mean direction of acceleration, over all takes."""
    for subject in sorted({subject for subject, _ in takes}):
        means = [own[sensor] for owner, own in takes if owner == subject and sensor in own]
        mean = np.mean(means, axis=0) if means else np.zeros(3)
        if (length := float(np.linalg.norm(mean))) > 0:
            yield subject, mean / length


def _opposite(directions: Mapping[str, FloatArray], sensor: str) -> Iterator[str]:
    if len(directions) < MIN_SUBJECTS:
        return
    for subject, own in directions.items():
        mean = np.mean([direction for other, direction in directions.items() if other != subject], axis=0)
        agreement = float(np.linalg.norm(mean))
        if agreement >= MIN_AGREEMENT and float(own @ mean) / agreement < OPPOSITE:
            axis = int(np.argmax(np.abs(mean)))
            yield (
                f"{subject}: gravity on '{sensor}' points the other way from the other subjects' (share along "
                f"{'xyz'[axis]} {own[axis]:+.2f}, theirs {mean[axis]:+.2f}): was it worn the other way round?"
            )
