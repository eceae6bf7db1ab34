"""Analog channels of C3D files, as motion capture systems write them: EMG and IMUs beside the cameras."""

from __future__ import annotations

import re
import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Array, Channel, Take, check_rate, regular_times
from imu_emg_estimator.imports.optional_readers import optional_reader

HEADER_BYTES = 512
MAX_PARAMETER_BYTES = 256 * HEADER_BYTES  # the number of blocks is one byte
MAX_DIMENSIONS = 7
SCALING = ("SCALE", "OFFSET")
WORD = 1 << 16
INERTIAL = re.compile(r"acc|gyr", re.IGNORECASE)
MIPS = 86  # processor by whose order numbers are written; all others put the low byte first


def read_c3d(path: Path) -> Take:
    """Read the analog channels; raises InputError where there is none."""
    ezc3d = optional_reader("ezc3d", "C3D files", path)
    _check_parameters(path)
    content = ezc3d.c3d(str(path))
    analog = content["parameters"]["ANALOG"]
    data = np.asarray(content["data"]["analogs"], dtype=np.float64)[0]
    rate = check_rate(path, "analog channels", float(np.ravel(analog["RATE"]["value"])[0]))
    _check_length(path, data.shape[1])
    if not data.size:
        raise InputError(f"{path} has no analog channel; export EMG and IMUs with it")
    labels, units = (_texts(analog, name, len(data)) for name in ("LABELS", "UNITS"))
    notes = []
    if "UNSIGNED" in _texts(analog, "FORMAT", 1)[0].upper():
        data = as_unsigned(analog, data)
    if set(units) == {"V"} and any(INERTIAL.search(label) for label in labels):
        units = ["" if INERTIAL.search(label) else "V" for label in labels]
        notes.append("it states V for all channels, which is no unit of an IMU and was not taken for one")
    times = regular_times(data.shape[1], rate)
    channels = [
        Channel(labels[index] or f"analog {index + 1}", units[index], times, values)
        for index, values in enumerate(data)
    ]
    return Take(path, "C3D analog", tuple(channels), notes=tuple(notes))


def as_unsigned(analog: Any, data: Array) -> Array:
    """Return samples [channels, samples] of a file of unsigned integers, which its reader took for signed ones."""
    scales, offsets = (np.asarray(analog[name]["value"], dtype=np.float64)[: len(data), None] for name in SCALING)
    scales = scales * float(np.ravel(analog["GEN_SCALE"]["value"])[0])
    counts = np.round(data / scales + offsets)
    return np.asarray((counts % WORD - offsets % WORD) * scales)


def _check_parameters(path: Path) -> None:
    """Raise InputError where a parameter claims to be larger than the file: its reader would take minutes for it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = HEADER_BYTES * (file.read(1)[0] - 1)
        file.seek(start)
        block = file.read(MAX_PARAMETER_BYTES)
    order = ">" if block[3:4] == bytes([MIPS]) else "<"
    place = 4
    while len(head := block[place : place + 2]) == 2 and head[0]:
        length, group = struct.unpack("2b", head)
        offset_at = place + 2 + abs(length)
        record = block[offset_at : offset_at + 4 + MAX_DIMENSIONS]
        if len(record) < 4:
            return
        (offset,) = struct.unpack_from(f"{order}h", record)
        element, dimensions = abs(struct.unpack_from("b", record, 2)[0]), record[4 : 4 + record[3]]
        if group > 0 and element * prod(dimensions) > size:
            name = block[place + 2 : offset_at].decode("ascii", "backslashreplace")
            raise InputError(
                f"{path} is damaged: its parameter {name!r} claims more than the file holds; copy it again"
            )
        if offset <= 0:
            return
        place = offset_at + offset


def _check_length(path: Path, samples: int) -> None:
    """Raise InputError where the file holds less than its header states; its reader shortens the data in silence."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        file.seek(HEADER_BYTES * (header[0] - 1) + 3)
        order = ">" if file.read(1)[0] == MIPS else "<"
    first, last = struct.unpack_from(f"{order}2H", header, 6)
    (per_frame,) = struct.unpack_from(f"{order}H", header, 18)
    stated = (last - first + 1) * per_frame
    if samples < stated:
        raise InputError(f"{path} is cut off: it holds {samples} of the {stated} samples that it states; copy it again")


def _texts(group: Any, name: str, count: int) -> list[str]:
    """Return so many texts of a parameter, '' where there are fewer; those beyond 255 stand in NAME2, NAME3."""
    keys = (name, *(f"{name}{number}" for number in range(2, 10)))
    texts = [str(text).strip() for key in keys if key in group for text in group[key]["value"]]
    return [*texts, *[""] * count][:count]
