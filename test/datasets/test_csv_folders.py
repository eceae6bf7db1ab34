"""Tables of a lab's own: columns found by the rig's names, brought onto its grid."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.csv_tables import CHANNELS, RIG, Writer, load_one, table, without
from fixtures.factories import refusal

from imu_emg_estimator.datasets import csv_folders
from imu_emg_estimator.rig import Movement
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.grid_alignment import SECOND, GridAligner


def test_load_brings_table_onto_rig_grid(write_table: Writer, tmp_path: Path) -> None:
    columns = table(start=100.0)
    write_table(columns)
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


def test_load_ignores_order_and_other_columns(write_table: Writer, tmp_path: Path) -> None:
    columns = table()
    write_table(columns)
    expected = load_one(tmp_path)
    write_table({"remark": ['"left, right"', ""] * 1200} | dict(reversed(columns.items())))
    recording = load_one(tmp_path)
    np.testing.assert_array_equal(recording.imu, expected.imu)
    np.testing.assert_array_equal(recording.envelope, expected.envelope)


@pytest.mark.parametrize("rate", [37.0, 100.0, 613.0])
def test_load_resamples_other_rates(write_table: Writer, tmp_path: Path, rate: float) -> None:
    columns = without(table(rate), "emg_soleus", "emg_biceps")
    write_table(columns | {"envelope_soleus": 1.0 + columns["shank_acc_x"]})
    recording = load_one(tmp_path)
    np.testing.assert_allclose(recording.imu[:, 0, 0], np.sin(2 * np.pi * recording.time), atol=0.02)
    np.testing.assert_allclose(recording.envelope[:, 0], 1.0 + np.sin(2 * np.pi * recording.time), atol=0.02)


def test_load_equals_grid_aligner_on_uneven_rows(write_table: Writer, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    columns = table(rate=150.0)
    kept = np.sort(rng.choice(len(columns["time"]), 700, replace=False))
    kept = kept[(kept < 300) | (kept > 340)]  # a hole of 0.27 s
    columns = {name: values[kept] for name, values in columns.items()}
    columns["time"] = columns["time"] + rng.uniform(0, 0.002, len(kept)).round(6)
    envelopes = {f"envelope_{muscle}": np.abs(columns[f"emg_{muscle}"]) for muscle in RIG.muscle_names}
    write_table(without(columns, "emg_soleus", "emg_biceps") | envelopes)
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


def test_load_joins_sensors_in_separate_rows(write_table: Writer, tmp_path: Path) -> None:
    """EMG at 1000 Hz, each IMU at 200 Hz, in one table of which most cells are empty."""
    columns = table(rate=1000.0)
    expected = {name: values.copy() for name, values in columns.items()}
    for name, values in columns.items():
        if name.startswith(("shank", "thigh")):
            taken = np.arange(len(values)) % 5 == (0 if name.startswith("shank") else 2)
            columns[name] = np.where(taken, values, np.nan)
    write_table(columns)
    recording = load_one(tmp_path)
    np.testing.assert_allclose(recording.imu[:, 0, 0], expected["shank_acc_x"][::10][: len(recording)], atol=1e-3)
    assert np.isnan(recording.imu[0, 1]).all()  # before the thigh's first sample
    assert np.isfinite(recording.imu[1:-1]).all()
    assert recording.emg is not None
    assert recording.emg.rate == 1000.0


def test_load_keeps_emg_gaps(write_table: Writer, tmp_path: Path) -> None:
    columns = table()
    columns["emg_biceps"][800:1200] = np.nan
    write_table(columns)
    missing = np.isnan(load_one(tmp_path).envelope)
    assert not missing[:, 0].any()
    assert np.flatnonzero(missing[:, 1])[[0, -1]].tolist() == [200, 299]


def test_load_gives_missing_muscle_no_weight(write_table: Writer, tmp_path: Path) -> None:
    write_table(without(table(), "emg_soleus"))
    recording = load_one(tmp_path)
    assert recording.muscle_weight.tolist() == [0, 1]
    assert np.isnan(recording.envelope[:, 0]).all()
    assert np.isfinite(recording.envelope[:, 1]).all()


def test_load_reads_unit_from_column_name(write_table: Writer, tmp_path: Path) -> None:
    columns = table()
    emg = {"emg_soleus [mV]": columns["emg_soleus"], "emg_biceps [mV]": columns["emg_biceps"]}
    write_table(without(columns, "emg_soleus", "emg_biceps") | emg)
    recording = load_one(tmp_path)
    assert recording.envelope_unit == "mV"
    assert recording.emg is not None
    assert recording.emg.unit == "mV"


def test_load_reads_conditions_from_column(write_table: Writer, tmp_path: Path) -> None:
    """An empty cell says that nothing changed."""
    labels = [""] * 400 + ["walking"] + [""] * 799 + ["stairs_up"] * 1200
    write_table(table() | {"condition": labels})
    recording = load_one(tmp_path)
    found = [set(recording.condition[part]) for part in (slice(0, 100), slice(100, 300), slice(300, None))]
    assert found == [{"unlabelled"}, {"walking"}, {"stairs_up"}]


def test_load_reads_condition_from_file_name(write_table: Writer, tmp_path: Path) -> None:
    for name in ("stairs_up_02", "walking", "test"):
        write_table(table(), f"anna/{name}")
    found = {recording.name: set(recording.condition) for recording in csv_folders.load(tmp_path, RIG)}
    assert found == {"anna/stairs_up_02": {"stairs_up"}, "anna/walking": {"walking"}, "anna/test": {"unlabelled"}}


def test_subjects_come_from_folders_or_column(write_table: Writer, tmp_path: Path) -> None:
    write_table(table(start=50.0), "bert/a")
    write_table(table(), "bert/b")
    write_table(table() | {"subject": ["anna"] * 2400}, "flat")
    (tmp_path / "bert" / "notes.txt").touch()
    assert csv_folders.subjects(tmp_path) == ["anna", "bert"]
    names = [recording.name for recording in csv_folders.load(tmp_path, RIG, workers=2)]
    assert names == ["anna/flat", "bert/b", "bert/a"]  # in order of time
    assert [recording.subject for recording in csv_folders.load(tmp_path, RIG, ["bert"])] == ["bert", "bert"]


def test_load_reads_windows_line_ends_bom_and_quotes(write_table: Writer, tmp_path: Path) -> None:
    path = write_table(table())
    expected = load_one(tmp_path)
    lines = path.read_text().splitlines()
    header = ",".join(f'"{name}"' for name in lines[0].split(","))
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([header, *lines[1:], "", ""]).encode())
    np.testing.assert_array_equal(load_one(tmp_path).imu, expected.imu)


def test_load_reads_parquet(write_table: Writer, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow; pip install pyarrow")
    from pyarrow import csv as arrow_csv

    columns = table()
    columns["emg_biceps"][800:1200] = np.nan
    path = write_table(columns | {"condition": ["walking"] * 2400})
    expected = load_one(tmp_path)
    parquet.write_table(arrow_csv.read_csv(path), path.with_suffix(".parquet"))
    path.unlink()
    recording = load_one(tmp_path)
    np.testing.assert_array_equal(recording.imu, expected.imu)
    np.testing.assert_array_equal(recording.envelope, expected.envelope)
    assert set(recording.condition) == {"walking"}
    parquet.write_table(
        arrow_csv.read_csv(write_table(table() | {"thigh_acc_x": ["x"] * 2400})), path.with_suffix(".parquet")
    )
    path.unlink()
    with refusal(path.with_suffix(".parquet"), "column 'thigh_acc_x' does not hold numbers"):
        load_one(tmp_path)


def test_load_needs_no_gyroscopes_if_the_rig_has_none(write_table: Writer, tmp_path: Path) -> None:
    columns = table()
    write_table(without(columns, *(name for name in CHANNELS if "gyro" in name)))
    recording = load_one(tmp_path, replace(RIG, gyroscopes=False))
    assert np.isnan(recording.imu[..., 3:]).all()
    np.testing.assert_allclose(recording.imu[:, 1, 2], columns["thigh_acc_z"][::4], atol=1e-6)
    with refusal("shank_gyro_x", "gyroscopes: false"):
        load_one(tmp_path)


def test_load_labels_by_file_names_in_words_of_the_lab(write_table: Writer, tmp_path: Path) -> None:
    write_table(table(), "anna/Curl_10kg.csv")
    rig = replace(RIG, movements=(Movement("curl"),))
    assert set(load_one(tmp_path, rig).condition) == {"curl"}
    assert set(load_one(tmp_path).condition) == {"unlabelled"}
