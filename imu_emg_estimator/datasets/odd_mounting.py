"""Subjects who wear a sensor the other way round from all others, by the mean direction of gravity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.rig_schema import AXES, NEITHER

MIN_SUBJECTS = 4
MIN_LENGTH_MPS2 = 4.9  # of the mean acceleration: else the sensor turns too much to have a direction
MAX_SPREAD_DEG = 45.0  # median, of the others from their common direction
# Of 24 people with a band on the forearm, the one who wears it the other way round is 129° off, others up to 20°.
MIN_ANGLE_DEG = 90.0


def odd_mountings(takes: Sequence[tuple[str, Mapping[str, FloatArray]]]) -> list[str]:
    """Return a sentence on each subject and sensor whose mean acceleration points away from that of all others.

    Args:
        takes: subject and each sensor's mean acceleration [3] in m/s², of every take or recording.
    """
    sensors = dict.fromkeys(sensor for _, means in takes for sensor in means)
    return [sentence for sensor in sensors for sentence in _reversed(dict(_directions(takes, sensor)), sensor)]


def odd_mountings_of(recordings: Sequence[Recording]) -> list[str]:
    """Return the same sentences on recordings; of sensors that are worn either way there is none."""
    return odd_mountings([(recording.subject, _mean_accelerations(recording)) for recording in recordings])


def _mean_accelerations(recording: Recording) -> dict[str, FloatArray]:
    """Return the mean acceleration [3] of each sensor in m/s²; a sensor without data is left out."""
    sensors = zip(recording.rig.sensor_names, recording.imu[..., :3].swapaxes(0, 1), strict=True)
    known = {name: values[np.isfinite(values).all(axis=1)] for name, values in sensors}
    one_way = {sensor.name for sensor in recording.rig.sensors if sensor.either_way == NEITHER}
    return {name: values.mean(axis=0) for name, values in known.items() if len(values) and name in one_way}


def _directions(takes: Sequence[tuple[str, Mapping[str, FloatArray]]], sensor: str) -> Iterator[tuple[str, FloatArray]]:
    """Yield each subject's mean direction, over all takes, where it has one."""
    for subject in dict.fromkeys(subject for subject, _ in takes):
        means = [own[sensor] for owner, own in takes if owner == subject and sensor in own]
        mean = np.mean(means, axis=0) if means else np.zeros(3)
        if MIN_LENGTH_MPS2 < (length := float(np.linalg.norm(mean))) < np.inf:
            yield subject, mean / length


def _reversed(directions: Mapping[str, FloatArray], sensor: str) -> Iterator[str]:
    if len(directions) < MIN_SUBJECTS:
        return
    for subject, own in directions.items():
        others = [direction for other, direction in directions.items() if other != subject]
        centre = np.median(others, axis=0)
        angle = _angle_deg(own, centre)
        if angle > MIN_ANGLE_DEG and np.median([_angle_deg(other, centre) for other in others]) < MAX_SPREAD_DEG:
            axis = AXES[int(np.argmax(np.abs(centre)))]
            yield (
                f"subject {subject}: gravity on '{sensor}' is {angle:.0f}° off the others' ({axis} reversed): "
                "if it is worn the other way round, turn its axes in the data, leave the subject out, or give the "
                "sensor 'either_way' in the rig file"
            )


def _angle_deg(a: FloatArray, b: FloatArray) -> float:
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
