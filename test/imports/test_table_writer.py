"""Takes as tables of the documented form."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import EMG_RATE, IMU_RATE, discover, emg_mv, imu_g

from imu_emg_estimator.datasets.table_columns import column_names, read_numbers, read_texts
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import propose_mapping
from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.table_writer import columns_of, write_table

AXES = [f"shank_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_table_holds_every_sample_in_si_units_at_its_instant(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed; pip install pyarrow")
    take = read_take(discover(tmp_path / "a.csv"))
    path = tmp_path / "out" / f"table{suffix}"
    write_table(path, columns_of(take, propose_mapping([take])), [(0.0, "curl")])
    assert column_names(path) == ["time", *AXES, "emg_calf [mV]", "condition"]
    rows = read_numbers(path, ["time", *AXES, "emg_calf [mV]"])
    assert len(rows) == 4000  # IMU samples are at instants of EMG samples
    imu = rows[np.isfinite(rows[:, 1])]
    assert np.allclose(imu[:, 0], np.arange(400) / IMU_RATE, atol=1e-8)
    assert np.allclose(imu[:, 1:4], imu_g()[:, :3] * 9.80665, rtol=1e-6, atol=1e-5)
    assert np.allclose(imu[:, 4:7], np.radians(imu_g()[:, 3:]), rtol=1e-6)
    assert np.allclose(rows[:, 0], np.arange(4000) / EMG_RATE, atol=1e-8)
    assert np.allclose(rows[:, 7], emg_mv(), atol=1e-6)
    assert set(read_texts(path, "condition")) == {"curl", ""}


def test_emg_of_two_rates_is_brought_to_the_faster(tmp_path: Path) -> None:
    fast, slow = np.arange(4000) / 1000, np.arange(2000) / 500 + 3e-7
    imu_times = np.arange(400) / 100
    channels = [Channel(f"shank acc {axis}", "g", imu_times, np.full(400, float(axis == "z"))) for axis in "xyz"]
    channels += [Channel("emg a", "mV", fast, np.sin(fast)), Channel("emg b", "mV", slow, np.sin(slow))]
    take = Take(Path("a.csv"), "CSV", tuple(channels))
    columns = {column.name: column for column in columns_of(take, propose_mapping([take]))}
    assert np.array_equal(columns["emg_b [mV]"].times, columns["emg_a [mV]"].times)
    inside = columns["emg_b [mV]"].values[1:-2]
    assert np.allclose(inside, np.sin(fast[1:-2]), atol=1e-5)


def test_existing_table_is_not_overwritten(tmp_path: Path) -> None:
    take = read_take(discover(tmp_path / "a.csv"))
    columns = columns_of(take, propose_mapping([take]))
    write_table(tmp_path / "t.csv", columns)
    with pytest.raises(InputError, match="exists already"):
        write_table(tmp_path / "t.csv", columns)


def test_condition_with_a_comma_or_quote_reads_back(tmp_path: Path) -> None:
    take = read_take(discover(tmp_path / "a.csv"))
    write_table(tmp_path / "t.csv", columns_of(take, propose_mapping([take])), [(0.0, 'curl, 5 kg "slow"')])
    assert set(read_texts(tmp_path / "t.csv", "condition")) == {'curl, 5 kg "slow"', ""}
    assert len(read_numbers(tmp_path / "t.csv", ["time", *AXES])) == 4000


def test_channels_that_last_very_differently_state_a_wrong_rate(tmp_path: Path) -> None:
    take = read_take(discover(tmp_path / "a.csv", rate="1000.0 Hz"))
    assert take.notes == ("'shank: ACC X' lasts 0.399 s, 'calf: EMG 1' 4 s",)
    with pytest.raises(InputError, match=r"'shank: ACC X' lasts 0\.399 s and 'calf: EMG 1' 4 s; correct the rate"):
        columns_of(take, propose_mapping([take]))
