"""Recordings of many people as if all wore their sensors the same way round: ``either_way`` in the rig.

What changes its sign with a half turn shows two groups of recordings, and the larger one is taken to be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.worn_ways import HalfTurns, moving_rows
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.motion_statistics import MotionStatistics

TINY = 1e-9


def worn_alike(recordings: Sequence[Recording]) -> list[Recording]:
    """Turn back, in every recording, the sensors that are worn the other way round from most people's."""
    result, counts = list(recordings), Counter(own.subject for own in recordings)
    if len(counts) < 2 or not (turns := HalfTurns(recordings[0].rig)).sensors:
        return result
    owners = MotionStatistics(len(recordings[0].rig.sensors)).owners
    rows = [moving_rows(own.imu, own.rig.rate)[0] for own in recordings]
    means = np.stack([own.mean(axis=0) if len(own) else np.zeros(len(owners)) for own in rows])
    weight = np.array([1.0 / counts[own.subject] for own in recordings])  # all people count alike
    for turn, sensor in enumerate(turns.sensors):
        changing = (owners == sensor).all(axis=1) & (turns.statistics[turn] < 0)
        for index in np.flatnonzero(_on_lighter_side(means[:, changing], weight)):
            result[index] = replace(result[index], imu=result[index].imu * turns.samples[turn])
    return result


def _on_lighter_side(values: FloatArray, weight: FloatArray) -> NDArray[np.bool_]:
    """Return which rows [rows, values] lie on the lighter side of the plane through 0 that divides them best."""
    scaled = values / np.sqrt((weight[:, None] * values**2).sum(axis=0) + TINY)
    side = np.linalg.svd(scaled * np.sqrt(weight)[:, None], full_matrices=False)[0][:, 0]
    return np.asarray(side < 0 if weight @ np.sign(side) >= 0 else side > 0)
