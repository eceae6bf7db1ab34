"""One take as a table of the documented form (``datasets.csv_folders``), in Parquet or CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.datasets.csv_folders import CONDITION, TIME, sensor_columns
from imu_emg_estimator.datasets.table_resampling import interpolate, max_emg_gap
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import ChannelMapping
from imu_emg_estimator.imports.channel_names import ACC, GYRO
from imu_emg_estimator.imports.channel_units import usual_name
from imu_emg_estimator.imports.channels import Array, Channel, Take, duration_of
from imu_emg_estimator.imports.unit_decision import check_sizes, emg_unit, in_si_units
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.optional_packages import needs

MAX_DURATIONS = 5.0  # ratio of the longest channel's duration to the shortest's
TIME_DECIMALS = 8  # of instants in s


def columns_of(take: Take, mapping: ChannelMapping) -> list[Channel]:
    """Return the columns that a mapping makes of a take's channels, in SI units and from time 0.

    Raises:
        InputError: a channel of a sensor is missing, no muscle has one, or sizes contradict a unit.
    """
    channels = {channel.name: channel for channel in take.channels}
    columns, muscles = [], []
    for assignment in mapping.used:
        channel = channels.get(assignment.channel)
        if assignment.kind in (ACC, GYRO):
            if channel is None:
                raise InputError(
                    f"{take.source} has no channel '{assignment.channel}', which other files have; export it, or give "
                    "--together if the files are of one take"
                )
            columns.append(replace(in_si_units(take.source, assignment, channel), name=assignment.column))
        elif channel:
            unit = emg_unit(take.source, assignment, channel)
            muscles.append(replace(channel, name=f"{assignment.column} [{unit}]", unit=unit))
    if not muscles:
        raise InputError(f"{take.source} has no channel of EMG; export one, or leave the file out")
    _check_sensors(take, mapping, columns)
    _check_durations(take, mapping)
    start = start_of(take, mapping)
    columns += _on_one_clock(muscles)
    return [replace(column, times=np.round(column.times - start, TIME_DECIMALS)) for column in columns]


def start_of(take: Take, mapping: ChannelMapping) -> float:
    """Return the instant [s] of the first sample that a mapping uses, which is time 0 of the table."""
    used = {assignment.channel for assignment in mapping.used}
    return min(float(channel.times[0]) for channel in take.channels if channel.name in used)


def _check_durations(take: Take, mapping: ChannelMapping) -> None:
    """Raise InputError where used channels last so differently that the rate of one must be wrong."""
    used = {assignment.channel for assignment in mapping.used}
    channels = [channel for channel in take.channels if channel.name in used]
    short, long = min(channels, key=duration_of), max(channels, key=duration_of)
    if duration_of(long) > MAX_DURATIONS * duration_of(short):
        raise InputError(
            f"{take.source}: '{short.name}' lasts {duration_of(short):.3g} s and '{long.name}' "
            f"{duration_of(long):.3g} s; correct the rate that the file states for one, or leave it out in the mapping"
        )


def _check_sensors(take: Take, mapping: ChannelMapping, columns: Sequence[Channel]) -> None:
    by_name = {column.name: column for column in columns}
    for sensor in mapping.sensors:
        names = sensor_columns(sensor, ACC, GYRO)
        times = by_name[names[0]].times
        imu = np.full((len(times), 6), np.nan)
        for index, name in enumerate(names):
            if name in by_name:
                imu[:, index] = np.interp(times, by_name[name].times, by_name[name].values)
        check_sizes(take.source, sensor, times, imu)


def _on_one_clock(muscles: Sequence[Channel]) -> list[Channel]:
    """Bring EMG columns of different clocks to the fastest one's, as filters need one rate."""
    grid = max(muscles, key=lambda column: len(column.times) / (column.times[-1] - column.times[0])).times
    gap = max_emg_gap(1.0 / float(np.median(np.diff(grid))))
    return [
        column
        if column.times is grid or np.array_equal(column.times, grid)
        else replace(column, times=grid, values=interpolate(column.times, column.values[:, None], grid, gap)[:, 0])
        for column in muscles
    ]


def _joined_rows(columns: Sequence[Channel]) -> tuple[Array, dict[str, Array]]:
    """Return the instants [rows] of all columns together, and the columns [rows]; NaN where one has no sample."""
    times: Array = np.unique(np.concatenate([column.times for column in columns]))
    filled: dict[str, Array] = {}
    for column in columns:
        values: Array = np.full(len(times), np.nan)
        values[np.searchsorted(times, column.times)] = column.values
        filled[column.name] = values
    return times, filled


def labels_of(take: Take, mapping: ChannelMapping) -> list[tuple[float, str]]:
    """Return from when on which label holds, on the clock of the take's table."""
    return [(time - start_of(take, mapping), label) for time, label in take.labels]


def write_table(path: Path, columns: Sequence[Channel], labels: Sequence[tuple[float, str]] = ()) -> None:
    """Write columns as .csv or .parquet; raises InputError where the file exists or pyarrow is missing.

    Args:
        labels: instants [s] and the condition that holds from then on; empty = there is no column of conditions.
    """
    if path.exists():
        raise InputError(f"{path} exists already; give another --out, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    times, filled = _joined_rows(columns)
    rows = {int(np.searchsorted(times, time)): label for time, label in labels}
    conditions = [rows.get(row, "") for row in range(len(times))] if labels else []
    write_atomically(path, (_parquet if path.suffix == ".parquet" else _csv)(times, filled, conditions))


def _csv(times: Array, columns: Mapping[str, Array], conditions: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([TIME, *columns, *([CONDITION] if conditions else [])])
    rows = zip(times.tolist(), *(values.tolist() for values in columns.values()), strict=True)
    for number, (time, *values) in enumerate(rows):
        cells = [f"{time:.{TIME_DECIMALS}f}", *("" if value != value else f"{value:.9g}" for value in values)]
        writer.writerow([*cells, *conditions[number : number + 1]])
    return text.getvalue().encode()


def _parquet(times: Array, columns: Mapping[str, Array], conditions: Sequence[str]) -> bytes:
    pyarrow, parquet = _pyarrow()
    arrays = {TIME: times, **columns, **({CONDITION: conditions} if conditions else {})}
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(arrays), sink)
    return bytes(sink.getvalue())


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"Parquet {needs('pyarrow')}; or use --format csv") from None


def has_pyarrow() -> bool:
    """Whether Parquet can be written."""
    try:
        _pyarrow()
    except InputError:
        return False
    return True


def channel_line(channels: Sequence[Channel]) -> str:
    """Describe channels in a few words: by unit and rate."""
    groups = Counter((usual_name(channel.unit) or "no unit", channel.rate) for channel in channels)
    return ", ".join(f"{count} × {unit} at {rate:.6g} Hz" for (unit, rate), count in groups.items())
