"""The whole import: files into takes, channels into columns, and a table for each take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imu_emg_estimator.datasets.csv_folders import sensor_columns
from imu_emg_estimator.datasets.odd_mounting import odd_mountings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import ChannelMapping, check_mapping, propose_mapping
from imu_emg_estimator.imports.channel_names import ACC
from imu_emg_estimator.imports.channels import Take
from imu_emg_estimator.imports.guarded_reading import read_guarded
from imu_emg_estimator.imports.table_writer import columns_of, labels_of, write_table
from imu_emg_estimator.imports.take_joining import AUTO, join_takes
from imu_emg_estimator.imports.takes import TakeFiles
from imu_emg_estimator.imports.unit_decision import decide_units
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig


@dataclass(frozen=True)
class ReadTake:
    """A take that was read: where from, and its channels on one clock."""

    files: TakeFiles
    take: Take

    @property
    def duration(self) -> float:
        """Time from the first to the last sample [s]."""
        channels = self.take.channels
        return float(max(c.times[-1] for c in channels) - min(c.times[0] for c in channels))


def read_takes(
    found: Sequence[TakeFiles],
    folder: Path | None = None,
    how: str = AUTO,
    show: Callable[[int, int], None] | None = None,
) -> tuple[list[ReadTake], dict[str, str]]:
    """Read all takes, their files joined by ``how``; returns those that could be read, and why others could not.

    Args:
        folder: for their arrays, which then stay on the disk until they are used; None = in memory.
    """
    read, refused = [], {}
    for count, files in enumerate(found, start=1):
        try:
            read.append(ReadTake(files, join_takes([read_guarded(path, folder) for path in files.files], how)))
        except InputError as error:
            refused[", ".join(map(str, files.files))] = str(error)
        if show:
            show(count, len(found))
    return read, refused


def read_all_takes(found: Sequence[TakeFiles], folder: Path | None = None) -> list[ReadTake]:
    """Read all takes; raise InputError where one cannot be read: a subject with half of the data is a silent fault."""
    read, refused = read_takes(found, folder)
    for reason in refused.values():
        raise InputError(reason)
    return read


def settle_mapping(
    takes: Sequence[ReadTake], rig: Rig | None = None, given: ChannelMapping | None = None, where: str = "the proposal"
) -> ChannelMapping:
    """Return the mapping given, or one proposed, checked and with a unit for every channel.

    Raises:
        InputError: it does not fit the files or the rig, or a unit is open.
    """
    parts = [item.take for item in takes]
    mapping = given or propose_mapping(parts, rig)
    check_mapping(mapping, parts, rig, where)
    settled = decide_units(mapping, parts)
    means = [(item.files.subject, _mean_accelerations(item.take, settled)) for item in takes]
    return replace(settled, notes=(*settled.notes, *odd_mountings(means)))


def _mean_accelerations(take: Take, mapping: ChannelMapping) -> dict[str, FloatArray]:
    """Return the mean acceleration [3] of each sensor in m/s²; a sensor that the take lacks is left out."""
    values = {column.name: column.values for column in columns_of(take, mapping)}
    return {
        sensor: np.array([np.nanmean(values[name]) for name in names])
        for sensor in mapping.sensors
        if set(names := sensor_columns(sensor, ACC)) <= set(values)
    }


def write_tables(takes: Sequence[ReadTake], mapping: ChannelMapping, out: Path, table_format: str) -> list[Path]:
    """Write a table for each take, OUT/SUBJECT/NAME, by a mapping that ``settle_mapping`` has checked."""
    written = []
    for item in takes:
        path = out / item.files.subject / f"{item.files.name}.{table_format}"
        given = item.files.condition
        labels = [(0.0, given)] if given else labels_of(item.take, mapping)
        write_table(path, columns_of(item.take, mapping), labels)
        written.append(path)
    return written
