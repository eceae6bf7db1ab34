"""A lab's own tables: one CSV or Parquet file for each recording, sensors and muscles named by a rig.

Columns: ``time`` [s]; ``<sensor>_acc_x`` ... [m/s^2] and, if the rig has gyroscopes, ``<sensor>_gyro_x`` ...
[rad/s] for every sensor; ``emg_<muscle>`` (raw) or ``envelope_<muscle>``, their unit in brackets if known, as in
``emg_soleus [mV]``; and, if wanted, ``condition`` and ``subject``. Rows may be uneven, and each sensor may fill rows of
its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.subject_files import SubjectFile, condition_of, load_all
from imu_emg_estimator.datasets.table_columns import (
    column_names,
    read_numbers,
    read_texts,
    require_columns,
    table_files,
)
from imu_emg_estimator.datasets.table_resampling import (
    MAX_IMU_GAP_S,
    check_overlap,
    envelope_on_grid,
    grid_of,
    interpolate,
    latest_value,
    max_emg_gap,
    resample_emg,
    sample_rate,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, RawEmg, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.rig_schema import AXES
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.imu_units import acceleration_unit, rate_unit

TIME, CONDITION, SUBJECT = "time", "condition", "subject"
EMG_COLUMN = re.compile(r"(?P<kind>emg|envelope)_(?P<muscle>[^\[]+?)\s*(\[(?P<unit>[^\]]*)\])?$")
SENSOR_COLUMN = re.compile(r"(?P<sensor>.+)_(?P<kind>acc|gyro)_[xyz]$")
UNKNOWN_UNIT = "unknown"

Array = NDArray[np.float64]


def sensor_columns(sensor: str, *kinds: str) -> list[str]:
    """Return the names of a sensor's columns: x, y and z of each kind, which are ``acc`` and ``gyro``."""
    return [f"{sensor}_{kind}_{axis}" for kind in kinds for axis in AXES]


def subjects(folder: Path) -> list[str]:
    """Subjects that the folder has tables of, in order."""
    return sorted({file.subject for file in _files(folder)})


def load(
    folder: Path,
    rig: Rig,
    only: Collection[str] | None = None,
    workers: int = 1,
) -> list[Recording]:
    """Load the tables of a folder, in order of subject and time.

    Args:
        folder: holds SUBJECT/*.csv (or .parquet), or such files with a column ``subject``.
        rig: names the sensors and muscles; the recordings are on its grid.
        only: subjects to load; None = all.
        workers: processes that parse files side by side.

    Raises:
        InputError: a folder, a subject, a file, a column, a unit or a cell is not as it should be.
    """
    return load_all(folder, _files(folder), partial(_parse, rig=rig), only, workers)


def load_table(path: Path, rig: Rig) -> Recording:
    """Load one table, whose subject is that of its folder; raises InputError as ``load`` does."""
    return _parse(SubjectFile(Path(path), Path(path).absolute().parent.name), rig)[0]


def _files(folder: Path) -> list[SubjectFile]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds SUBJECT/*.csv")
    subjects = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [SubjectFile(path, subject.name) for subject in subjects for path in table_files(subject)]
    files += [SubjectFile(path, _subject_of(path)) for path in table_files(folder)]
    if not files:
        raise InputError(f"data folder {folder} holds no SUBJECT/*.csv or .parquet; see docs/datasets.md")
    return files


def _subject_of(path: Path) -> str:
    """The subject of a table that lies in no subject's folder."""
    if SUBJECT not in column_names(path):
        raise InputError(
            f"{path} lies in no subject's folder and has no column '{SUBJECT}'; name its folder after the subject"
        )
    names = np.unique(read_texts(path, SUBJECT))
    if len(names) != 1 or not names[0]:
        raise InputError(f"{path} has {len(names)} different cells in column '{SUBJECT}'; write one file a subject")
    return str(names[0])


def _parse(file: SubjectFile, rig: Rig) -> tuple[Recording, str]:
    """Return the recording of a table, and the kind of its EMG."""
    path, present = file.path, column_names(file.path)
    names = [name for sensor in rig.sensor_names for name in sensor_columns(sensor, *_kinds(rig))]
    _require_sensors(path, present, names)
    emg_names = _emg_columns(path, rig, present)
    rows = read_numbers(path, [TIME, *names, *emg_names.values()])
    times, imu, emg = rows[:, 0], rows[:, 1 : 1 + len(names)], rows[:, 1 + len(names) :]
    sample_rate(path, times, TIME)
    grid = _grid(path, times, imu, rig.rate)
    on_grid = np.full((len(grid), len(rig.sensors), 6), np.nan)
    on_grid[..., : 3 * len(_kinds(rig))] = interpolate(times, imu, grid, MAX_IMU_GAP_S).reshape(
        len(grid), len(rig.sensors), -1
    )
    _check_units(path, on_grid)
    envelope, unit, raw = _emg(path, times, emg, emg_names, grid, rig)
    recording = Recording(
        name=f"{file.subject}/{path.stem}",
        subject=file.subject,
        rig=rig,
        start=float(grid[0]),
        imu=on_grid.astype(np.float32),
        envelope=envelope,
        envelope_unit=unit,
        muscle_weight=np.ones(len(rig.muscles)),
        condition=_condition(path, present, times, grid, rig),
        emg=raw,
    )
    return recording, "envelope" if raw is None else "raw"


def _kinds(rig: Rig) -> tuple[str, ...]:
    return ("acc", "gyro") if rig.gyroscopes else ("acc",)


def _require_sensors(path: Path, present: list[str], names: list[str]) -> None:
    """Raise InputError for a column of a sensor that is not there."""
    gyroscopes = [name for name in names if "_gyro_" in name]
    if gyroscopes and not set(gyroscopes) & set(present) and set(names) - set(gyroscopes) <= set(present):
        raise InputError(
            f"{path} has no column '{gyroscopes[0]}', nor any other of a gyroscope; write 'gyroscopes: false' into the "
            "rig file if the sensors have none"
        )
    require_columns(path, present, [TIME, *names])


def _grid(path: Path, times: Array, imu: Array, rate: float) -> Array:
    known = np.isfinite(imu).any(axis=1)
    if not known.any():
        raise InputError(f"{path} holds no IMU sample; fill the columns of the sensors, or remove the file")
    grid = grid_of(path, times[known], rate)
    if np.median(np.diff(times[known])) > MAX_IMU_GAP_S:
        raise InputError(
            f"{path}: the IMU samples are further apart than {MAX_IMU_GAP_S:g} s; give '{TIME}' in seconds, "
            "or record faster"
        )
    return grid


def _check_units(path: Path, imu: Array) -> None:
    """Raise InputError unless samples on the grid [samples, sensors, 6] look like m/s^2 and rad/s."""
    acceleration = acceleration_unit(imu)
    if acceleration is None or acceleration[0] != "m/s²":
        found = "not m/s² by the size of gravity" if acceleration is None else f"in {acceleration[0]}"
        raise InputError(f"{path}: the accelerations are {found}; convert them to m/s², with gravity")
    if (unit := rate_unit(imu)[0]) != "rad/s":
        raise InputError(f"{path}: the angular rates are in {unit} by their size; convert them to rad/s")


def _emg_columns(path: Path, rig: Rig, present: list[str]) -> dict[int, str]:
    """Column of every measured muscle, by its place in the rig, all of one kind and unit."""
    found = {name: match for name in present if (match := EMG_COLUMN.match(name))}
    ours = {name: match for name, match in found.items() if match["muscle"] in rig.muscle_names}
    if not ours:
        raise InputError(
            f"{path} has no column emg_<muscle> or envelope_<muscle> of rig '{rig.name}', whose muscles are "
            f"{', '.join(rig.muscle_names)}; it has {', '.join(found) or 'none'}"
        )
    for what in ("kind", "unit"):
        if len({match[what] for match in ours.values()}) > 1:
            raise InputError(f"{path}: the EMG columns {', '.join(ours)} differ in {what}; use one {what}")
    muscles = [rig.muscle_names.index(match["muscle"]) for match in ours.values()]
    if len(set(muscles)) < len(muscles):
        raise InputError(f"{path}: a muscle is in two of the columns {', '.join(ours)}; keep one")
    return dict(zip(muscles, ours, strict=True))


def _emg(
    path: Path, times: Array, values: Array, names: dict[int, str], grid: Array, rig: Rig
) -> tuple[Array, str, RawEmg | None]:
    """Return the envelope [samples, muscles] on the grid, NaN = not measured, its unit, and the raw EMG if there is."""
    match = EMG_COLUMN.match(next(iter(names.values())))
    assert match is not None
    unit = (match["unit"] or "").strip() or UNKNOWN_UNIT
    rows = np.isfinite(values).any(axis=1)
    if rows.sum() < 2:
        raise InputError(f"{path} holds no EMG sample in {', '.join(names.values())}; fill them, or remove the file")
    times, values = times[rows], values[rows]
    every = np.full((len(values), len(rig.muscles)), np.nan)
    every[:, list(names)] = values
    if match["kind"] == "envelope":
        rate = sample_rate(path, times, TIME)
        envelope, raw = interpolate(times, every, grid, max_emg_gap(rate)), None
    else:
        even, rate = resample_emg(path, times, every, grid, TIME)
        envelope = envelope_on_grid(path, even, rate, grid, EnvelopeSettings())
        raw = RawEmg(even.astype(np.float32), rate, unit)
    check_overlap(path, envelope, rig.rate)
    return envelope, unit, raw


def _condition(path: Path, present: list[str], times: Array, grid: Array, rig: Rig) -> NDArray[np.str_]:
    """Activity of every sample of the grid, from its column, where an empty cell means "as before", or the name."""
    if CONDITION not in present:
        return np.full(len(grid), condition_of(path.stem, rig))
    labels = read_texts(path, CONDITION)
    labelled = labels != ""
    if not labelled.any():
        return np.full(len(grid), UNLABELLED)
    return latest_value(times[labelled], labels[labelled], grid, UNLABELLED)
