"""The kind of data set that a folder holds, told by its files."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from imu_emg_estimator.datasets.table_columns import SUFFIXES, column_names
from imu_emg_estimator.errors import InputError

BAGS = ("*/*.mcap", "*/*.mcap.zst", "*/*.db3", "*/*/metadata.yaml")


def kind_of(folder: Path) -> str:
    """Return the name of the data set: HuGaDB, bags, tables in the documented form, or else any files.

    Raises:
        InputError: the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds the recordings")
    if any(folder.glob("HuGaDB_v1_*.txt*")):
        return "hugadb"
    if any(any(folder.glob(pattern)) for pattern in BAGS):
        return "bags"
    tables = (path for path in chain(folder.glob("*/*"), folder.glob("*")) if path.suffix.lower() in SUFFIXES)
    return "csv" if _is_documented(next(tables, None)) else "files"


def _is_documented(table: Path | None) -> bool:
    try:
        names = column_names(table) if table else []
    except InputError:  # of another encoding, for one
        return False
    return "time" in names and any(name.endswith("_acc_x") for name in names)
