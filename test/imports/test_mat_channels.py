"""MATLAB files, v5 and v7.3."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.foreign_files import EMG_RATE, IMU_RATE, emg_mv, imu_g

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.file_forms import read_take

pytest.importorskip("pymatreader", reason="pymatreader is not installed; pip install 'imu_emg_estimator[import]'")
import h5py
from scipy.io import savemat

CELLS = np.dtype("O")


def write_v5(path: Path, content: dict[str, Any]) -> Path:
    savemat(path, content)
    return path


def write_v73(path: Path, content: dict[str, Any]) -> Path:
    """Write as MATLAB does: HDF5 behind a head of 512 bytes, matrices transposed, text as codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        _write_group(file, content)
    head = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM"
    with path.open("r+b") as raw:
        raw.write(head)
    return path


def _write_group(group: Any, content: dict[str, Any]) -> None:
    for name, value in content.items():
        if isinstance(value, dict):
            _write_group(inner := group.create_group(name), value)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
        elif isinstance(value, str):
            data = group.create_dataset(name, data=np.array([[ord(sign)] for sign in value], dtype=np.uint16))
            data.attrs["MATLAB_class"] = np.bytes_("char")
        else:
            data = group.create_dataset(name, data=np.atleast_2d(value).T)
            data.attrs["MATLAB_class"] = np.bytes_("double")


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_structures_give_channels_with_rates_and_units(tmp_path: Path, write: Any) -> None:
    imu = {"shank": {"acc_g": imu_g()[:, :3], "gyro_dps": imu_g()[:, 3:]}, "fs": IMU_RATE}
    content = {"imu": imu, "emg": {"soleus": emg_mv()[:, None], "fs": EMG_RATE, "unit": "mV"}}
    take = read_take(write(tmp_path / "a.mat", content))
    found = {channel.name: channel for channel in take.channels}
    assert sorted(found) == sorted(
        [*(f"imu_shank_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"), "emg_soleus"]
    )
    for column, name in enumerate(f"imu_shank_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"):
        assert np.array_equal(found[name].values, imu_g()[:, column])
        assert np.array_equal(found[name].times, np.arange(400) / IMU_RATE)
        assert found[name].unit == ("g" if column < 3 else "dps")
    assert np.array_equal(found["emg_soleus"].values, emg_mv())
    assert (found["emg_soleus"].unit, found["emg_soleus"].rate) == ("mV", EMG_RATE)


def test_plain_variables_take_time_and_labels(tmp_path: Path) -> None:
    content = {
        "time": np.arange(400) / IMU_RATE,
        "thigh_imu": imu_g(),
        "emg": np.column_stack([emg_mv(), 2 * emg_mv()]),
        "emg_labels": np.array(["VL", "BF"], dtype=CELLS),
        "fs_emg": EMG_RATE,
    }
    found = {channel.name: channel for channel in read_take(write_v5(tmp_path / "a.mat", content)).channels}
    assert list(found) == [
        *(f"thigh_imu_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"),
        "emg_VL",
        "emg_BF",
    ]
    assert np.array_equal(found["emg_BF"].values, 2 * emg_mv())
    assert found["emg_VL"].rate == EMG_RATE


def test_array_of_structures_gives_a_sensor_for_each_by_its_name(tmp_path: Path) -> None:
    kinds = [("name", CELLS), ("acc", CELLS), ("gyro", CELLS)]
    sensors = np.array(
        [(name, imu_g()[:, :3] * scale, imu_g()[:, 3:]) for name, scale in (("thigh", 1), ("shank", 2))], kinds
    )
    content = {"sensors": sensors, "emg": emg_mv(), "fs_imu": IMU_RATE, "fs_emg": EMG_RATE, "cube": np.ones((9, 9, 9))}
    take = read_take(write_v5(tmp_path / "a.mat", content))
    found = {channel.name: channel for channel in take.channels}
    assert np.array_equal(found["sensors_shank_acc_y"].values, 2 * imu_g()[:, 1])
    assert found["sensors_thigh_gyro_z"].rate == IMU_RATE
    assert take.notes == ("'cube' has more than two dimensions and was left out",)


def test_matrix_without_time_or_rate_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nor a rate 'fs' was found beside 'acc'"):
        read_take(write_v5(tmp_path / "a.mat", {"acc": imu_g()[:, :3]}))


def test_file_without_matrices_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table2array"):
        read_take(write_v5(tmp_path / "a.mat", {"name": "anna", "fs": 100.0}))


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    write_v73(tmp_path / "secret.mat", {"acc": imu_g()[:, :3], "fs": 100.0})
    path = write_v73(tmp_path / "a.mat", {"fs": 100.0})
    with h5py.File(path, "r+") as file:
        file["acc"] = h5py.ExternalLink(str(tmp_path / "secret.mat"), "/acc")
    with pytest.raises(InputError, match="'acc' is a link to other data"):
        read_take(path)


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_truncated_file_is_refused_in_a_sentence(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / "a.mat", {"acc": imu_g()[:, :3], "fs": 100.0})
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match="not a readable MATLAB file"):
        read_take(path)


def test_six_channels_of_emg_are_no_imu(tmp_path: Path) -> None:
    take = read_take(write_v5(tmp_path / "a.mat", {"emg": np.tile(emg_mv()[:, None], 6), "fs": EMG_RATE}))
    assert [channel.name for channel in take.channels] == [f"emg_{number}" for number in range(1, 7)]


def test_rate_of_emg_is_not_taken_for_that_of_an_accelerometer(tmp_path: Path) -> None:
    content = {"emg": emg_mv(), "fs_emg": EMG_RATE, "acc": imu_g()[:, :3]}
    with pytest.raises(InputError, match="nor a rate 'fs' was found beside 'acc'"):
        read_take(write_v5(tmp_path / "a.mat", content))
    take = read_take(write_v5(tmp_path / "b.mat", content | {"fs_gyro": IMU_RATE}))
    assert {channel.name: channel.rate for channel in take.channels} == {
        "emg": EMG_RATE, "acc_x": IMU_RATE, "acc_y": IMU_RATE, "acc_z": IMU_RATE
    }  # fmt: skip


def test_matrix_of_times_gives_each_channel_its_own(tmp_path: Path) -> None:
    """As EMGworks exports: slower channels end earlier, with zeros up to the end."""
    times, data = np.zeros((2, 40)), np.zeros((2, 40))
    times[0], times[1, :10] = np.arange(40) / 1000, np.arange(10) / 100
    data[1, :10] = 1.0
    content = {"Channels": np.array(["VL: EMG 1", "VL: ACC.X 1"]), "Data": data, "Time": times, "Fs": [1000.0, 100.0]}
    take = read_take(write_v5(tmp_path / "a.mat", content))
    assert [(c.name, c.rate, len(c.values)) for c in take.channels] == [
        ("VL: EMG 1", 1000.0, 40),
        ("VL: ACC.X 1", 100.0, 10),
    ]
