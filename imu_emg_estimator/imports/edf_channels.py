"""EDF, EDF+ and BDF files: a rate and a unit for each signal."""

from __future__ import annotations

from pathlib import Path

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Array, Channel, Take, check_rate, regular_times
from imu_emg_estimator.imports.optional_readers import optional_reader

STARTS = {b"0       ": "EDF", b"\xffBIOSEMI": "BDF"}


def is_edf(start: bytes) -> bool:
    """Whether a file begins like EDF or BDF."""
    return start[:8] in STARTS


def read_edf(path: Path) -> Take:
    """Read the signals; raises InputError where the header and the length of the file disagree."""
    pyedflib = optional_reader("pyedflib", "EDF and BDF files", path)
    form = STARTS[path.open("rb").read(8)]
    times: dict[tuple[float, int], Array] = {}
    channels = []
    try:
        with pyedflib.EdfReader(str(path)) as reader:
            for index in range(reader.signals_in_file):
                values = reader.readSignal(index)
                name, unit = reader.getLabel(index).strip(), reader.getPhysicalDimension(index).strip()
                rate = check_rate(path, name, float(reader.getSampleFrequency(index)))
                key = (rate, len(values))
                times.setdefault(key, regular_times(len(values), rate))
                channels.append(Channel(name, unit, times[key], values))
    except (InputError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
        raise InputError(f"{path} is not a readable {form} file ({reason}); export it again") from None
    return Take(path, form, tuple(channels))
