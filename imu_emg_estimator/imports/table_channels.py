"""Channels of tables: plain CSV of any dialect, and the Trigno exports of Discover and EMGworks.

What the lines above the numbers are is found from their cells: names, units, rates and, in Discover, the sensors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_units import split_unit, unit_of
from imu_emg_estimator.imports.channels import Array, Channel, Take, check_rate, regular_times
from imu_emg_estimator.imports.delimited_text import Row, TextTable, read_text_table
from imu_emg_estimator.imports.time_columns import (
    FIRST_EPOCH_S,
    instants_of,
    is_time_name,
    seconds_of,
    seconds_of_texts,
)

DISCOVER, EMGWORKS, CSV = "Trigno Discover", "EMGworks", "CSV"
HERTZ = re.compile(r"(\d+(?:[.,]\d+)?)\s*hz$", re.IGNORECASE)
PERIOD = re.compile(r"\d+(?:[.,]\d+)?(?:e-?\d+)?\s*s$", re.IGNORECASE)  # Discover 2 writes periods below its rates
LABEL_NAMES = ("condition", "activity", "label", "labels", "movement", "task")
RATE_LINE = re.compile(
    r"(?:sampl\w*[\W_]*(?:rate|freq\w*)|abtastrate|^\W*(?:rate|frequency))\W*(?:hz)?\W*(\d+(?:[.,]\d+)?)\s*(?:hz)?$",
    re.I,
)
SERIAL = re.compile(r"\s*\(\d+\)$")
APPLICATION = re.compile(r"Trigno Discover\s*\(?([\d.]*)")
EMGWORKS_LINE = re.compile(
    r"Label:\s*(?P<name>.+?)\s+Sampling frequency:\s*(?P<rate>[\d.]+).*?Unit:\s*(?P<unit>\S+)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Header:
    """What the lines above the numbers say of each column; '' and None where they say nothing."""

    names: list[str]
    units: list[str]
    rates: list[float | None]
    form: str


def read_csv(path: Path) -> Take:
    """Read the channels of a text table; raises InputError that names line and column."""
    return take_of_table(path, read_text_table(path))


def take_of_table(path: Path, table: TextTable, form: str = "") -> Take:
    """Make channels of a table's columns, whatever file it stood in.

    Args:
        form: of the file; '' = by the lines above the numbers.
    """
    header = _header(table.header, table.data.shape[1])
    notes = list(table.notes)
    table = _with_instants(path, table, header)
    beside = _beside_the_channels(header)
    labels = () if beside else _labels(path, table, header, notes)
    left_out = {*table.texts, *beside, *_row_index(table, header, notes)}
    if beside:
        notes.append(f"what stands right of column {beside[0]} is of no sensor and was left out")
    channels = _channels(path, table, header, left_out, notes)
    absolute = any(channel.times[0] > FIRST_EPOCH_S for channel in channels)
    return Take(path, form or header.form, tuple(channels), absolute, tuple(dict.fromkeys(notes)), labels)


def _with_instants(path: Path, table: TextTable, header: _Header) -> TextTable:
    """Return the table with numbers [s] in a column of time that holds dates or times of day.

    Raises:
        InputError: a column of time holds other texts, and there is no other.
    """
    clocks = [column for column, name in enumerate(header.names) if is_time_name(name, header.units[column])]
    for column in set(clocks) & set(table.texts):
        seconds = seconds_of_texts(table.texts[column])
        if seconds is None and len(clocks) == 1:
            text = max(table.texts[column], key=len)[:40]
            raise InputError(
                f"{path}: the column of time, '{header.names[column]}', holds texts such as '{text}'; export "
                "seconds, or date-times such as 2026-03-01T10:00:00.005"
            )
        if seconds is not None:
            header.units[column] = "s"
            table.data[:, column] = seconds
            table = replace(table, texts={key: own for key, own in table.texts.items() if key != column})
    return table


def _beside_the_channels(header: _Header) -> list[int]:
    """Return the columns of a Discover export right of its channels: annotations, whose rows are of other instants."""
    rated = [column for column, rate in enumerate(header.rates) if rate]
    return list(range(rated[-1] + 1, len(header.rates))) if rated and header.form.startswith(DISCOVER) else []


def _labels(path: Path, table: TextTable, header: _Header, notes: list[str]) -> tuple[tuple[float, str], ...]:
    """Return from when on which label of a column of labels holds; notes tell what became of columns of text."""
    clocks = [index for index in range(len(header.names)) if is_time_name(header.names[index], header.units[index])]
    found: list[tuple[float, str]] = []
    for column, texts in table.texts.items():
        name = header.names[column]
        if clocks and not found and name.strip().lower() in LABEL_NAMES:
            seconds, _ = seconds_of(path, header.names[clocks[0]], header.units[clocks[0]], table.data[:, clocks[0]])
            found = [(time, text) for time, text in zip(seconds.tolist(), texts, strict=True) if text and time == time]
            notes.append(f"column '{name}' labels the rows: {', '.join(dict.fromkeys(text for _, text in found))}")
        elif any(texts):
            notes.append(f"column '{name}' holds text and was left out")
    return tuple(next(rows) for _, rows in groupby(found, key=lambda row: row[1]))


def _header(rows: Sequence[Row], columns: int) -> _Header:
    """Tell names, units, rates and sensors apart, from the line above the numbers upwards."""
    application = APPLICATION.search(" ".join(" ".join(row) for row in rows))
    stated = {m["name"]: (m["rate"], m["unit"]) for row in rows if (m := EMGWORKS_LINE.search(" ".join(row)))}
    left = [(*row, *[""] * (columns - len(row))) for row in rows if len(row) <= columns + 1]
    if left and _all_match(left[-1], lambda cell: bool(PERIOD.match(cell))):
        left.pop()
    rates_row = left.pop() if left and _all_match(left[-1], lambda cell: bool(HERTZ.match(cell))) else ()
    units_row = left.pop() if left and _all_match(left[-1], lambda cell: unit_of(cell) is not None) else ()
    wide = [index for index, row in enumerate(left) if 2 * sum(map(bool, row[:columns])) >= columns]
    names_row = left[wide[-1]] if wide else [f"column {column + 1}" for column in range(columns)]
    split = [split_unit(name) for name in names_row[:columns]]
    units = [unit or _cell(units_row, column).strip("[]() ") for column, (_, unit) in enumerate(split)]
    names = [name for name, _ in split]
    rates = [
        float(m[1].replace(",", ".")) if (m := HERTZ.match(_cell(rates_row, column))) else None
        for column in range(columns)
    ]
    if wide and (application or _has_doubles(names, units)):
        names = _with_sensors(names, left[: wide[-1]], columns)
    for column, name in enumerate(names):
        rate, unit = stated.get(name, (None, ""))
        units[column] = units[column] or unit
        rates[column] = rates[column] or (float(rate) if rate else None)
    lines = (RATE_LINE.search(" ".join(filter(None, row))) for row in rows)
    of_all = {float(m[1].replace(",", ".")) for m in lines if m}
    if len(of_all) == 1 and not any(rates):
        rates = [*of_all] * columns
    maker = EMGWORKS if sum(name.strip() == "X" for name in names) > 1 else CSV
    return _Header(names, units, rates, f"{DISCOVER} {application[1]}".strip() if application else maker)


def _cell(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _all_match(row: Sequence[str], is_one: Callable[[str], bool]) -> bool:
    """Whether all filled cells but that of a row index match, and there is one."""
    filled = [cell for index, cell in enumerate(row) if cell and not (index == 0 and cell.isdigit())]
    return bool(filled) and all(is_one(cell) for cell in filled)


def _has_doubles(names: Sequence[str], units: Sequence[str]) -> bool:
    channels = [name for name, unit in zip(names, units, strict=True) if name and not is_time_name(name, unit)]
    return len(set(channels)) < len(channels)


def _with_sensors(names: list[str], above: Sequence[Row], columns: int) -> list[str]:
    """Put the sensor in front of the names of its columns: it stands above the first of them, or above its mode."""
    modes = next((place for place, row in enumerate(above) if any("sensor mode" in cell for cell in row)), len(above))
    sensors = above[modes - 1] if modes else ()
    plain = Counter(SERIAL.sub("", cell) for cell in sensors)
    current, result = "", []
    for column in range(columns):
        cell = _cell(sensors, column)
        is_index = column == 0 and cell.isdigit()  # of a table that counts its rows
        if cell and not is_index:
            bare = SERIAL.sub("", cell)
            current = bare if plain[bare] == 1 else cell
        result.append(f"{current}: {names[column]}" if current else names[column])
    return result


def _row_index(table: TextTable, header: _Header, notes: list[str]) -> list[int]:
    """Return the first column if it only counts the rows, as tables saved by pandas have; it is no channel."""
    first = table.data[:, 0]
    name = header.names[0].rpartition(": ")[2].lower()
    named = not name or name.isdigit() or name in ("index", "unnamed: 0", "row", "no", "nr")
    if not (named and len(first) > 1 and (np.diff(first) == 1).all()):
        return []
    notes.append("column 1 only counts the rows and was left out")
    return [0]


def _channels(path: Path, table: TextTable, header: _Header, left_out: set[int], notes: list[str]) -> list[Channel]:
    """Make channels of the columns: each by the nearest column of time to its left, else by its own stated rate."""
    columns = [column for column in range(table.data.shape[1]) if column not in left_out]
    clocks = [column for column in columns if is_time_name(header.names[column], header.units[column])]
    made: list[Channel] = []
    clock_times: dict[tuple[int, bytes], Array] = {}
    rate_times: dict[float, Array] = {}
    for column in columns:
        values, name, unit = table.data[:, column], header.names[column], header.units[column]
        known = np.isfinite(values)
        if column in clocks:
            continue
        if not known.any():
            notes.append(f"'{name}' is empty and was left out")
        elif before := [clock for clock in clocks if clock < column] or clocks[:1]:
            key = (before[-1], known.tobytes())
            if key not in clock_times:
                clock_times[key] = _instants(path, table, header, before[-1], known, notes)
            made.append(Channel(name, unit, clock_times[key], values[known]))
        else:
            made.append(_by_rate(path, name, unit, header.rates[column], values, rate_times))
    return made


def _by_rate(path: Path, name: str, unit: str, rate: float | None, values: Array, times: dict[float, Array]) -> Channel:
    """Make a channel whose rows are samples at a rate; the columns of slower channels end earlier."""
    if rate is None:
        raise InputError(
            f"{path}: no column of time and no rate was found for '{name}'; export the time, as in 'time [s]', "
            "or a line of rates, as in '100 Hz'"
        )
    check_rate(path, name, rate)
    length = int(np.flatnonzero(np.isfinite(values))[-1]) + 1
    longest = times.get(rate)
    if longest is None or len(longest) < length:
        longest = times[rate] = regular_times(length, rate)
    return Channel(name, unit, longest if len(longest) == length else longest[:length], values[:length])


def _instants(
    path: Path, table: TextTable, header: _Header, clock: int, known: NDArray[np.bool_], notes: list[str]
) -> Array:
    """Return the instants [s] of the rows [rows] that a channel has samples in, by a column of time."""
    column = table.data[known, clock]
    if (bare := ~np.isfinite(column)).any():
        row = int(np.flatnonzero(known)[bare][0])
        raise InputError(f"{path}: row {row + 1} of the numbers has no time; fill its cell, or remove the row")
    times, told = instants_of(path, header.names[clock], header.units[clock], column)
    notes.extend(told)
    return times
