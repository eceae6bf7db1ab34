"""Channels assigned to sensors and muscles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import discover

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import Assignment, ChannelMapping, check_mapping, propose_mapping
from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.mapping_file import read_mapping, write_mapping
from imu_emg_estimator.rig import Muscle, Rig, Sensor

RIG = Rig("lab", 100.0, (Sensor("tibia", "shank", "right"),), (Muscle("soleus_right", "soleus", "right"),))
IMU = [f"shank {kind} {axis}" for kind in ("acc", "gyro") for axis in "xyz"]


def take_of(*names: str, unit: str = "") -> Take:
    times = np.arange(9.0)
    return Take(Path("a.csv"), "CSV", tuple(Channel(name, unit, times, np.ones(9)) for name in names))


def columns(mapping: ChannelMapping) -> dict[str, str]:
    return {assignment.channel: assignment.column for assignment in mapping.assignments}


def test_discover_is_mapped_by_the_names_of_its_sensors(tmp_path: Path) -> None:
    mapping = propose_mapping([read_take(discover(tmp_path / "a.csv"))])
    assert mapping.assignments[0] == Assignment("shank: ACC X", "shank_acc_x", "g")
    assert mapping.assignments[3] == Assignment("shank: GYRO X", "shank_gyro_x", "deg/s")
    assert mapping.assignments[6] == Assignment("calf: EMG 1", "emg_calf", "mV")
    assert (mapping.sensors, mapping.muscles, mapping.notes) == (("shank",), ("calf",), ())


def test_rig_gives_the_names() -> None:
    mapping = propose_mapping([take_of(*IMU, "emg sol", "temperature")], RIG)
    assert list(columns(mapping).values()) == [
        *(f"tibia_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"), "emg_soleus_right", "none",
    ]  # fmt: skip


def test_channels_of_one_device_are_numbered() -> None:
    mapping = propose_mapping([take_of(*IMU, "quattro: EMG A", "quattro: EMG B")])
    assert mapping.muscles == ("quattro", "quattro_2")


def test_structure_around_all_sensors_names_none_of_them() -> None:
    both = [f"trial_{side}_thigh_acc_{axis}" for side in "LR" for axis in "xyz"]
    assert propose_mapping([take_of(*both, "emg sol")]).sensors == ("l_thigh", "r_thigh")
    assert propose_mapping([take_of(*both[:3], "emg sol")]).sensors == ("trial_l_thigh",)
    one_leg = [f"left_{segment}_acc_{axis}" for segment in ("thigh", "foot") for axis in "xyz"]
    assert propose_mapping([take_of(*one_leg, "emg sol")]).sensors == ("left_thigh", "left_foot")
    numbered = [f"dot_{number}_acc_{axis}" for number in (1, 2) for axis in "xyz"]
    assert propose_mapping([take_of(*numbered, "emg sol")]).sensors == ("dot_1", "dot_2")


def test_accelerometer_without_three_axes_is_left_out_and_told() -> None:
    mapping = propose_mapping([take_of("shank acc x", "shank acc y", "emg sol")])
    assert set(columns(mapping).values()) == {"none", "emg_sol"}
    assert mapping.notes == ("shank_acc_x, shank_acc_y: no complete accelerometer or gyroscope, left out",)


def test_mapping_survives_its_file(tmp_path: Path) -> None:
    mapping = propose_mapping([take_of(*IMU, "emg: 'sol' ä", unit=""), take_of("odd: {name}", unit="µV")])
    write_mapping(tmp_path / "mapping.yaml", mapping)
    assert read_mapping(tmp_path / "mapping.yaml").assignments == mapping.assignments


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"shank acc x": Assignment("wrist acc x", "shank_acc_x")},
            "names the channel 'wrist acc x', which no file has",
        ),
        ({"shank acc x": Assignment("shank acc x", "none")}, "has no channel for 'shank_acc_x'"),
        ({"shank acc x": Assignment("shank acc x", "shank_acc_y")}, "gives 'shank_acc_y' to two channels"),
        ({"emg sol": Assignment("emg sol", "none")}, "has no EMG channel"),
    ],
)
def test_mapping_that_does_not_fit_is_refused_by_name(change: dict[str, Assignment], fault: str) -> None:
    take = take_of(*IMU, "emg sol")
    mapping = propose_mapping([take])
    changed = tuple(change.get(assignment.channel, assignment) for assignment in mapping.assignments)
    with pytest.raises(InputError, match=fault):
        check_mapping(replace(mapping, assignments=changed), [take])


def test_names_that_the_rig_has_not_are_refused() -> None:
    take = take_of(*IMU, "emg sol")
    with pytest.raises(InputError, match="names the sensor 'shank', which rig 'lab' has not: tibia"):
        check_mapping(propose_mapping([take]), [take], RIG)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("channels: [", "not valid YAML"),
        ("sensors: 1", "has no list 'channels'"),
        ("channels:\n- {channel: a}", "channel 1: give 'channel', 'is'"),
        ("channels:\n- {channel: a, is: knee}", "'knee' is not <sensor>_acc_x"),
        ("channels:\n- {channel: a, is: knee_acc_x, unit: furlong}", "unit 'furlong' is not known"),
        ("channels:\n- {channel: !!python/object/apply:os.getcwd [], is: none}", "not valid YAML"),
    ],
)
def test_faulty_mapping_file_is_refused_by_entry(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_mapping(path)


def test_channels_named_like_others_are_left_out_and_told() -> None:
    names = [f"shank acc {axis}" for axis in "xyz"]
    mapping = propose_mapping([take_of(*names, *(f"{name} 2" for name in names), "emg calf")])
    assert mapping.sensors == ("shank",)
    assert mapping.notes == (
        "left out, as others are named like them: 'shank acc x 2', 'shank acc y 2', 'shank acc z 2'; "
        "say in the mapping what they are",
    )
