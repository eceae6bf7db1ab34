"""Pairs of text files of a Myo armband, without header: an instant, then eight counts of EMG or ten values of its IMU.

Rows begin with milliseconds since 1970. ``*_IMU.txt``: quaternion, acceleration [g], angular rate [deg/s], 50 Hz;
``*_EMG.txt``: eight pods in counts, 200 Hz by the armband, less where the computer lost some.
"""

from __future__ import annotations

from pathlib import Path

from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.delimited_text import read_text_table
from imu_emg_estimator.imports.time_columns import without_repeats

IMU_COLUMNS = 11  # instant, quaternion, acceleration, angular rate
EMG_VALUES = rb"([ \t]*-?\d{1,3}[ \t]*,){7}[ \t]*-?\d{1,3}"
IMU_VALUES = rb"([ \t]*[+-]?\d\.\d+[ \t]*,){4}([ \t]*[+-]?\d+\.\d+[ \t]*,){5}[ \t]*[+-]?\d+\.\d+"
MYO_ROW = rb"1\d{12}[ \t]*,(" + EMG_VALUES + rb"|" + IMU_VALUES + rb")\s*\n"
IMU_UNITS = {f"acc_{axis}": "g" for axis in "xyz"} | {f"gyro_{axis}": "deg/s" for axis in "xyz"}


def read_myo(path: Path) -> Take:
    """Read one file of a pair; raises InputError where a row is not like the others."""
    table = read_text_table(path)
    times, repeats = without_repeats(path, "time", table.data[:, 0] / 1e3)
    notes = (*table.notes, *repeats)
    if table.data.shape[1] == IMU_COLUMNS:
        columns = table.data[:, 5:].T
        channels = [
            Channel(f"Myo: {name}", unit, times, values)
            for (name, unit), values in zip(IMU_UNITS.items(), columns, strict=True)
        ]
        return Take(path, "Myo IMU", tuple(channels), absolute=True, notes=notes)
    columns = table.data[:, 1:].T
    channels = [Channel(f"emg_pod_{pod}", "count", times, values) for pod, values in enumerate(columns, start=1)]
    return Take(path, "Myo EMG", tuple(channels), absolute=True, notes=notes)
