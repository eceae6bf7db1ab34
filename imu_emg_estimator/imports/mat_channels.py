"""MATLAB files, v5 and v7.3: matrices in variables and structures, with time or a rate beside them.

A matrix of three columns (or six) whose name says accelerometer or gyroscope is x, y, z; a name list
(``labels``, ``channels``, ``names``) of as many texts as a matrix has columns names these.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_units import split_unit
from imu_emg_estimator.imports.channels import MAX_CHANNELS, Array, Channel, Take, check_rate, regular_times
from imu_emg_estimator.imports.optional_readers import optional_reader
from imu_emg_estimator.imports.time_columns import FIRST_EPOCH_S, instants_of, is_time_name

RATE_NAME = re.compile(
    r"(?:^|_)(fs|sf|rate|srate|freq|frequency|sampl\w*_?(?:rate|freq\w*)|samplerate|hz)(?:_|$)", re.I
)
NAMES_NAME = re.compile(r"(?:^|_)(labels?|channels?|names?|columns?|header|channel_?names|muscles?)$", re.I)
UNIT_NAME = re.compile(r"(?:^|_)units?$", re.I)
SIX_AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
INERTIAL = re.compile(r"acc|gyr|ang|omega", re.I)
EMG_NAME = re.compile(r"emg|envelope", re.I)
MAX_DEPTH = 8
MAX_ITEMS = 10_000  # of a v7.3 file, whose reader takes a millisecond for each
MIN_SAMPLES = 8  # a shorter vector is a setting, not a channel

Level = dict[str, Any]  # fields of a structure
Chain = tuple[Level, ...]  # of a structure and of all around it


def read_mat(path: Path) -> Take:
    """Read the channels of a MAT file; raises InputError where it holds none or states no rate."""
    reader = optional_reader("pymatreader", "MATLAB files", path)
    _refuse_links(path)
    content = reader.read_mat(str(path))
    notes: list[str] = []
    channels = [channel for place, chain in _places(content) for channel in _of_place(path, place, chain, notes)]
    if not channels:
        raise InputError(
            f"{path} holds no matrix of samples; a table or timetable is read by MATLAB alone: save its numbers, as in "
            "data = table2array(T), with their names"
        )
    absolute = any(channel.times[0] > FIRST_EPOCH_S for channel in channels)
    return Take(path, "MAT", tuple(channels), absolute, tuple(dict.fromkeys(notes)))


def _refuse_links(path: Path) -> None:
    """Raise InputError where a v7.3 file, which is HDF5, makes its reader open other files, or read for minutes."""
    h5py = optional_reader("h5py", "MATLAB v7.3 files", path)
    if not h5py.is_hdf5(path):
        return
    numbers = itertools.count(1)

    def fault(name: str, link: Any) -> str | None:
        if next(numbers) > MAX_ITEMS or name.count("/") > MAX_DEPTH:
            return f"{path} holds more than {MAX_ITEMS} variables, or nested deeply; save the trial alone"
        item = None if isinstance(link, (h5py.ExternalLink, h5py.SoftLink)) else file[name]
        is_elsewhere = item is None or (isinstance(item, h5py.Dataset) and (item.external or item.is_virtual))
        told = f"{path}: '{name}' is a link to other data, which MATLAB does not write; save the file again"
        return told if is_elsewhere else None

    with h5py.File(path, "r") as file:
        found = file.visititems_links(fault)
    if found:
        raise InputError(found)


def _places(content: Mapping[str, Any], place: str = "", above: tuple[Level, ...] = ()) -> Iterator[tuple[str, Chain]]:
    """Yield the name of the file's top and of each structure, with its fields and those of all around it."""
    fields = {str(name): value for name, value in content.items() if not str(name).startswith("__")}
    chain = (fields, *above)
    yield place, chain
    if len(chain) > MAX_DEPTH:
        return
    for name, value in fields.items():
        inner = f"{place}_{name}" if place else name
        items = value if isinstance(value, list) else _elements(value)
        for number, item in enumerate(items, start=1):
            if isinstance(item, Mapping):
                yield from _places(item, inner if len(items) == 1 else f"{inner}_{_name_of(item, number)}", chain)


def _elements(value: Any) -> list[Any]:
    """Return the elements of an array of structures, whose reader gives a list for each field; else the value alone."""
    fields = list(value.values()) if isinstance(value, Mapping) else []
    counts = {len(field) if isinstance(field, list) else 0 for field in fields}
    count = counts.pop() if len(counts) == 1 else 0
    if count < 2 or not any(isinstance(item, np.ndarray) for field in fields for item in field):
        return [value]
    return [dict(zip(value, items, strict=True)) for items in zip(*fields, strict=True)]


def _name_of(item: Mapping[str, Any], number: int) -> str:
    """Return what an element of an array of structures calls itself, else its number."""
    named = next((item[key] for key in ("name", "label", "sensor", "segment") if isinstance(item.get(key), str)), "")
    return str(named) or str(number)


def _of_place(path: Path, place: str, chain: Chain, notes: list[str]) -> Iterator[Channel]:
    clocks = [
        (name, matrix[:, 0]) for level in chain for name, matrix in _matrices(level).items() if _is_clock(name, matrix)
    ]
    deep = [name for name, value in chain[0].items() if isinstance(value, np.ndarray) and value.ndim > 2]
    notes.extend(f"'{name}' has more than two dimensions and was left out" for name in deep)
    matrices = _matrices(chain[0])
    wide = {name: matrix for name, matrix in matrices.items() if is_time_name(name, "") and matrix.shape[1] > 1}
    for name, matrix in matrices.items():
        if _is_clock(name, matrix) or name in wide or _is_rates(name, matrix):
            continue
        full = f"{place}_{name}" if place else name
        if own := next(((clock, each) for clock, each in wide.items() if each.shape == matrix.shape), None):
            for column, (label, unit, values) in enumerate(_columns(full, matrix, chain)):
                times = own[1][:, column]
                length = int(np.argmax(times))  # slower channels end earlier, with zeros up to the end
                instants, told = instants_of(path, own[0], "", times[: length + 1])
                notes.extend(told)
                yield Channel(label, unit, instants, values[: length + 1])
            continue
        times = _times(path, full, len(matrix), clocks, chain, notes)
        for label, unit, values in _columns(full, matrix, chain):
            yield Channel(label, unit, times, values)


def _matrices(level: Level) -> dict[str, Array]:
    return {name: matrix for name, value in level.items() if (matrix := _matrix(value)) is not None}


def _is_clock(name: str, matrix: Array) -> bool:
    return matrix.shape[1] == 1 and is_time_name(*split_unit(name))


def _is_rates(name: str, matrix: Array) -> bool:
    """Whether a vector states a rate for each of several channels, which each have their own clock beside."""
    return bool(RATE_NAME.fullmatch(name)) and matrix.shape[1] == 1 and len(matrix) <= MAX_CHANNELS


def _matrix(value: Any) -> Array | None:
    """Return numbers as [samples, channels], the longer side first; None for all else."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim not in (1, 2):
        return None
    matrix = value[:, None] if value.ndim == 1 else value
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return matrix.astype(np.float64) if len(matrix) >= MIN_SAMPLES else None


def _times(
    path: Path, name: str, samples: int, clocks: Sequence[tuple[str, Array]], chain: Chain, notes: list[str]
) -> Array:
    fitting = [(clock, values) for clock, values in clocks if len(values) == samples]
    if fitting:
        times, told = instants_of(path, *split_unit(fitting[0][0]), fitting[0][1])
        notes.extend(told)
        return times
    rate = next((rate for level in chain if (rate := _rate(level, name)) is not None), None)
    if rate is None:
        raise InputError(
            f"{path}: neither a vector 'time' of {samples} samples nor a rate 'fs' was found beside '{name}'; save one"
        )
    return regular_times(samples, check_rate(path, name, rate))


def _rate(level: Level, name: str) -> float | None:
    """Return the rate that a scalar states: the one with a kind of the channel's name in its own, else the only one."""
    found = {
        key: float(value)
        for key, value in level.items()
        if RATE_NAME.search(key) and isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    }
    own = [rate for key, rate in found.items() if _shares_word(key, name)]
    if own:
        return own[0]
    fitting = {rate for key, rate in found.items() if not _is_of_another_kind(key, name)}
    return fitting.pop() if len(fitting) == 1 else None


def _shares_word(key: str, name: str) -> bool:
    own = _kinds(name)
    own |= {"imu"} if own & {"acc", "gyr"} else set()
    return bool(own & _kinds(key))


def _is_of_another_kind(key: str, name: str) -> bool:
    """Whether one speaks of EMG and the other of an IMU: ``fs_emg`` is not the rate of ``acc``."""
    ours, theirs = _kinds(key), _kinds(name)
    return bool(ours and theirs) and ("emg" in ours) != ("emg" in theirs)


def _kinds(name: str) -> set[str]:
    return {word for word in ("emg", "imu", "acc", "gyr") if word in name.lower()}


def _unit(chain: Chain, name: str) -> str:
    """Return the unit that a text beside a matrix states: ``unit``, ``emg_unit``."""
    for level in chain:
        texts = {key: value for key, value in level.items() if UNIT_NAME.search(key) and isinstance(value, str)}
        own = [value for key, value in texts.items() if _shares_word(key, name) or key.lower() in ("unit", "units")]
        if own:
            return own[0]
    return ""


def _columns(name: str, matrix: Array, chain: Chain) -> Iterator[tuple[str, str, Array]]:
    """Yield name, unit and values of every column of a matrix."""
    plain, own_unit = split_unit(name)
    for column, label in enumerate(_labels(plain, matrix.shape[1], chain[0])):
        text, stated = split_unit(label)
        yield text, stated or own_unit or _unit(chain, name), matrix[:, column]


def _labels(name: str, columns: int, level: Level) -> list[str]:
    """Return a name for each column."""
    if columns == 1:
        return [name]
    for key, value in level.items():
        texts = value.tolist() if isinstance(value, np.ndarray) and value.dtype.kind == "U" else value
        if NAMES_NAME.search(key) and isinstance(texts, list) and len(texts) == columns:
            return [_with_kind(name, str(text).strip()) for text in texts]
    if columns == 3 and INERTIAL.search(name):
        return [f"{name}_{axis}" for axis in "xyz"]
    if columns == 6 and not EMG_NAME.search(name):
        return [f"{name}_{axis}" for axis in SIX_AXES]
    return [f"{name}_{column + 1}" for column in range(columns)]


def _with_kind(name: str, label: str) -> str:
    """Put 'emg' in front of a label that stands beside a matrix of EMG and does not say so itself."""
    return f"emg_{label}" if "emg" in name.lower() and "emg" not in label.lower() else label
