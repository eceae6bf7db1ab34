"""Tables of numbers in text: encoding, separator, decimal sign and the lines above the numbers are found, not asked."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import MAX_CHANNELS, Array

MAX_HEADER_CHARACTERS = 1 << 20
MAX_HEADER_LINES = 400
SAMPLE_LINES = 30  # that separator and decimal sign are found from
CHUNK_LINES = 10_000
SEPARATORS = ("\t", ";", ",", "|", " ")  # ' ' = any blanks
MISSING = frozenset({"", "nan", "n/a", "na", "#n/a", "null", "none", "-", "--", "inf", "-inf"})
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")

Row = tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """How a text file writes a table: separator, decimal sign and number of columns."""

    encoding: str
    separator: str
    decimal: str
    columns: int

    def split(self, line: str) -> Row:
        """Split a line into cells without blanks or quotes around them."""
        if self.separator == " ":
            return tuple(line.split())
        line = line.rstrip("\r\n")
        cells = next(csv.reader([line], delimiter=self.separator), []) if '"' in line else line.split(self.separator)
        return tuple(cell.strip() for cell in cells)

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN for a missing one, None where it is text."""
        cell = cell.replace(",", ".") if self.decimal == "," else cell
        if NUMBER.match(cell):
            return float(cell)
        return np.nan if cell.lower() in MISSING else None


@dataclass(frozen=True)
class TextTable:
    """Numbers of a text file, and the lines above them.

    Attributes:
        header: cells of every line above the numbers.
        data: [rows, columns]; NaN = missing, and all of a column of text.
        texts: cells of the columns of text, by column.
        notes: what was left out.
    """

    header: tuple[Row, ...]
    data: Array
    texts: dict[int, list[str]]
    notes: tuple[str, ...]


def read_text_table(path: Path) -> TextTable:
    """Read a table of numbers in any usual dialect.

    Raises:
        InputError: the text holds no table, a cell is not a number, or a row has too many or too few cells.
    """
    encoding = text_encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as lines:
            head = _head(lines)
            dialect = _dialect(path, head, encoding)
            numeric = _numeric_columns(dialect, head)
            first = _first_row(path, dialect, head, numeric)
            header = tuple(_uncommented(dialect, line) for line in head[:first] if line.strip())
            _refuse_two_commas(path, header, dialect)
            return _Body(path, dialect, numeric, first).read(_after(path, head[first:], lines), header)
    except UnicodeDecodeError:
        raise InputError(f"{path} is neither text nor a known form; give an export of IMU or EMG data") from None


def text_encoding(path: Path) -> str:
    """Return the encoding of a text file, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in start:
        if b"\x00" not in start[0:200:2] and 2 * start[1:200:2].count(0) > len(start[1:200:2]):
            return "utf-16-le"
        raise InputError(f"{path} is neither text nor a known form; give an export of IMU or EMG data")
    try:
        start[: max(len(start) - 4, 0)].decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8-sig" if error.reason == "unexpected end of data" else "cp1252"
    return "utf-8-sig"


def _head(lines: TextIO) -> list[str]:
    """Return the first lines, at most so many characters of them."""
    head: list[str] = []
    left = MAX_HEADER_CHARACTERS
    while left > 0 and len(head) < MAX_HEADER_LINES and (line := lines.readline(left)):
        left -= len(line)
        head.append(line)
    return head


def _after(path: Path, head: Sequence[str], lines: TextIO) -> Iterator[str]:
    yield from head
    while line := lines.readline(MAX_HEADER_CHARACTERS):
        if len(line) == MAX_HEADER_CHARACTERS:
            raise InputError(f"{path} has a line of more than {MAX_HEADER_CHARACTERS >> 20} MiB; export it again")
        yield line


def _dialect(path: Path, head: Sequence[str], encoding: str) -> Dialect:
    """Choose the separator and decimal sign by which most cells of the last lines are numbers."""
    lines = [line for line in head if line.strip()]
    if len(lines) > 2:
        lines = lines[:-1]  # the last one may be cut off
    quoted = any('"' in line for line in lines[-SAMPLE_LINES:])
    found = [
        (share, count, dialect)
        for separator in SEPARATORS
        for decimal in ((".", ",") if separator != "," or quoted else (".",))
        for dialect, share, count in [_rated(lines, Dialect(encoding, separator, decimal, 0))]
        if count > 1
    ]
    best = max(found, key=lambda entry: entry[:2], default=None)
    if best is None or best[0] == 0:
        raise InputError(
            f"{path} holds no table of numbers in its first {len(head)} lines; give an export of IMU or EMG data"
        )
    if best[1] > MAX_CHANNELS:
        raise InputError(f"{path} has {best[1]} columns, more than {MAX_CHANNELS}; export fewer channels")
    return best[2]


def _rated(lines: Sequence[str], dialect: Dialect) -> tuple[Dialect, float, int]:
    """Return a dialect with its columns, the share of cells that are numbers by it, and the columns."""
    sample: list[Row] = []
    for line in reversed(lines):
        cells = dialect.split(line)
        is_text = all(dialect.number(cell) is None for cell in cells)
        if len(sample) == SAMPLE_LINES or (sample and (is_text or len(cells) != len(sample[0]))):
            break
        sample.append(cells)
    filled = [cell for row in sample for cell in row if cell.lower() not in MISSING]
    numbers = sum(dialect.number(cell) is not None for cell in filled)
    columns = len(sample[0]) if sample else 0
    return (
        Dialect(dialect.encoding, dialect.separator, dialect.decimal, columns),
        numbers / max(len(filled), 1),
        columns,
    )


def _numeric_columns(dialect: Dialect, head: Sequence[str]) -> list[int]:
    """Return the columns whose cells in the last lines are numbers or missing, not text."""
    rows = [cells for line in head if len(cells := dialect.split(line)) == dialect.columns]
    rows = rows[-SAMPLE_LINES:]
    return [
        column
        for column in range(dialect.columns)
        if 2 * sum(dialect.number(row[column]) is None for row in rows) < len(rows)
    ]


def _first_row(path: Path, dialect: Dialect, head: Sequence[str], numeric: Sequence[int]) -> int:
    for index, line in enumerate(head):
        cells = dialect.split(line)
        if len(cells) != dialect.columns:
            continue
        numbers = [dialect.number(cells[column]) for column in numeric]
        if all(number is not None for number in numbers) and np.isfinite(np.array(numbers, dtype=float)).any():
            return index
    raise InputError(
        f"{path} holds no row of numbers in its first {len(head)} lines; give an export of IMU or EMG data"
    )


def _uncommented(dialect: Dialect, line: str) -> Row:
    return dialect.split(re.sub(r"^\s*(#|%|//)\s*", "", line))


def _refuse_two_commas(path: Path, rows: Sequence[Row], dialect: Dialect) -> None:
    """Raise InputError where commas both separate cells and stand in numbers: twice as many cells as names."""
    texts = (cells for row in reversed(rows) if (cells := [cell for cell in row if cell]))
    names = next((len(cells) for cells in texts if all(dialect.number(cell) is None for cell in cells)), 0)
    if names > 1 and dialect.separator == "," and dialect.columns == 2 * names:
        raise InputError(
            f"{path} has {names} names and {dialect.columns} cells a row: commas separate its cells and stand in its "
            "numbers; export it with semicolons or decimal points"
        )


class _Body:
    """Reads the rows of numbers, in chunks: fast where they are regular, by the cell where they are not."""

    def __init__(self, path: Path, dialect: Dialect, numeric: Sequence[int], header_lines: int) -> None:
        self._path, self._dialect, self._numeric = path, dialect, list(numeric)
        self._line = header_lines
        self._texts: dict[int, list[str]] = {c: [] for c in range(dialect.columns) if c not in set(numeric)}
        self._late: dict[int, dict[int, str]] = {}  # texts of columns that were empty up to them, by row
        self._chunks: list[Array] = []
        self._notes: list[str] = []
        mark = re.escape(dialect.separator)
        words = "|".join(re.escape(word) for word in sorted(MISSING - {"", "nan"}, key=len, reverse=True))
        self._missing = re.compile(rf"(?<![^\n{mark}])[ ]*(?:{words})?[ ]*(?![^\n{mark}])", re.IGNORECASE)

    def read(self, lines: Iterator[str], header: tuple[Row, ...]) -> TextTable:
        """Read to the end."""
        chunk, ahead = list(islice(lines, CHUNK_LINES)), list(islice(lines, CHUNK_LINES))
        while chunk:
            self._chunks.append(self._numbers(chunk, is_last=not ahead))
            self._line += len(chunk)
            chunk, ahead = ahead, list(islice(lines, CHUNK_LINES))
        data = np.concatenate(self._chunks)
        for column, found in self._late.items():
            self._texts[column] = [found.get(row, "") for row in range(len(data))]
            data[:, column] = np.nan
        return TextTable(header, data, self._texts, tuple(self._notes))

    def _numbers(self, lines: list[str], is_last: bool) -> Array:
        if self._dialect.separator not in (" ", self._dialect.decimal):
            try:
                return self._fast(lines)
            except ValueError:
                pass
        return self._careful(lines, is_last)

    def _fast(self, lines: list[str]) -> Array:
        """Return numbers [rows, columns], NaN in columns of text; raise ValueError where a row is unlike the others."""
        columns = self._dialect.columns
        rows = [self._dialect.split(line) for line in lines] if self._texts else []
        if any(len(row) != columns for row in rows) or (rows and any('"' in line for line in lines)):
            raise ValueError("rows to look at one by one")
        text = "".join(lines).replace("\r\n", "\n")
        if self._dialect.decimal == ",":
            text = text.replace(",", ".")
        text = self._missing.sub("nan", text.rstrip("\n"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            used = self._numeric if rows else None  # where all are, loadtxt tells rows of other lengths
            data = np.loadtxt(
                io.StringIO(text), delimiter=self._dialect.separator, comments=None, ndmin=2, usecols=used
            )
        if not rows:
            if data.shape[1] != columns:
                raise ValueError("another number of columns")
            return data
        for column, texts in self._texts.items():
            texts.extend(row[column] for row in rows)
        whole: Array = np.full((len(rows), columns), np.nan)
        whole[:, self._numeric] = data
        return whole

    def _careful(self, lines: list[str], is_last: bool) -> Array:
        rows = [self._dialect.split(line) if line.strip("\r\n ") else () for line in lines]
        if is_last and len(rows) > 1 and self._is_cut(lines[-1], rows[-1]):
            self._notes.append(f"the last line ({self._line + len(rows)}) is cut off and was left out")
            rows = rows[:-1]
        data: list[list[float]] = []
        for number, cells in enumerate(rows, start=1):
            if cells:
                data.append(self._row(cells, self._line + number, data))
        return np.array(data, dtype=float).reshape(len(data), self._dialect.columns)

    def _is_cut(self, line: str, cells: Row) -> bool:
        return not line.endswith(("\n", "\r")) and 0 < len(cells) < self._dialect.columns

    def _row(self, cells: Row, line: int, above: Sequence[Sequence[float]]) -> list[float]:
        columns = self._dialect.columns
        if len(cells) != columns:
            raise InputError(f"{self._path}: line {line} has {len(cells)} cells, the others have {columns}; correct it")
        row = [np.nan] * columns
        for column in self._numeric:
            number = self._dialect.number(cells[column])
            if number is None and self._is_empty_above(column, above):
                self._late.setdefault(column, {})[sum(map(len, self._chunks)) + len(above)] = cells[column]
                number = np.nan
            elif number is None:
                raise InputError(
                    f"{self._path}: line {line} holds '{cells[column][:40]}' in column {column + 1}, which is not a "
                    "number; correct it, or leave the cell empty"
                )
            row[column] = number
        for column, texts in self._texts.items():
            texts.append(cells[column])
        return row

    def _is_empty_above(self, column: int, above: Sequence[Sequence[float]]) -> bool:
        """Whether no row above holds a number in a column, which is then one of text."""
        return column in self._late or not (
            any(np.isfinite(chunk[:, column]).any() for chunk in self._chunks)
            or any(np.isfinite(row[column]) for row in above)
        )
