"""Analog channels of C3D files."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import imu_g

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import propose_mapping
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.guarded_reading import read_guarded

ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed; pip install 'imu_emg_estimator[import]'")

LABELS = [*(f"Shank.ACC{axis}" for axis in "XYZ"), *(f"Shank.GYRO{axis}" for axis in "XYZ"), "Soleus.EMG"]
UNITS = ["g"] * 3 + ["deg/s"] * 3 + ["mV"]


def write(path: Path, rate: float = 1000.0) -> Path:
    file = ezc3d.c3d()
    values = np.column_stack([imu_g(1000), np.linspace(-1, 1, 1000)])
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["ANALOG"]["RATE"]["value"] = [rate]
    file["parameters"]["ANALOG"]["LABELS"]["value"] = LABELS
    file["parameters"]["ANALOG"]["UNITS"]["value"] = UNITS
    file["data"]["points"] = np.zeros((4, 0, 100))
    file["data"]["analogs"] = values.T[None]
    file.write(str(path))
    return path


def test_analog_channels_have_labels_units_and_exact_values(tmp_path: Path) -> None:
    take = read_take(write(tmp_path / "a.c3d"))
    assert [channel.name for channel in take.channels] == LABELS
    assert [channel.unit for channel in take.channels] == UNITS
    values = np.column_stack([imu_g(1000), np.linspace(-1, 1, 1000)])
    for column, channel in enumerate(take.channels):
        assert np.allclose(channel.values, values[:, column], atol=1e-5)
        assert np.allclose(channel.times, np.arange(1000) / 1000)
    mapping = propose_mapping([take])
    assert (mapping.sensors, mapping.muscles) == (("shank",), ("soleus",))


def test_truncated_and_absurd_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.c3d")
    whole = path.read_bytes()
    for length in (600, 1500, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"a\.c3d"):
            read_guarded(path)
    path.write_bytes(b"\x02\x50" + b"\xff" * 4000)
    with pytest.raises(InputError, match=r"a\.c3d"):
        read_guarded(path, max_s=30.0)
