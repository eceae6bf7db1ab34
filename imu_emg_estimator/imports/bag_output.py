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
from imu_emg_estimator.rig import Rig


def write_bags(takes: Sequence[ReadTake], mapping: ChannelMapping, out: Path, rig: Rig) -> list[Path]:
    """Write a bag for each take, OUT/SUBJECT/NAME, by way of the tables that an import to tables makes.

    Its timestamps begin when the file was last changed, where the take has no clock of its own.

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
        write_bag(replace(recording, start=_start(take)), path)
        written.append(path)
    return written


def _bag_name(take: ReadTake) -> str:
    """Return the name of a bag: its condition is known by how the name begins."""
    condition, name = take.files.condition, take.files.name
    return name if name.lower().startswith(condition.lower()) else f"{condition}_{name}"


def _start(take: ReadTake) -> float:
    if take.take.absolute:
        return float(min(channel.times[0] for channel in take.take.channels))
    return float(int(take.files.files[0].stat().st_mtime))
