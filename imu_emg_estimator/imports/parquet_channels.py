"""Channels of Parquet tables: a column of time, and columns of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import MAX_CHANNELS, TOO_DENSE, Take, largest_expansion
from imu_emg_estimator.imports.delimited_text import TextTable
from imu_emg_estimator.imports.optional_readers import optional_reader
from imu_emg_estimator.imports.table_channels import take_of_table

NUMBER_BYTES = 8


def read_parquet(path: Path) -> Take:
    """Read the numeric columns of a Parquet table; raises InputError where it holds none, or no time."""
    parquet = optional_reader("pyarrow.parquet", "Parquet files", path)
    with parquet.ParquetFile(path) as file:
        if file.metadata.num_columns > MAX_CHANNELS:
            raise InputError(f"{path} has {file.metadata.num_columns} columns, more than {MAX_CHANNELS}; save fewer")
        if NUMBER_BYTES * file.metadata.num_columns * file.metadata.num_rows > largest_expansion(path):
            raise InputError(f"{path} {TOO_DENSE}; save it as CSV")
        table = file.read()
    data = np.full((table.num_rows, table.num_columns), np.nan)
    texts = {}
    for index, name in enumerate(table.column_names):
        try:
            data[:, index] = table.column(name).to_numpy()
        except (TypeError, ValueError):
            texts[index] = [str(value or "") for value in table.column(name).to_pylist()]
    return take_of_table(path, TextTable((tuple(map(str, table.column_names)),), data, texts, ()), "Parquet")
