"""Real exports, where they lie beside the checkout; no part of them is in this repository."""

from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.rig import Sensor
from imu_emg_estimator.rig_files.sensor_mounting import SensorTake, mounting_of

DATA = Path(__file__).parents[3] / "shared" / "data"


def folder(name: str) -> Path:
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"{path} is not there: these exports are not part of the repository")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["A321_10_1", "G998_10_1", "T417_15_2", "T456_10_1"])
def test_trigno_discover_exports_of_four_people(name: str) -> None:
    take = read_take(folder("curls_trigno") / f"{name}.csv.gz")
    assert take.form == "Trigno Discover 1.6.5"
    assert [channel.name for channel in take.channels] == [
        *(f"wrist: {kind} {axis}" for kind in ("ACC", "GYRO") for axis in "XYZ"), "bicep: EMG 1",
    ]  # fmt: skip
    assert [channel.rate for channel in take.channels] == [370.3704] * 6 + [2148.148]
    assert [channel.unit for channel in take.channels] == ["G"] * 3 + ["deg/s"] * 3 + ["mV"]
    assert bool(take.notes) == name.startswith("T417")  # whose files count their rows


@pytest.mark.slow
def test_myo_pair_of_one_session() -> None:
    for kind, channels in (("EMG", 8), ("IMU", 6)):
        (path,) = (folder("eating_myo") / "user10" / "fork").glob(f"*_{kind}.txt.gz")
        take = read_take(path)
        assert (take.form, len(take.channels), take.absolute) == (f"Myo {kind}", channels, True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["A321_10_6", "A321_15_10", "T417_5_3", "T456_10_1", "T456_10_4"])
def test_wrists_that_turn_far_are_no_broken_sensors(name: str) -> None:
    """Their mean acceleration over two seconds is 6.7 to 7.7 m/s², of which nothing is wrong."""
    take = read_take(folder("curls_trigno") / f"{name}.csv.gz")
    imu = np.column_stack([channel.values for channel in take.channels[:6]])
    imu *= np.repeat([9.80665, np.pi / 180], 3)
    imu = imu[np.isfinite(imu).all(axis=1)]
    assert mounting_of(Sensor("wrist", "forearm"), SensorTake("wrist", 370.37, imu)).verdict == "good"
