"""Columns of CSV and Parquet tables."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.optional_packages import needs

Array = NDArray[np.float64]

SUFFIXES = (".csv", ".parquet")


def table_files(folder: Path) -> list[Path]:
    """Return the CSV and Parquet files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def usual_rate(times: Array) -> float:
    """Return the rate [Hz] of two or more ascending instants [s] by the median of what a second holds.

    A distance of two alone is longer or shorter where instants are those of arrival, and a gap counts once.
    """
    step = min(max(round(1.0 / float(np.median(np.diff(times)))), 1), len(times) - 1)
    return step / float(np.median(times[step:] - times[:-step]))


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns."""
    if path.suffix.lower() == ".parquet":
        return [str(name) for name in _parquet(path, []).schema.names]
    with _opened(path) as lines:
        return _header(lines)


def read_numbers(path: Path, names: Sequence[str]) -> Array:
    """Read columns of a table as numbers [rows, names]; an empty cell is NaN.

    Raises:
        InputError: the file cannot be read, or lacks a column, or a cell is not a number.
    """
    require_columns(path, column_names(path), names)
    rows = _parquet_numbers(path, names) if path.suffix.lower() == ".parquet" else _csv_numbers(path, names)
    if len(rows) < 2:
        raise InputError(f"{path} holds {len(rows)} rows of data; record more, or remove it")
    return rows


def read_texts(path: Path, name: str) -> NDArray[np.str_]:
    """Read one column of a table as text [rows], stripped of blanks; an empty cell is ''."""
    require_columns(path, column_names(path), [name])
    if path.suffix.lower() == ".parquet":
        values = _parquet(path, [name]).column(name).to_pylist()
        return np.array(["" if value is None else str(value).strip() for value in values], dtype=np.str_)
    with _opened(path) as lines:
        index = _header(lines).index(name)
        return np.array([row[index].strip() if index < len(row) else "" for row in csv.reader(lines) if row])


def require_columns(path: Path, present: Sequence[str], wanted: Iterable[str]) -> None:
    """Raise InputError that names the first column that a table lacks."""
    for name in wanted:
        if name not in present:
            shown = ", ".join(present[:40])
            raise InputError(f"{path} has no column '{name}'; its columns are {shown}: add it or correct its name")


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield lines
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a CSV file in UTF-8; save it as one") from None


def _header(lines: TextIO) -> list[str]:
    return [name.strip() for name in next(csv.reader([lines.readline()]), [])]


def _csv_numbers(path: Path, names: Sequence[str]) -> Array:
    try:
        with _opened(path) as lines:
            return _parsed(lines, names)
    except InputError:
        raise
    except ValueError:
        return _with_empty_cells(path, names)


def _parsed(lines: TextIO, names: Sequence[str]) -> Array:
    header = _header(lines)
    usecols = [header.index(name) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a table without rows, which is refused
        return np.loadtxt(lines, delimiter=",", usecols=usecols, quotechar='"', comments=None, ndmin=2)


def _with_empty_cells(path: Path, names: Sequence[str]) -> Array:
    """Parse the columns once 'nan' stands in every empty cell, which numpy's fast reader insists on."""
    with _opened(path) as lines:
        text = lines.read().rstrip() + "\n"
    for _ in range(2):  # twice, for the cells of ',,,' overlap
        text = text.replace(",,", ",nan,")
    try:
        return _parsed(io.StringIO(text.replace(",\n", ",nan\n").replace("\n,", "\nnan,")), names)
    except ValueError:
        raise _bad_cell(path, names) from None


def _bad_cell(path: Path, names: Sequence[str]) -> InputError:
    """Find the cell at fault; slow, but only run to report an error."""
    with _opened(path) as lines:
        header = _header(lines)
        for line, row in enumerate(csv.reader(lines), start=2):
            if row and len(row) != len(header):
                return InputError(f"{path}: line {line} has {len(row)} cells, the header has {len(header)}; correct it")
            for name, cell in zip(header, row, strict=False):
                if name in names and not _is_number(cell):
                    return InputError(
                        f"{path}: line {line} holds '{cell}' in column '{name}', which is not a number; "
                        "correct it, or leave the cell empty"
                    )
    return InputError(f"{path} is not a CSV table of numbers; save it as one, separated by commas")


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _parquet(path: Path, names: Sequence[str]) -> Any:
    """Read columns of a Parquet file into a pyarrow table; without names, a table of all columns without rows."""
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"{path} is Parquet, which {needs('pyarrow')}; or save it as CSV") from None
    try:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=list(names)) if names else file.schema_arrow.empty_table()
    except (OSError, pyarrow.ArrowException):
        raise InputError(f"{path} is not a readable Parquet file; write it again") from None


def _parquet_numbers(path: Path, names: Sequence[str]) -> Array:
    table = _parquet(path, names)
    result = np.empty((table.num_rows, len(names)))
    for index, name in enumerate(names):
        try:
            result[:, index] = table.column(name).to_numpy()
        except (TypeError, ValueError):
            raise InputError(f"{path}: column '{name}' does not hold numbers; write it as numbers") from None
    return result
