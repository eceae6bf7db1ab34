"""Analog channels of C3D files."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import imu_g

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.c3d_channels import as_unsigned
from imu_emg_estimator.imports.channel_mapping import propose_mapping
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.guarded_reading import read_guarded

ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed; pip install 'imu_emg_estimator[import]'")

LABELS = [*(f"Shank.ACC{axis}" for axis in "XYZ"), *(f"Shank.GYRO{axis}" for axis in "XYZ"), "Soleus.EMG"]
UNITS = ["g"] * 3 + ["deg/s"] * 3 + ["mV"]


def write(path: Path, rate: float = 1000.0, units: list[str] = UNITS) -> Path:
    file = ezc3d.c3d()
    values = np.column_stack([imu_g(1000), np.linspace(-1, 1, 1000)])
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["ANALOG"]["RATE"]["value"] = [rate]
    file["parameters"]["ANALOG"]["LABELS"]["value"] = LABELS
    file["parameters"]["ANALOG"]["UNITS"]["value"] = units
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


def test_unsigned_samples_are_not_taken_for_signed_ones() -> None:
    """The offset of 32768 reads as -32768, and a count of 40000 as -25536."""
    analog = {"GEN_SCALE": {"value": [0.5]}, "SCALE": {"value": [2.0]}, "OFFSET": {"value": [-32768]}}
    counts = np.array([[0.0, 32767.0, 32768 - 65536.0, 40000 - 65536.0]])
    assert np.array_equal(as_unsigned(analog, counts + 32768), [[-32768.0, -1.0, 0.0, 7232.0]])


def test_volts_for_every_channel_are_no_unit_of_an_imu(tmp_path: Path) -> None:
    take = read_take(write(tmp_path / "a.c3d", units=["V"] * 7))
    assert [channel.unit for channel in take.channels] == [""] * 6 + ["V"]
    assert len(take.notes) == 1


def test_parameter_that_claims_more_than_the_file_is_refused_before_its_reader_makes_room(tmp_path: Path) -> None:
    path = write(tmp_path / "a.c3d")
    content = bytearray(path.read_bytes())
    sizes = content.index(b"LABELS", content.index(b"ANALOG")) + len("LABELS") + 3  # behind offset and type
    content[sizes : sizes + 5] = bytes([4, 255, 255, 255, 255])
    path.write_bytes(content)
    with pytest.raises(InputError, match="its parameter 'LABELS' claims more than the file holds"):
        read_take(path)
