"""Faults of a lab's own tables are named by file and place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.csv_tables import CHANNELS, RIG, Writer, load_one, table, without, write_rows
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.rig import Sensor


def test_load_names_bad_folder(write_table: Writer, tmp_path: Path) -> None:
    with refusal(tmp_path / "none", "does not exist", "SUBJECT/*.csv"):
        csv_folders.load(tmp_path / "none", RIG)
    with refusal(tmp_path, "holds no SUBJECT/*.csv"):
        csv_folders.subjects(tmp_path)
    write_table(table())
    with refusal("no subject bert; it has anna"):
        csv_folders.load(tmp_path, RIG, ["bert"])


def test_load_refuses_flat_file_without_subject(write_table: Writer, tmp_path: Path) -> None:
    path = write_table(table(), "flat")
    with refusal(path, "no column 'subject'", "folder"):
        csv_folders.load(tmp_path, RIG)
    write_table(table() | {"subject": ["anna", "bert"] * 1200}, "flat")
    with refusal(path, "2 different cells in column 'subject'"):
        csv_folders.subjects(tmp_path)


@pytest.mark.parametrize("column", ["time", "thigh_gyro_y"])
def test_load_names_missing_column(write_table: Writer, tmp_path: Path, column: str) -> None:
    path = write_table(without(table(), column))
    with refusal(path, f"no column '{column}'", "shank_acc_x"):
        load_one(tmp_path)


def test_load_refuses_table_without_muscle_of_rig(write_table: Writer, tmp_path: Path) -> None:
    columns = table()
    path = write_table(without(columns, "emg_soleus", "emg_biceps") | {"emg_gracilis": columns["emg_soleus"]})
    with refusal(path, "no column emg_<muscle>", "soleus, biceps", "it has emg_gracilis"):
        load_one(tmp_path)


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (("emg_soleus", "envelope_biceps"), "differ in kind"),
        (("emg_soleus [mV]", "emg_biceps [uV]"), "differ in unit"),
        (("emg_soleus", "emg_soleus [mV]"), "differ in unit"),
        (("emg_soleus [mV]", "emg_soleus  [mV]"), "a muscle is in two"),
    ],
)
def test_load_refuses_mixed_emg_columns(
    write_table: Writer, tmp_path: Path, columns: tuple[str, str], part: str
) -> None:
    rows = table()
    path = write_table(without(rows, "emg_soleus", "emg_biceps") | dict.fromkeys(columns, rows["emg_soleus"]))
    with refusal(path, part, *columns):
        load_one(tmp_path)


def test_load_refuses_files_of_different_units(write_table: Writer, tmp_path: Path) -> None:
    rows = table()
    write_table(rows, "anna/a")
    write_table(without(rows, "emg_soleus", "emg_biceps") | {"emg_soleus [mV]": rows["emg_soleus"]}, "anna/b")
    with refusal("anna/b is in 'mV'", "anna/a in 'unknown'"):
        csv_folders.load(tmp_path, RIG)


def test_load_refuses_raw_emg_in_one_file_and_envelopes_in_another(write_table: Writer, tmp_path: Path) -> None:
    rows = table()
    write_table(rows, "anna/a")
    write_table(without(rows, "emg_soleus", "emg_biceps") | {"envelope_soleus": rows["emg_soleus"]}, "ben/b")
    with refusal("envelope in ben/b and raw in anna/a"):
        csv_folders.load(tmp_path, RIG)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda rows: rows[3].__setitem__(1, "three"), "line 5 holds 'three' in column 'shank_acc_x'"),
        (lambda rows: rows[3].pop(), "line 5 has 14 cells, the header has 15"),
        (lambda rows: rows[7].__setitem__(0, ""), "column 'time' has an empty cell"),
        (lambda rows: rows[7].__setitem__(0, rows[6][0]), "'time' does not increase"),
        (lambda rows: rows.__delitem__(slice(1, None)), "holds 1 rows of data"),
        (lambda rows: rows.__delitem__(slice(400, None)), "covers 0.998 s"),
    ],
)
def test_load_names_bad_rows(tmp_path: Path, change: Callable[[list[list[str]]], object], part: str) -> None:
    columns = table()
    rows = [[str(value) for value in row] for row in zip(*columns.values(), strict=True)]
    change(rows)
    path = write_rows(tmp_path / "anna" / "walk.csv", columns, rows)
    with refusal(path, part):
        load_one(tmp_path)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "no column 'time'"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        (b"time;shank_acc_x\n", "no column 'time'"),
    ],
)
def test_load_refuses_files_that_are_no_tables(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "anna" / "walk.csv"
    path.parent.mkdir()
    path.write_bytes(content)
    with refusal(path, part):
        load_one(tmp_path)


def in_g(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / 9.81 if "_acc_" in name else values


def in_degrees(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.degrees(values) if "_gyro_" in name else values


def without_gravity(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 3 * (values - values.mean()) if "_acc_" in name else values


def in_milliseconds(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values * 1000 if name == "time" else values


def in_hours(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / 3600 if name == "time" else values


def without_imu(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(values, np.nan) if name in CHANNELS else values


def without_emg(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(values, np.nan) if name.startswith("emg") else values


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (in_g, "the accelerations are in g"),
        (without_gravity, "the accelerations are not m/s²"),
        (in_degrees, "the angular rates are in deg/s"),
        (in_milliseconds, "give 'time' in seconds"),
        (in_hours, "covers 0.00167 s"),
        (without_imu, "holds no IMU sample"),
        (without_emg, "holds no EMG sample in emg_soleus, emg_biceps"),
    ],
)
def test_load_names_wrong_units_and_empty_columns(
    write_table: Writer, tmp_path: Path, change: Callable[[str, NDArray[np.float64]], NDArray[np.float64]], part: str
) -> None:
    path = write_table({name: change(name, values) for name, values in table().items()})
    with refusal(path, part):
        load_one(tmp_path)


def test_load_refuses_time_in_milliseconds(write_table: Writer, tmp_path: Path) -> None:
    columns = table(seconds=40.0)
    path = write_table(columns | {"time": 1.7e12 + 1000 * columns["time"]})
    with refusal(path, "covers 11.1 h", "seconds"):
        load_one(tmp_path)


def test_load_refuses_slow_raw_emg(write_table: Writer, tmp_path: Path) -> None:
    path = write_table(table(rate=15.0))
    with refusal(path, "raw EMG at 15 Hz is too slow"):
        load_one(tmp_path)


def test_load_refuses_emg_without_imu_overlap(write_table: Writer, tmp_path: Path) -> None:
    columns = table(seconds=12.0)
    half = len(columns["time"]) // 2
    for name, values in columns.items():
        if name in CHANNELS:
            values[half:] = np.nan
        elif name != "time":
            values[:half] = np.nan
    path = write_table(columns)
    with refusal(path, "IMU and EMG data overlap"):
        load_one(tmp_path)


def test_load_refuses_rig_with_other_sensors(write_table: Writer, tmp_path: Path) -> None:
    path = write_table(table())
    with refusal(path, "no column 'foot_acc_x'"):
        load_one(tmp_path, replace(RIG, sensors=(Sensor("foot", "foot", "right"),)))
