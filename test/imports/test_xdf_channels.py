"""Lab Streaming Layer recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import emg_mv, imu_g
from fixtures.xdf_files import XdfStream, write_xdf

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import propose_mapping
from imu_emg_estimator.imports.file_forms import read_take

pytest.importorskip("pyxdf", reason="pyxdf is not installed; pip install 'imu_emg_estimator[import]'")

AXES = [(f"{kind} {axis}", unit, "") for kind, unit in (("ACC", "g"), ("GYRO", "deg/s")) for axis in "XYZ"]
IMU = XdfStream("shank", "IMU", AXES, 100.0 + np.arange(400) / 100, imu_g(), 100.0)
EMG = XdfStream(
    "amplifier", "EMG", [("soleus", "mV", "EMG")], 100.0 + np.arange(4000) / 1000, emg_mv()[:, None], 1000.0
)


def test_streams_give_channels_with_labels_units_and_exact_values(tmp_path: Path) -> None:
    take = read_take(write_xdf(tmp_path / "a.xdf", [IMU, EMG]))
    assert (take.form, take.notes) == ("XDF", ())
    assert [channel.name for channel in take.channels[:2]] == ["shank: ACC X", "shank: ACC Y"]
    for column, channel in enumerate(take.channels[:6]):
        assert np.array_equal(channel.values, imu_g()[:, column])
        assert np.allclose(channel.times, IMU.times, atol=1e-6)
    emg = take.channels[6]
    assert (emg.name, emg.unit) == ("amplifier: emg soleus", "mV")
    assert np.array_equal(emg.values, emg_mv())
    mapping = propose_mapping([take])
    assert (mapping.sensors, mapping.muscles) == (("shank",), ("soleus",))


def test_clock_offsets_bring_streams_together(tmp_path: Path) -> None:
    other = replace(EMG, times=EMG.times + 5000.0, offset=-5000.0)  # by the clock of another computer
    take = read_take(write_xdf(tmp_path / "a.xdf", [IMU, other]))
    assert abs(take.channels[6].times[0] - take.channels[0].times[0]) < 1e-3


def test_jitter_is_smoothed_and_a_rate_that_is_off_is_told(tmp_path: Path) -> None:
    jitter = np.random.default_rng(0).normal(0, 0.003, 400)
    shaky = replace(IMU, times=100.0 + np.arange(400) / 98.0 + jitter)
    take = read_take(write_xdf(tmp_path / "a.xdf", [shaky, EMG]))
    assert np.ptp(np.diff(take.channels[0].times)) < 1e-6
    (note,) = take.notes
    assert note.startswith("'shank' has 98.")
    assert note.endswith("samples a second, not 100 as it says")


def test_stream_that_was_recorded_twice_is_kept_once_and_told(tmp_path: Path) -> None:
    shorter = replace(IMU, times=IMU.times[:300], values=IMU.values[:300])
    take = read_take(write_xdf(tmp_path / "a.xdf", [shorter, IMU, EMG]))
    assert len(take.channels) == 7
    assert len(take.channels[0].values) == 400
    assert take.notes == ("'shank' was recorded twice; the longer one, 400 samples, was kept",)


def test_stream_that_began_anew_is_put_end_to_end(tmp_path: Path) -> None:
    again = replace(IMU, times=IMU.times + 10.0)
    take = read_take(write_xdf(tmp_path / "a.xdf", [IMU, again, EMG]))
    assert len(take.channels[0].values) == 800
    assert take.notes[0] == "'shank' began anew after 6 s"


def test_sensors_of_one_name_are_numbered(tmp_path: Path) -> None:
    streams = [replace(IMU, name="imu", source=source) for source in ("left", "right")]
    take = read_take(write_xdf(tmp_path / "a.xdf", [*streams, EMG]))
    assert propose_mapping([take]).sensors == ("imu_1", "imu_2")


def test_recording_without_end_or_offsets_is_read_and_told(tmp_path: Path) -> None:
    cut = replace(EMG, has_footer=False, has_offsets=False)
    notes = read_take(write_xdf(tmp_path / "a.xdf", [IMU, cut])).notes
    assert "'amplifier' has no end: the recording was cut off" in notes
    assert "'amplifier' has no clock offsets: how its clock fits the others is not known" in notes


@pytest.mark.parametrize(
    "content", [b"XDF:", b"XDF:" + b"\x04\xff\xff\xff\x7f\x02\x00" * 40, b"XDF:\x08" + b"\xff" * 99]
)
def test_damaged_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.xdf"):
        read_take(path)


def test_lost_samples_shift_no_others(tmp_path: Path) -> None:
    kept = np.r_[0:100, 250:400]
    lossy = replace(IMU, times=IMU.times[kept], values=IMU.values[kept])
    take = read_take(write_xdf(tmp_path / "a.xdf", [lossy, EMG]))
    assert np.allclose(take.channels[0].times, IMU.times[kept], atol=1e-6)
    assert take.notes == ("'shank' has 1 gap, the longest of 1.51 s",)


def test_accelerometer_and_gyroscope_may_be_streams_of_their_own(tmp_path: Path) -> None:
    parts = [
        replace(IMU, name=f"shank_{name}", kind=kind, channels=[(axis, "", "") for axis in "XYZ"], values=values)
        for name, kind, values in (
            ("acc", "Accelerometer", IMU.values[:, :3]),
            ("gyro", "Gyroscope", IMU.values[:, 3:]),
        )
    ]
    mapping = propose_mapping([read_take(write_xdf(tmp_path / "a.xdf", [*parts, EMG]))])
    assert mapping.sensors == ("shank",)
    assert len(mapping.used) == 7
