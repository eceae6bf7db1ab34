"""Samples of a rig's sensors from a bag or a folder of tables, each at its own rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imu_emg_estimator.bags import IMU_TYPE, open_bag, present_topics
from imu_emg_estimator.bags.topic_names import topic_of
from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.rig_files.rig_sources import imu_of, mean_rate
from imu_emg_estimator.rig_files.sensor_mounting import SensorTake
from imu_emg_estimator.signals.grid_alignment import Sample

MAX_SAMPLES = 60_000  # of a sensor: a minute at 1000 Hz


def takes_of_bag(
    path: Path, rig: Rig, topics: Sequence[str] | None = None
) -> tuple[list[SensorTake | None], list[str]]:
    """Read the first samples of each sensor of the rig from a bag.

    Args:
        topics: in the order of the rig; None = found by the sensors' names.

    Returns:
        By sensor; None = the bag has none of it. And the Imu topics that belong to no sensor.

    Raises:
        InputError: the bag cannot be read, or a number of topics is given that does not fit the rig.
    """
    if topics is not None and len(topics) != len(rig.sensors):
        raise InputError(f"{len(topics)} Imu topics are given for {len(rig.sensors)} sensors; name one for each")
    with open_bag(path) as bag:
        present = present_topics(bag, IMU_TYPE)
        found = [topic_of(name, present) for name in rig.sensor_names] if topics is None else [[t] for t in topics]
        chosen = [own[0] if len(own) == 1 and own[0] in present else None for own in found]
        wanted = {topic: IMU_TYPE for topic in chosen if topic}
        samples: dict[str, list[tuple[int, Sample]]] = {topic: [] for topic in wanted}
        for message in bag.messages(wanted) if wanted else ():
            if len(samples[message.topic]) < MAX_SAMPLES:
                samples[message.topic].append((message.receive_time, imu_of(bag, message)))
    takes = [_take(topic, samples[topic]) if topic else None for topic in chosen]
    return takes, [topic for topic in present if topic not in chosen]


def takes_of_tables(path: Path, rig: Rig) -> list[SensorTake | None]:
    """Read the samples of each sensor from a table, or from the first subject of a folder of tables, on the grid."""
    recordings = (
        [csv_folders.load_table(path, rig)]
        if path.is_file()
        else csv_folders.load(path, rig, only=csv_folders.subjects(path)[:1])
    )
    imu = np.concatenate([recording.imu for recording in recordings])
    return [SensorTake(f"{name}_...", rig.rate, imu[:, index]) for index, name in enumerate(rig.sensor_names)]


def _take(topic: str, samples: Sequence[tuple[int, Sample]]) -> SensorTake:
    rate = float(np.nan_to_num(mean_rate([receipt for receipt, _ in samples])))
    return SensorTake(topic, rate, np.array([sample for _, sample in samples], dtype=np.float64).reshape(-1, 6))
