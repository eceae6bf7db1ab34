"""Takes as bags with Imu and Emg topics, on the grid of a rig, as calibrations and replays want them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import ChannelMapping
from imu_emg_estimator.imports.import_files import ReadTake, write_tables
from imu_emg_estimator.imports.table_writer import start_of
from imu_emg_estimator.rig import Rig


def write_bags(takes: Sequence[ReadTake], mapping: ChannelMapping, out: Path, rig: Rig) -> list[Path]:
    """Write a bag for each take, OUT/SUBJECT/NAME, by way of the tables that an import to tables makes.

    Its timestamps end when the file was last changed, where the take has no clock of its own.

    Raises:
        InputError: a take does not fit the rig, or the bag exists.
    """
    written = []
    for take in takes:
        path = out / take.files.subject / _bag_name(take)
        if path.exists():
            raise InputError(f"{path} exists already; give another --out, or remove it")
        with tempfile.TemporaryDirectory(prefix="imu-emg-") as folder:
            write_tables([take], mapping, Path(folder), "csv")
            (recording,) = csv_folders.load(Path(folder), rig)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bag(replace(recording, start=_zero(take, mapping) + recording.start), path)
        written.append(path)
    return written


def _bag_name(take: ReadTake) -> str:
    """Return the name of a bag: its condition is known by how the name begins."""
    condition, name = take.files.condition, take.files.name
    return name if name.lower().startswith(condition.lower()) else f"{condition}_{name}"


def _zero(take: ReadTake, mapping: ChannelMapping) -> float:
    """Return the instant [s since 1970] that the take's table counts from: of the first sample that is used."""
    first = start_of(take.take, mapping)
    if take.take.absolute:
        return first
    end = max(float(channel.times[-1]) for channel in take.take.channels)
    return max(float(int(take.files.files[0].stat().st_mtime)) - (end - first), 0.0)
