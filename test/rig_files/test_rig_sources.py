"""Rigs are found in tables and in bags."""

import math
from pathlib import Path

import numpy as np
import pytest
from fixtures.csv_tables import CHANNELS, table, without, write_rows
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.rig_files.rig_sources import mean_rate, parts_of_bag, parts_of_tables


def write(path: Path, columns: dict[str, object]) -> Path:
    return write_rows(path, columns, zip(*columns.values(), strict=True))


def test_parts_of_tables(tmp_path: Path) -> None:
    columns = table(200.0)
    labels = np.where(columns["time"] < 3, "curl", "rest")
    write(tmp_path / "anna" / "a.csv", columns | {"condition": labels})
    write(tmp_path / "ben" / "b.csv", columns | {"condition": np.full(len(labels), "reach")})
    parts = parts_of_tables(tmp_path)
    assert {name: round(rate) for name, rate in parts.rates.items()} == {"shank": 200, "thigh": 200}
    assert list(parts.muscles) == ["soleus", "biceps"]
    assert parts.gyroscopes
    assert parts.labels == ["curl", "reach", "rest"]


def test_parts_of_one_table_without_gyroscopes_and_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", without(table(), *(name for name in CHANNELS if "gyro" in name)))
    parts = parts_of_tables(path)
    assert not parts.gyroscopes
    assert parts.labels == []


def test_parts_of_tables_refuses_two_rigs_and_nothing(tmp_path: Path) -> None:
    with refusal(tmp_path / "none", "does not exist"):
        parts_of_tables(tmp_path / "none")
    with refusal(tmp_path, "no .csv"):
        parts_of_tables(tmp_path)
    write(tmp_path / "anna" / "a.csv", table())
    write(tmp_path / "ben" / "b.csv", without(table(), "thigh_acc_z"))
    with refusal("b.csv", "thigh_acc_z", "one rig"):
        parts_of_tables(tmp_path)


def test_parts_of_bag(make_recording: RecordingFactory, tmp_path: Path) -> None:
    recording = make_recording([("walking", 3.0)])
    write_bag(recording, tmp_path / "bag")
    parts = parts_of_bag(tmp_path / "bag")
    assert set(parts.rates) == set(recording.rig.sensor_names)
    assert all(rate == pytest.approx(recording.rig.rate, rel=0.02) for rate in parts.rates.values())
    assert list(parts.muscles) == list(recording.rig.muscle_names)
    assert parts.labels is None


def test_rate_is_that_of_the_messages_however_late_the_first_came() -> None:
    assert mean_rate([3_000_000_000, 3_100_000_000, 3_200_000_000]) == pytest.approx(10.0)
    assert math.isnan(mean_rate([5]))
