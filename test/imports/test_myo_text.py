"""Files of a Myo armband."""

from pathlib import Path

import numpy as np
from fixtures.foreign_files import imu_g, myo_pair

from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.take_joining import join_takes


def test_myo_files_give_units_pods_and_the_instants_of_the_computer(tmp_path: Path) -> None:
    emg, imu = map(read_take, myo_pair(tmp_path))
    assert (emg.form, imu.form) == ("Myo EMG", "Myo IMU")
    assert [channel.name for channel in emg.channels] == [f"emg_pod_{pod}" for pod in range(1, 9)]
    assert {channel.unit for channel in emg.channels} == {"count"}
    assert np.array_equal(emg.channels[2].values, np.arange(800) % 100 - 2)
    assert np.allclose(emg.channels[0].times - 1_503_512_024.740, np.arange(800) * 0.005, atol=1e-6)
    assert [channel.unit for channel in imu.channels] == ["g"] * 3 + ["deg/s"] * 3
    for column, channel in enumerate(imu.channels):
        assert np.allclose(channel.values, imu_g(200)[:, column], atol=5e-4)


def test_myo_pair_is_joined_by_its_clock(tmp_path: Path) -> None:
    joined = join_takes([read_take(path) for path in myo_pair(tmp_path, emg_offset_ms=70)])
    assert len(joined.channels) == 14
    assert joined.channels[0].times[0] - joined.channels[8].times[0] > 0.069
    assert joined.notes == ("joined by clock, 3.9 s in common",)
