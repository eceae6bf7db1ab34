"""EDF, EDF+ and BDF files: a rate and a unit for each signal."""

from __future__ import annotations

from pathlib import Path

from imu_emg_estimator.imports.channels import Array, Channel, Take, check_rate, regular_times
from imu_emg_estimator.imports.optional_readers import optional_reader

BDF_START = b"\xffBIOSEMI"


def read_edf(path: Path) -> Take:
    """Read the signals; raises InputError where the header and the length of the file disagree."""
    pyedflib = optional_reader("pyedflib", "EDF and BDF files", path)
    form = "BDF" if path.open("rb").read(8) == BDF_START else "EDF"
    times: dict[tuple[float, int], Array] = {}
    channels = []
    with pyedflib.EdfReader(str(path)) as reader:
        for index in range(reader.signals_in_file):
            values = reader.readSignal(index)
            name, unit = reader.getLabel(index).strip(), reader.getPhysicalDimension(index).strip()
            rate = check_rate(path, name, float(reader.getSampleFrequency(index)))
            key = (rate, len(values))
            times.setdefault(key, regular_times(len(values), rate))
            channels.append(Channel(name, unit, times[key], values))
        texts = [text for text in reader.readAnnotations()[2] if text]
    notes = [f"annotations such as '{text}' were left out; --condition tells what was done" for text in texts[:1]]
    return Take(path, form, tuple(channels), notes=tuple(notes))
