"""Tables in files: columns of CSV and Parquet, brought onto a rig's grid.

What the data sets that come as tables share. Instants are in seconds, gaps become NaN and are never filled.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags import BRIDGED, LONGEST
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import LOCOMOTION, UNLABELLED, FloatArray, Recording
from imu_emg_estimator.signals.emg_envelope import MINIMUM_DURATION, EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings
from imu_emg_estimator.utils.progress import ProgressBar

Array = NDArray[np.float64]
Item = TypeVar("Item")
Result = TypeVar("Result")

SUFFIXES = (".csv", ".parquet")
LARGEST_GAP = AlignmentSettings().largest_gap  # s; as in the live node, IMU data are not interpolated over more
SLACK = 1e-6  # s; instants in files are rounded

GRAVITY = 9.80665  # m/s^2
GRAVITY_RANGE = (0.6, 1.6)  # median magnitude of an acceleration while people move about, in units of gravity
FASTEST = 40.0  # rad/s; limbs stay below (gyroscopes end at 35), in deg/s every step goes beyond


# columns


def table_files(folder: Path) -> list[Path]:
    """CSV and Parquet files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def columns(path: Path) -> list[str]:
    """Names of a table's columns."""
    if path.suffix.lower() == ".parquet":
        return [str(name) for name in _parquet(path, []).schema.names]
    with _opened(path) as lines:
        return _header(lines)


def numbers(path: Path, names: Sequence[str]) -> Array:
    """Columns of a table as numbers [rows, names]; an empty cell is NaN.

    Raises:
        InputError: the file cannot be read, or lacks a column, or a cell is no number.
    """
    require(path, columns(path), names)
    rows = _parquet_numbers(path, names) if path.suffix.lower() == ".parquet" else _csv_numbers(path, names)
    if len(rows) < 2:
        raise InputError(f"{path} holds {len(rows)} rows of data; record more, or remove it")
    return rows


def words(path: Path, name: str) -> NDArray[np.str_]:
    """One column of a table as text [rows], without the blanks around it; an empty cell is ''."""
    require(path, columns(path), [name])
    if path.suffix.lower() == ".parquet":
        values = _parquet(path, [name]).column(name).to_pylist()
        return np.array(["" if value is None else str(value).strip() for value in values], dtype=np.str_)
    with _opened(path) as lines:
        index = _header(lines).index(name)
        return np.array([row[index].strip() if index < len(row) else "" for row in csv.reader(lines) if row])


def require(path: Path, present: Sequence[str], wanted: Iterable[str]) -> None:
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
        warnings.simplefilter("ignore", UserWarning)  # of no data, which is refused
        return np.loadtxt(lines, delimiter=",", usecols=usecols, quotechar='"', comments=None, ndmin=2)


def _with_empty_cells(path: Path, names: Sequence[str]) -> Array:
    """The columns, once 'nan' stands in every empty cell, which numpy's fast reader insists on."""
    with _opened(path) as lines:
        text = lines.read().rstrip() + "\n"
    for _ in range(2):  # twice, for the cells of ',,,' overlap
        text = text.replace(",,", ",nan,")
    try:
        return _parsed(io.StringIO(text.replace(",\n", ",nan\n").replace("\n,", "\nnan,")), names)
    except ValueError:
        raise _bad_cell(path, names) from None


def _bad_cell(path: Path, names: Sequence[str]) -> InputError:
    """Which cell is at fault; slow, but only ever run once."""
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
    """Some columns of a Parquet file as a pyarrow table; with no names, a table without rows that has all columns."""
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"{path} is Parquet, which needs pyarrow; pip install pyarrow, or save it as CSV") from None
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


# the grid


def sample_rate(path: Path, times: Array, column: str) -> float:
    """Rate [Hz] of increasing instants [rows], from their median distance."""
    if not np.isfinite(times).all():
        raise InputError(f"{path}: column '{column}' has an empty cell; give every row its instant")
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise InputError(
            f"{path}: column '{column}' does not increase from {times[row - 1]:.10g} to {times[row]:.10g} s "
            f"(row {row + 1} of the data); sort the rows, and split the file where its clock restarts"
        )
    return float(f"{1.0 / np.median(steps):.6g}")


def grid_of(path: Path, times: Array, rate: float) -> Array:
    """Instants [samples] of a grid of this rate [Hz] from the first to the last of these."""
    duration = float(times[-1] - times[0])
    if duration > LONGEST:
        raise InputError(
            f"{path} covers {duration / 3600:.1f} h, more than {LONGEST / 3600:g} h; give instants in seconds, "
            "or split the file"
        )
    if duration < MINIMUM_DURATION:
        raise InputError(
            f"{path} covers {duration:.3g} s, at least {MINIMUM_DURATION:g} s are needed; give instants in seconds, "
            "or remove the file"
        )
    grid: Array = times[0] + np.arange(int(duration * rate + SLACK) + 1) / rate
    return grid


def on_grid(times: Array, values: FloatArray, grid: Array, largest_gap: float) -> Array:
    """Columns [rows, columns] interpolated linearly to a grid [samples], as ``GridAligner`` does live.

    A NaN is a sample that was not taken. The result is NaN outside of a column's first and last sample, and
    between two samples further apart than the gap [s].
    """
    result = np.full((len(grid), values.shape[1]), np.nan)
    for column, result_column in zip(values.T, result.T, strict=True):
        known = np.isfinite(column)
        if not known.any():
            continue
        own = times[known]
        after = np.clip(np.searchsorted(own, grid - SLACK), 0, len(own) - 1)
        before = np.clip(np.searchsorted(own, grid + SLACK, side="right") - 1, 0, len(own) - 1)
        covered = (own[0] <= grid + SLACK) & (grid - SLACK <= own[-1])
        covered &= own[after] - own[before] <= largest_gap + SLACK
        result_column[covered] = np.interp(grid[covered], own, column[known])
    return result


def on_own_grid(path: Path, times: Array, values: Array, grid: Array, column: str) -> tuple[Array, float]:
    """EMG columns [rows, columns] on an even time base of their own rate, and that rate [Hz].

    A filter needs even samples. The base begins with the rig's grid, as a Recording's raw EMG must.
    """
    rate = sample_rate(path, times, column)
    base = grid[0] + np.arange(int((grid[-1] - grid[0]) * rate + SLACK) + 1) / rate
    return on_grid(times, values, base, bridged(rate)), rate


def bridged(rate: float) -> float:
    """The gap [s] that EMG of this rate [Hz] is interpolated over."""
    return max(1.5 / rate, BRIDGED)


def envelope_on_grid(path: Path, raw: Array, rate: float, grid: Array, settings: EnvelopeSettings) -> Array:
    """Envelope [samples, muscles] on the grid, of even raw EMG [rows, muscles] that begins with it.

    A channel that never changes measured nothing: NaN, and not the noise that a filter makes of a constant.
    """
    alive = np.array([_varies(channel) for channel in raw.T])
    try:
        envelope = emg_envelope(np.where(alive, raw, np.nan), rate, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return np.maximum(on_grid(grid[0] + np.arange(len(raw)) / rate, envelope, grid, bridged(rate)), 0.0)


def check_overlap(path: Path, envelope: Array, rate: float) -> None:
    """Raise InputError where EMG [samples, muscles] is known for less of the grid than a filter needs."""
    seconds = np.isfinite(envelope).any(axis=1).sum() / rate
    if seconds < MINIMUM_DURATION:
        raise InputError(
            f"{path} holds {seconds:.1f} s in which IMU and EMG data overlap; "
            f"at least {MINIMUM_DURATION:g} s are needed, by the same clock"
        )


def latest(times: Array, values: NDArray[Any], grid: Array, otherwise: Any) -> NDArray[Any]:
    """The value [samples] that held last at each instant of the grid; before the first: otherwise."""
    index = np.searchsorted(times, grid + SLACK, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], otherwise)


# units


def acceleration_unit(imu: FloatArray) -> tuple[str, float] | None:
    """Unit of accelerations [samples, sensors, 6] and what it is in m/s^2, from gravity; None = neither g nor m/s^2."""
    magnitude = np.linalg.norm(imu[..., :3], axis=-1)
    if not np.isfinite(magnitude).any():
        return None
    median = float(np.nanmedian(magnitude))
    for name, scale in (("m/s²", 1.0), ("g", GRAVITY)):
        if GRAVITY_RANGE[0] * GRAVITY <= median * scale <= GRAVITY_RANGE[1] * GRAVITY:
            return name, scale
    return None


def rate_unit(imu: FloatArray) -> tuple[str, float]:
    """Unit of angular rates [samples, sensors, 6] and what it is in rad/s, from the fastest sensor.

    A subject who hardly moves cannot be told: judge all that a subject recorded together.
    """
    magnitude = np.linalg.norm(imu[..., 3:], axis=-1)
    fast = max((float(np.percentile(m, 99)) for c in magnitude.T if len(m := c[np.isfinite(c)])), default=0.0)
    return ("deg/s", np.pi / 180) if fast > FASTEST else ("rad/s", 1.0)


# recordings


def condition_of(name: str) -> str:
    """The activity that a recording's name begins with, such as ``stairs_up`` of ``stairs_up_02``."""
    known = [c for c in (*LOCOMOTION, "standing", "sitting") if name.lower().startswith(c)]
    return max(known, key=len, default=UNLABELLED)


@dataclass(frozen=True)
class Source:
    """A file or bag of a lab's own, and whose it is."""

    path: Path
    subject: str


def load_all(
    folder: Path,
    sources: Sequence[Source],
    read: Callable[[Source], Recording],
    only: Collection[str] | None,
    workers: int,
) -> list[Recording]:
    """Recordings of the wanted subjects, in order of subject and time, in one unit, with trusted channels told.

    Args:
        read: of one source; runs in a process of its own where there are several workers.
    """
    chosen = only_subjects(folder, [source.subject for source in sources], only)
    recordings = in_parallel(read, [source for source in sources if source.subject in chosen], workers)
    recordings.sort(key=lambda recording: (recording.subject, recording.start, recording.name))
    check_one_unit(recordings)
    return weighed(recordings)


def only_subjects(folder: Path, present: Sequence[str], only: Iterable[str] | None) -> set[str]:
    """The subjects to load; raises InputError that names one that is not there."""
    chosen = set(present if only is None else only)
    if unknown := sorted(chosen - set(present)):
        raise InputError(f"{folder} has no subject {unknown[0]}; it has {', '.join(sorted(set(present)))}")
    return chosen


def in_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str = "reading"
) -> list[Result]:
    """Results in order, made by so many processes."""
    progress = ProgressBar(title)
    results = []
    if workers == 1 or len(items) == 1:
        for item in items:
            results.append(function(item))
            progress(len(results), len(items))
        return results
    with ProcessPoolExecutor(min(workers, len(items))) as pool:
        for result in pool.map(function, items):
            results.append(result)
            progress(len(results), len(items))
    return results


def weighed(recordings: Sequence[Recording]) -> list[Recording]:
    """Recordings whose EMG channels are trusted by subject, as training and scores expect.

    An electrode that gave nothing in one recording is not known there; one that never did has weight 0.
    """
    weights = {recording.subject: np.zeros(len(recording.rig.muscles)) for recording in recordings}
    result = []
    for recording in recordings:
        alive = np.array([_varies(channel) for channel in recording.envelope.T])
        np.maximum(weights[recording.subject], alive, out=weights[recording.subject])
        result.append(replace(recording, envelope=np.where(alive, recording.envelope, np.nan).astype(np.float32)))
    return [replace(recording, muscle_weight=weights[recording.subject]) for recording in result]


def check_one_unit(recordings: Sequence[Recording]) -> None:
    """Raise InputError where two recordings state EMG in different units, which no reference amplitude fits."""
    first = recordings[0]
    for recording in recordings:
        if recording.envelope_unit != first.envelope_unit:
            raise InputError(
                f"the EMG of {recording.name} is in '{recording.envelope_unit}', that of {first.name} in "
                f"'{first.envelope_unit}'; use one unit"
            )


def _varies(channel: NDArray[Any]) -> bool:
    known = channel[np.isfinite(channel)]
    return len(known) > 0 and float(np.ptp(known)) > 1e-6 * float(np.abs(known).max())
