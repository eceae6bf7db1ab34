"""Sensors that are worn the other way round from all others'."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.datasets.odd_mounting import odd_mountings, odd_mountings_of
from imu_emg_estimator.recording import FloatArray, Recording

SENSOR = 2


def worn(subject: str, x: float, z: float) -> tuple[str, dict[str, FloatArray]]:
    return subject, {"band": np.array([x, 0.5, z])}


def test_band_worn_the_other_way_round_is_named() -> None:
    takes = [worn("anna", 8, 3), worn("ben", 7, -2), worn("carl", 9, 0), worn("eva", 6, 4), worn("dora", -9, 1)]
    (note,) = odd_mountings([*takes, worn("dora", -8, 2)])
    assert note.startswith("subject dora: gravity on 'band' is 1")
    assert "x reversed" in note


def test_subjects_who_differ_anyhow_are_not_named() -> None:
    takes = [worn("anna", 9, 0), worn("ben", -9, 0), worn("carl", 0, 9), worn("eva", 0, -9), worn("dora", -9, 1)]
    assert odd_mountings(takes) == []
    assert odd_mountings([worn("anna", 9, 0), worn("ben", 9, 0), worn("carl", -9, 0)]) == []


@pytest.fixture(scope="module")
def people(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 5.0)], subject=str(number), seed=number) for number in range(5)]


def turned(recording: Recording, degrees: float) -> Recording:
    """Turn one sensor about its x axis."""
    imu, angle = recording.imu.copy(), np.radians(degrees)
    y, z = imu[:, SENSOR, 1].copy(), imu[:, SENSOR, 2].copy()
    imu[:, SENSOR, 1], imu[:, SENSOR, 2] = np.cos(angle) * y - np.sin(angle) * z, np.sin(angle) * y + np.cos(angle) * z
    return replace(recording, imu=imu)


def test_odd_mountings_names_reversed_sensor(people: list[Recording]) -> None:
    (said,) = odd_mountings_of([*people[:4], turned(people[4], 170.0)])
    assert said.startswith(f"subject 4: gravity on '{people[0].rig.sensor_names[SENSOR]}' is 1")
    assert "z reversed" in said


def test_odd_mountings_passes_over_sensors_that_are_worn_either_way(people: list[Recording]) -> None:
    sensors = tuple(replace(own, either_way="z") for own in people[0].rig.sensors)
    either = [replace(own, rig=replace(own.rig, sensors=sensors)) for own in [*people[:4], turned(people[4], 170.0)]]
    assert odd_mountings_of(either) == []


def test_odd_mountings_accepts_those_who_differ_a_little(people: list[Recording]) -> None:
    assert odd_mountings_of([*people[:4], turned(people[4], 60.0)]) == []


def test_odd_mountings_needs_others_who_agree(people: list[Recording]) -> None:
    assert odd_mountings_of([*people[:2], turned(people[4], 170.0)]) == []
    disagreeing = [turned(own, 70.0 * index) for index, own in enumerate(people)]
    assert odd_mountings_of(disagreeing) == []


def test_odd_mountings_says_nothing_of_a_limb_without_direction(people: list[Recording]) -> None:
    imu = people[4].imu.copy()
    imu[: len(imu) // 2, SENSOR, :3] *= -1.0
    assert odd_mountings_of([*people[:4], replace(people[4], imu=imu)]) == []
    imu[:, SENSOR] = np.nan
    assert odd_mountings_of([*people[:4], replace(people[4], imu=imu)]) == []
