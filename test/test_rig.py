"""Rig: order and mirroring of sensors and muscles, and rig files that are not as they should be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fixtures.factories import refusal

from imu_emg_estimator.rig import Muscle, Rig, Sensor
from imu_emg_estimator.utils.shipped_files import rig_file


def test_rig_roundtrip_through_dictionary_and_file(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump(rig.to_dict()))
    assert Rig.from_dict(rig.to_dict()) == rig
    assert Rig.from_yaml(path) == rig


def test_rig_file_equals_hugadb_rig(rig: Rig) -> None:
    assert Rig.from_yaml(rig_file("hugadb")) == rig


def test_mirror_pairs_left_with_right(rig: Rig) -> None:
    assert [rig.sensor_names[i] for i in rig.mirror_sensors()] == [
        name.replace("right", "LEFT").replace("left", "right").replace("LEFT", "left") for name in rig.sensor_names
    ]
    assert [rig.muscle_names[i] for i in rig.mirror_muscles()] == list(reversed(rig.muscle_names))


def test_mirror_maps_centre_to_itself() -> None:
    rig = Rig("waist", 100.0, (Sensor("pelvis", "pelvis"),), (Muscle("rectus", "rectus_abdominis"),))
    assert rig.mirror_sensors().tolist() == [0]


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_mirror_signs_obey_rigid_body_motion(rig: Rig, axis: str) -> None:
    """v = w x r holds in the mirror, too: v and r reflect as vectors, w with the signs of angular rate."""
    signs = replace(rig, lateral_axis=axis).mirror_signs()
    w, r = np.random.default_rng(0).standard_normal((2, 3))
    np.testing.assert_allclose(np.cross(signs[3:] * w, signs[:3] * r), signs[:3] * np.cross(w, r))
    assert signs["xyz".index(axis)] == -1


@pytest.mark.parametrize(
    "sensors",
    [
        [("a", "foot", "left")],
        [("a", "foot", "left"), ("b", "shank", "right")],
        [("a", "foot", "left"), ("b", "foot", "left"), ("c", "foot", "right"), ("d", "foot", "right")],
    ],
    ids=["no twin", "another segment", "twins not unique"],
)
def test_is_mirrorable_needs_unique_pairs(rig: Rig, sensors: list[tuple[str, str, str]]) -> None:
    lopsided = replace(rig, name="lopsided", sensors=tuple(Sensor(*sensor) for sensor in sensors))
    assert not lopsided.is_mirrorable
    with refusal("lopsided", "twin"):
        lopsided.mirror_sensors()


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"rate": 0}, ["rate", "0"]),
        ({"rate": float("nan")}, ["rate", "nan"]),
        ({"rate": "fast"}, ["rate", "fast"]),
        ({"rate": 10**400}, ["rate"]),
        ({"rate": None}, ["rate", "None"]),
        ({"lateral_axis": "w"}, ["lateral_axis", "'w'"]),
        ({"sensors": []}, ["no sensor"]),
        ({"muscles": "biceps"}, ["muscles", "list"]),
        ({"sensors": ["foot"]}, ["sensors", "mapping"]),
        ({"sensors": [{"name": "foot"}]}, ["sensors", "'segment'", "missing"]),
        ({"sensors": [{"name": "a", "segment": "foot", "colour": "red"}]}, ["'colour'"]),
        ({"sensors": [{"name": "a", "segment": "foot", "side": "up"}]}, ["'a'", "'up'"]),
        ({"muscles": [{"name": "a", "muscle": "b"}] * 2}, ["muscle 'a'", "twice"]),
        ({"sensors": [{"name": "a", "segment": "foot"}] * 2}, ["sensor 'a'", "twice"]),
        ({"colour": "red"}, ["'colour'", "not known"]),
    ],
)  # fmt: skip
def test_from_dict_names_bad_value(rig: Rig, change: dict[str, Any], parts: list[str]) -> None:
    with refusal(*parts):
        Rig.from_dict(rig.to_dict() | change)


def test_from_dict_names_missing_key(rig: Rig) -> None:
    values = rig.to_dict()
    del values["rate"]
    with refusal("'rate'", "missing"):
        Rig.from_dict(values)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"", b"- a list", b"{? [a]: b}"])
def test_from_yaml_names_bad_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with refusal(path):
        Rig.from_yaml(path)


def test_from_yaml_names_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with refusal(path):
            Rig.from_yaml(path)


def test_rig_in_the_words_of_a_lab_survives_a_file(tmp_path: Path) -> None:
    text = """
    name: arm
    rate: 100
    gyroscopes: false
    pose: Sit with the forearm on the table.
    sensors: [{name: wrist, segment: forearm, side: right}]
    muscles: [{name: biceps, muscle: biceps}]
    movements: [rest, {name: curl, say: Curl the dumbbell slowly}]
    """
    path = tmp_path / "arm.yaml"
    path.write_text(text)
    rig = Rig.from_yaml(path)
    assert rig.movement_names == ("rest", "curl")
    assert rig.movements[1].say == "Curl the dumbbell slowly"
    assert not rig.gyroscopes
    assert rig.pose.startswith("Sit")
    assert Rig.from_dict(rig.to_dict()) == rig


def test_rig_says_of_defaults_nothing(rig: Rig) -> None:
    """The identity of a bundle is made from what its rig says."""
    assert set(rig.to_dict()) == {"name", "rate", "lateral_axis", "sensors", "muscles"}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"lateral_axes": "y"}, ["'lateral_axes'", "did you mean 'lateral_axis'"]),
        ({"movements": []}, ["no movement"]),
        ({"movements": ["curl", "curl"]}, ["movement 'curl'", "twice"]),
        ({"movements": [{"say": "Curl"}]}, ["movements", "'name'", "missing"]),
        ({"gyroscopes": "no"}, ["'gyroscopes'", "true or false"]),
        ({"pose": ["a"]}, ["'pose'", "no text"]),
        ({"name": None}, ["'name'", "no text"]),
    ],
)
def test_from_dict_names_bad_value_of_a_lab(rig: Rig, change: dict[str, Any], parts: list[str]) -> None:
    with refusal(*parts):
        Rig.from_dict(rig.to_dict() | change)


def test_from_yaml_refuses_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    path.write_text("#" * 1_000_001)
    with refusal(path, "exceeds"):
        Rig.from_yaml(path)


def test_rig_keeps_sensor_that_is_worn_either_way_and_refuses_another_axis(rig: Rig) -> None:
    either = replace(rig, sensors=(replace(rig.sensors[0], either_way="z"), *rig.sensors[1:]))
    assert Rig.from_dict(either.to_dict()) == either
    assert "either_way" not in str(rig.to_dict())
    with refusal("right_foot", "'up'", "x, y or z"):
        replace(rig, sensors=(replace(rig.sensors[0], either_way="up"),))
