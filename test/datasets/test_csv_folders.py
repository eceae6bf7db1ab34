"""Tables of a lab's own: columns found by the rig's names, brought onto its grid, faults named by file and place."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.datasets import csv_folders as csv
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Muscle, Rig, Sensor
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner

RIG = Rig(
    name="lab",
    rate=100.0,
    sensors=(Sensor("shank", "shank", "right"), Sensor("thigh", "thigh", "right")),
    muscles=(Muscle("soleus", "soleus", "right"), Muscle("biceps", "biceps", "right")),
)
CHANNELS = [f"{sensor}_{kind}_{axis}" for sensor in ("shank", "thigh") for kind in ("acc", "gyro") for axis in "xyz"]
Table = dict[str, Any]
Writer = Callable[..., Path]


def table(rate: float = 400.0, seconds: float = 6.0, start: float = 0.0, seed: int = 0) -> Table:
    """A subject's columns at an even rate, in m/s^2, rad/s and mV."""
    rng = np.random.default_rng(seed)
    times = start + np.arange(round(seconds * rate)) / rate
    columns: Table = {"time": times}
    for index, name in enumerate(CHANNELS):
        rest = 9.81 if name.endswith("acc_z") else 0.0
        columns[name] = rest + np.sin(2 * np.pi * (times + index / 10))
    burst = np.sin(2 * np.pi * times) ** 2
    columns |= {f"emg_{muscle}": burst * rng.standard_normal(len(times)) for muscle in ("soleus", "biceps")}
    return columns


def without(columns: Table, *names: str) -> Table:
    return {name: values for name, values in columns.items() if name not in names}


def write_rows(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Function that writes columns as a CSV file, NaN as an empty cell, and returns its path."""

    def write_columns(columns: Table, name: str = "anna/walk") -> Path:
        cells = [["" if value != value else value for value in values] for values in columns.values()]
        return write_rows(tmp_path / f"{name}.csv", columns, zip(*cells, strict=True))

    return write_columns


def load_one(folder: Path, rig: Rig = RIG) -> Recording:
    (recording,) = csv.load(folder, rig)
    return recording


# what is read


def test_a_table_is_a_recording_on_the_rigs_grid(write: Writer, tmp_path: Path) -> None:
    columns = table(start=100.0)
    write(columns)
    recording = load_one(tmp_path)
    assert (recording.name, recording.subject, recording.rig) == ("anna/walk", "anna", RIG)
    assert recording.start == 100.0
    assert len(recording) == 600
    expected = np.stack([columns[name] for name in CHANNELS], axis=1).reshape(-1, 2, 6)
    np.testing.assert_allclose(recording.imu, expected[::4], atol=1e-6)
    raw = np.stack([columns["emg_soleus"], columns["emg_biceps"]], axis=1)
    assert recording.emg is not None
    assert recording.emg.rate == 400.0
    inner = slice(0, 2397)  # the raw EMG goes as far as the grid
    np.testing.assert_allclose(recording.emg.data, raw[inner], atol=1e-6)
    np.testing.assert_allclose(recording.envelope, emg_envelope(raw[inner], 400.0, EnvelopeSettings())[::4], atol=1e-5)
    assert recording.muscle_weight.tolist() == [1, 1]
    assert recording.envelope_unit == "unknown"


def test_columns_may_come_in_any_order_and_with_others(write: Writer, tmp_path: Path) -> None:
    columns = table()
    write(columns)
    expected = load_one(tmp_path)
    write({"remark": ['"left, right"', ""] * 1200} | dict(reversed(columns.items())))
    recording = load_one(tmp_path)
    np.testing.assert_array_equal(recording.imu, expected.imu)
    np.testing.assert_array_equal(recording.envelope, expected.envelope)


@pytest.mark.parametrize("rate", [37.0, 100.0, 613.0])
def test_another_rate_is_resampled(write: Writer, tmp_path: Path, rate: float) -> None:
    columns = without(table(rate), "emg_soleus", "emg_biceps")
    write(columns | {"envelope_soleus": 1.0 + columns["shank_acc_x"]})
    recording = load_one(tmp_path)
    np.testing.assert_allclose(recording.imu[:, 0, 0], np.sin(2 * np.pi * recording.time), atol=0.02)
    np.testing.assert_allclose(recording.envelope[:, 0], 1.0 + np.sin(2 * np.pi * recording.time), atol=0.02)


def test_uneven_rows_with_holes_give_what_the_live_aligner_gives(write: Writer, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    columns = table(rate=150.0)
    kept = np.sort(rng.choice(len(columns["time"]), 700, replace=False))
    kept = kept[(kept < 300) | (kept > 340)]  # a hole of 0.27 s
    columns = {name: values[kept] for name, values in columns.items()}
    columns["time"] = columns["time"] + rng.uniform(0, 0.002, len(kept)).round(6)
    envelopes = {f"envelope_{muscle}": np.abs(columns[f"emg_{muscle}"]) for muscle in RIG.muscle_names}
    write(without(columns, "emg_soleus", "emg_biceps") | envelopes)
    recording = load_one(tmp_path)

    aligner = GridAligner(2, RIG.rate)
    samples = np.stack([columns[name] for name in CHANNELS], axis=1).reshape(-1, 2, 6)
    rows = []
    for time, row in zip(columns["time"], samples, strict=True):
        for sensor in (0, 1):
            rows += [row.imu for row in aligner.push(sensor, round(time * SECOND), row[sensor])]
    expected = np.stack(rows)
    np.testing.assert_allclose(recording.imu[: len(expected)], expected, atol=1e-4)
    missing = np.isnan(recording.imu).any(axis=(1, 2))
    assert 20 <= missing.sum() <= 30
    assert np.isnan(recording.imu[missing]).all()


def test_each_sensor_may_fill_rows_of_its_own(write: Writer, tmp_path: Path) -> None:
    """EMG at 1000 Hz, each IMU at 200 Hz, in one table of which most cells are empty."""
    columns = table(rate=1000.0)
    expected = {name: values.copy() for name, values in columns.items()}
    for name, values in columns.items():
        if name.startswith(("shank", "thigh")):
            taken = np.arange(len(values)) % 5 == (0 if name.startswith("shank") else 2)
            columns[name] = np.where(taken, values, np.nan)
    write(columns)
    recording = load_one(tmp_path)
    np.testing.assert_allclose(recording.imu[:, 0, 0], expected["shank_acc_x"][::10][: len(recording)], atol=1e-3)
    assert np.isnan(recording.imu[0, 1]).all()  # before the thigh's first sample
    assert np.isfinite(recording.imu[1:-1]).all()
    assert recording.emg is not None
    assert recording.emg.rate == 1000.0


def test_a_gap_in_the_emg_is_not_filled(write: Writer, tmp_path: Path) -> None:
    columns = table()
    columns["emg_biceps"][800:1200] = np.nan
    write(columns)
    missing = np.isnan(load_one(tmp_path).envelope)
    assert not missing[:, 0].any()
    assert np.flatnonzero(missing[:, 1])[[0, -1]].tolist() == [200, 299]


def test_a_muscle_that_was_not_measured_has_no_weight(write: Writer, tmp_path: Path) -> None:
    write(without(table(), "emg_soleus"))
    recording = load_one(tmp_path)
    assert recording.muscle_weight.tolist() == [0, 1]
    assert np.isnan(recording.envelope[:, 0]).all()
    assert np.isfinite(recording.envelope[:, 1]).all()


def test_the_unit_is_that_of_the_columns(write: Writer, tmp_path: Path) -> None:
    columns = table()
    emg = {"emg_soleus [mV]": columns["emg_soleus"], "emg_biceps [mV]": columns["emg_biceps"]}
    write(without(columns, "emg_soleus", "emg_biceps") | emg)
    recording = load_one(tmp_path)
    assert recording.envelope_unit == "mV"
    assert recording.emg is not None
    assert recording.emg.unit == "mV"


def test_conditions_of_a_column(write: Writer, tmp_path: Path) -> None:
    """An empty cell says that nothing changed."""
    labels = [""] * 400 + ["walking"] + [""] * 799 + ["stairs_up"] * 1200
    write(table() | {"condition": labels})
    recording = load_one(tmp_path)
    found = [set(recording.condition[part]) for part in (slice(0, 100), slice(100, 300), slice(300, None))]
    assert found == [{"unlabelled"}, {"walking"}, {"stairs_up"}]


def test_conditions_of_the_files_name(write: Writer, tmp_path: Path) -> None:
    for name in ("stairs_up_02", "walking", "test"):
        write(table(), f"anna/{name}")
    found = {recording.name: set(recording.condition) for recording in csv.load(tmp_path, RIG)}
    assert found == {"anna/stairs_up_02": {"stairs_up"}, "anna/walking": {"walking"}, "anna/test": {"unlabelled"}}


def test_subjects_of_folders_and_of_a_column(write: Writer, tmp_path: Path) -> None:
    write(table(start=50.0), "bert/a")
    write(table(), "bert/b")
    write(table() | {"subject": ["anna"] * 2400}, "flat")
    (tmp_path / "bert" / "notes.txt").touch()
    assert csv.subjects(tmp_path) == ["anna", "bert"]
    names = [recording.name for recording in csv.load(tmp_path, RIG, workers=2)]
    assert names == ["anna/flat", "bert/b", "bert/a"]  # in order of time
    assert [recording.subject for recording in csv.load(tmp_path, RIG, ["bert"])] == ["bert", "bert"]


def test_windows_line_ends_byte_order_mark_and_quotes(write: Writer, tmp_path: Path) -> None:
    path = write(table())
    expected = load_one(tmp_path)
    lines = path.read_text().splitlines()
    header = ",".join(f'"{name}"' for name in lines[0].split(","))
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([header, *lines[1:], "", ""]).encode())
    np.testing.assert_array_equal(load_one(tmp_path).imu, expected.imu)


def test_parquet(write: Writer, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow; pip install pyarrow")
    from pyarrow import csv as arrow_csv

    columns = table()
    columns["emg_biceps"][800:1200] = np.nan
    path = write(columns | {"condition": ["walking"] * 2400})
    expected = load_one(tmp_path)
    parquet.write_table(arrow_csv.read_csv(path), path.with_suffix(".parquet"))
    path.unlink()
    recording = load_one(tmp_path)
    np.testing.assert_array_equal(recording.imu, expected.imu)
    np.testing.assert_array_equal(recording.envelope, expected.envelope)
    assert set(recording.condition) == {"walking"}
    parquet.write_table(
        arrow_csv.read_csv(write(table() | {"thigh_acc_x": ["x"] * 2400})), path.with_suffix(".parquet")
    )
    path.unlink()
    with refusal(path.with_suffix(".parquet"), "column 'thigh_acc_x' does not hold numbers"):
        load_one(tmp_path)


# bad input


def test_bad_folders(write: Writer, tmp_path: Path) -> None:
    with refusal(tmp_path / "none", "does not exist", "SUBJECT/*.csv"):
        csv.load(tmp_path / "none", RIG)
    with refusal(tmp_path, "holds no SUBJECT/*.csv"):
        csv.subjects(tmp_path)
    write(table())
    with refusal("no subject bert; it has anna"):
        csv.load(tmp_path, RIG, ["bert"])


def test_a_flat_file_without_a_subject(write: Writer, tmp_path: Path) -> None:
    path = write(table(), "flat")
    with refusal(path, "no column 'subject'", "folder"):
        csv.load(tmp_path, RIG)
    write(table() | {"subject": ["anna", "bert"] * 1200}, "flat")
    with refusal(path, "2 different cells in column 'subject'"):
        csv.subjects(tmp_path)


@pytest.mark.parametrize("column", ["time", "thigh_gyro_y"])
def test_a_missing_column_is_named(write: Writer, tmp_path: Path, column: str) -> None:
    path = write(without(table(), column))
    with refusal(path, f"no column '{column}'", "shank_acc_x"):
        load_one(tmp_path)


def test_no_muscle_of_the_rig(write: Writer, tmp_path: Path) -> None:
    columns = table()
    path = write(without(columns, "emg_soleus", "emg_biceps") | {"emg_gracilis": columns["emg_soleus"]})
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
def test_emg_columns_that_do_not_fit_together(
    write: Writer, tmp_path: Path, columns: tuple[str, str], part: str
) -> None:
    rows = table()
    path = write(without(rows, "emg_soleus", "emg_biceps") | dict.fromkeys(columns, rows["emg_soleus"]))
    with refusal(path, part, *columns):
        load_one(tmp_path)


def test_files_of_different_units(write: Writer, tmp_path: Path) -> None:
    rows = table()
    write(rows, "anna/a")
    write(without(rows, "emg_soleus", "emg_biceps") | {"emg_soleus [mV]": rows["emg_soleus"]}, "anna/b")
    with refusal("anna/b is in 'mV'", "anna/a in 'unknown'"):
        csv.load(tmp_path, RIG)


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
def test_bad_rows_are_named(tmp_path: Path, change: Callable[[list[list[str]]], object], part: str) -> None:
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
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, part: str) -> None:
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
def test_wrong_units_and_empty_columns_are_told(
    write: Writer, tmp_path: Path, change: Callable[[str, NDArray[np.float64]], NDArray[np.float64]], part: str
) -> None:
    path = write({name: change(name, values) for name, values in table().items()})
    with refusal(path, part):
        load_one(tmp_path)


def test_a_time_of_milliseconds_since_1970(write: Writer, tmp_path: Path) -> None:
    columns = table(seconds=40.0)
    path = write(columns | {"time": 1.7e12 + 1000 * columns["time"]})
    with refusal(path, "covers 11.1 h", "seconds"):
        load_one(tmp_path)


def test_raw_emg_that_is_too_slow(write: Writer, tmp_path: Path) -> None:
    path = write(table(rate=15.0))
    with refusal(path, "raw EMG at 15 Hz is too slow"):
        load_one(tmp_path)


def test_emg_of_another_time(write: Writer, tmp_path: Path) -> None:
    columns = table(seconds=12.0)
    half = len(columns["time"]) // 2
    for name, values in columns.items():
        if name in CHANNELS:
            values[half:] = np.nan
        elif name != "time":
            values[:half] = np.nan
    path = write(columns)
    with refusal(path, "IMU and EMG data overlap"):
        load_one(tmp_path)


def test_a_rig_with_other_sensors(write: Writer, tmp_path: Path) -> None:
    path = write(table())
    with refusal(path, "no column 'foot_acc_x'"):
        load_one(tmp_path, replace(RIG, sensors=(Sensor("foot", "foot", "right"),)))
