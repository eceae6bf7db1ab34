"""A sensor that one subject wears the other way round is named before anything is trained."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.worn_otherwise import worn_otherwise

SENSOR = 2


@pytest.fixture(scope="module")
def people(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 5.0)], subject=str(number), seed=number) for number in range(5)]


def turned(recording: Recording, degrees: float) -> Recording:
    """Turn one sensor about its x axis."""
    imu, angle = recording.imu.copy(), np.radians(degrees)
    y, z = imu[:, SENSOR, 1].copy(), imu[:, SENSOR, 2].copy()
    imu[:, SENSOR, 1], imu[:, SENSOR, 2] = np.cos(angle) * y - np.sin(angle) * z, np.sin(angle) * y + np.cos(angle) * z
    return replace(recording, imu=imu)


def test_worn_otherwise_names_reversed_sensor(people: list[Recording]) -> None:
    (said,) = worn_otherwise([*people[:4], turned(people[4], 170.0)])
    assert said.startswith(f"subject 4: {people[0].rig.sensor_names[SENSOR]} points 1")
    assert "z reversed" in said


def test_worn_otherwise_accepts_those_who_differ_a_little(people: list[Recording]) -> None:
    assert worn_otherwise([*people[:4], turned(people[4], 60.0)]) == []


def test_worn_otherwise_needs_others_who_agree(people: list[Recording]) -> None:
    assert worn_otherwise([*people[:2], turned(people[4], 170.0)]) == []
    disagreeing = [turned(own, 70.0 * index) for index, own in enumerate(people)]
    assert worn_otherwise(disagreeing) == []


def test_worn_otherwise_says_nothing_of_a_limb_without_direction(people: list[Recording]) -> None:
    imu = people[4].imu.copy()
    imu[: len(imu) // 2, SENSOR, :3] *= -1.0
    assert worn_otherwise([*people[:4], replace(people[4], imu=imu)]) == []
    imu[:, SENSOR] = np.nan
    assert worn_otherwise([*people[:4], replace(people[4], imu=imu)]) == []
