"""What names of channels say."""

import numpy as np
import pytest

from imu_emg_estimator.imports.channel_names import Meaning, meaning_of
from imu_emg_estimator.imports.channels import Channel


def meaning(name: str, unit: str = "") -> Meaning | None:
    return meaning_of(Channel(name, unit, np.arange(2.0), np.zeros(2)))


@pytest.mark.parametrize(
    ("name", "unit", "kind", "label", "axis"),
    [
        ("wrist: ACC X", "G", "acc", "wrist", "x"),
        ("wrist: GYRO Z", "deg/s", "gyro", "wrist", "z"),
        ("Trigno IM sensor 1: Acc 1.Y", "g", "acc", "trigno im sensor 1", "y"),
        ("acc_x", "g", "acc", "", "x"),
        ("Acc_X", "m/s²", "acc", "", "x"),
        ("Gyr_Z", "", "gyro", "", "z"),
        ("ax", "", "acc", "", "x"),
        ("gz", "", "gyro", "", "z"),
        ("RightFoot Accelerometer X", "", "acc", "right foot", "x"),
        ("foot_Gyro_Z", "", "gyro", "foot", "z"),
        ("shank acceleration x", "", "acc", "shank", "x"),
        ("L_Thigh.AngularVelocity.Y", "", "gyro", "l thigh", "y"),
        ("acc_thigh_r_x", "", "acc", "thigh r", "x"),
        ("ACCX1", "", "acc", "", "x"),
        ("lt_acc_z", "", "acc", "lt", "z"),
        ("imu_shank_gyro_x", "", "gyro", "shank", "x"),
    ],
)
def test_imu_channels_are_told_by_name(name: str, unit: str, kind: str, label: str, axis: str) -> None:
    assert meaning(name, unit) == Meaning(kind, tuple(label.split()), axis)


@pytest.mark.parametrize(
    ("name", "unit", "label"),
    [
        ("bicep: EMG 1", "mV", "bicep"),
        ("emg_soleus", "mV", "soleus"),
        ("EMG VL R", "", "vl r"),
        ("L TIB ANT.EMG", "V", "l tib ant"),
        ("EMG3", "", "3"),
        ("sEMG_RF", "", "rf"),
        ("Soleus", "µV", "soleus"),
        ("emg_adductor_magnus", "", "adductor magnus"),  # no magnetometer
    ],
)
def test_emg_channels_are_told_by_name_or_by_volts(name: str, unit: str, label: str) -> None:
    assert meaning(name, unit) == Meaning("emg", tuple(label.split()))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("FreeAcc_X", "m/s²"),  # without gravity
        ("Mag_X", ""),
        ("Quat_q0", ""),
        ("temperature", "degC"),
        ("Soleus", ""),
        ("acc_x", "deg/s"),  # contradicts itself
        ("Fz", "N"),
    ],
)
def test_other_channels_mean_nothing(name: str, unit: str) -> None:
    assert meaning(name, unit) is None


@pytest.mark.parametrize("name", ["Trigger", "Sync 1", "TTL in", "Foot switch", "Force plate 1", "battery"])
def test_other_voltages_are_no_emg(name: str) -> None:
    assert meaning(name, "V") is None
