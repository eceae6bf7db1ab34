"""Excel workbooks (.xlsx): the values of the sheets that hold tables of numbers, one for all sensors or one each.

Values only: formulas give what Excel last computed for them, links are not followed, macros are not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_names import words_of
from imu_emg_estimator.imports.channels import MAX_CHANNELS, TOO_DENSE, Take, largest_expansion
from imu_emg_estimator.imports.delimited_text import MISSING, NUMBER, TextTable
from imu_emg_estimator.imports.name_matching import PLACE_OF
from imu_emg_estimator.imports.optional_readers import optional_reader
from imu_emg_estimator.imports.table_channels import take_of_table

MAX_HEADER_ROWS = 400


def read_excel(path: Path) -> Take:
    """Read a workbook's tables; raises InputError where no sheet has one."""
    openpyxl = optional_reader("openpyxl", "Excel files", path)
    _check_archive(path)
    with path.open("rb") as file:  # not by its name, whose ending openpyxl judges
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        tables = {}
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file claims of its size is not trusted
            if (table := _table(path, sheet.iter_rows(values_only=True))) is not None:
                tables[str(sheet.title)] = table
    if not tables:
        raise InputError(
            f"{path} has no sheet with a table of numbers; if its cells are formulas, save it once in Excel, or as "
            "values"
        )
    return _together(path, tables)


def _together(path: Path, tables: Mapping[str, TextTable]) -> Take:
    """Return one take of the sheets whose channels differ; raise InputError where no sheet has channels."""
    takes: dict[str, Take] = {}
    faults: list[InputError] = []
    for title, table in tables.items():
        try:
            takes[title] = _named_after(title, take_of_table(path, table, "Excel"), alone=len(tables) == 1)
        except InputError as fault:
            faults.append(fault)
    if not takes:
        raise faults[0]
    title, whole = next(iter(takes.items()))
    used, alike = [title], []
    for title, take in list(takes.items())[1:]:
        if {channel.name for channel in take.channels} & {channel.name for channel in whole.channels}:
            alike.append(title)
        else:
            used.append(title)
            channels, notes = whole.channels + take.channels, whole.notes + take.notes
            whole = replace(whole, channels=channels, notes=notes, labels=whole.labels or take.labels)
    if alike:
        names = ", ".join(map(repr, alike))
        whole = whole.noted(f"sheets with the same channels were left out: {names}; save each as a file of its own")
    return whole.noted(f"sheet{'s' * (len(used) > 1)} {', '.join(map(repr, used))}")


def _named_after(title: str, take: Take, alone: bool) -> Take:
    """Put a sheet's title in front of its channels where it names a part of the body, or what they measure."""
    if alone or not set(words_of(title)) & {*PLACE_OF, "emg", "semg"}:
        return take
    return replace(take, channels=tuple(replace(own, name=f"{title}: {own.name}") for own in take.channels))


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (zipfile.BadZipFile, OSError):
        raise InputError(f"{path} is cut off or damaged; save it again as .xlsx") from None
    if "xl/workbook.xml" not in entries:
        raise InputError(f"{path} is an archive, not an Excel file; unpack it and give what is in it")
    if sum(entries.values()) > largest_expansion(path):
        raise InputError(f"{path} {TOO_DENSE}; save it as CSV")


def _table(path: Path, rows: Iterable[tuple[Any, ...]]) -> TextTable | None:
    """Return the table of a sheet; None where it has no two rows of numbers."""
    header: list[tuple[str, ...]] = []
    body: list[tuple[Any, ...]] = []
    for row in rows:
        if len(row) > MAX_CHANNELS:
            raise InputError(f"{path} has {len(row)} columns, more than {MAX_CHANNELS}; save fewer channels")
        if body or _is_numbers(row):
            body.append(row)
        elif any(cell is not None for cell in row):
            header.append(tuple("" if cell is None else str(cell).strip() for cell in row))
        if len(header) > MAX_HEADER_ROWS:
            return None
    while body and all(cell is None for cell in body[-1]):  # those between others are samples that are missing
        body.pop()
    if len(body) < 2:
        return None
    columns = max(map(len, (*body, *header)))
    data = np.full((len(body), columns), np.nan)
    texts: dict[int, list[str]] = {}
    for index, row in enumerate(body):
        for column, cell in enumerate(row):
            number = _number(cell)
            if number is None:
                texts.setdefault(column, [""] * len(body))[index] = str(cell)
            else:
                data[index, column] = number
    _refuse_mixed(path, data, texts, first_row=len(header) + 1)
    return TextTable(tuple(header), data, texts, ())


def _is_numbers(row: tuple[Any, ...]) -> bool:
    """Whether at least two cells, and half of those filled, are numbers."""
    numbers = sum(cell is not None and _number(cell) is not None for cell in row)
    return numbers >= 2 and 2 * numbers >= sum(cell is not None for cell in row)


def _number(cell: Any) -> float | None:
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING):
        return float("nan")
    if isinstance(cell, str) and NUMBER.match(plain := cell.strip().replace(",", ".")):  # stored as text
        return float(plain)
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=cell.tzinfo or timezone.utc).timestamp()
    return float(cell) if isinstance(cell, (int, float)) else None


def _refuse_mixed(path: Path, data: np.ndarray[Any, Any], texts: dict[int, list[str]], first_row: int) -> None:
    """Raise InputError where a column of numbers holds a text."""
    for column, cells in texts.items():
        if np.isfinite(data[:, column]).sum() > sum(map(bool, cells)):
            index, text = next((index, cell) for index, cell in enumerate(cells) if cell)
            raise InputError(
                f"{path}: row {first_row + index} holds '{text[:40]}' in column {column + 1}, which is not a number; "
                "correct it, or leave the cell empty"
            )
        data[:, column] = np.nan
