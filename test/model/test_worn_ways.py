"""Sensors that the rig says are worn either way are turned to the training subjects' way, others never."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.placement_remedies import rotation_about
from imu_emg_estimator.model.worn_ways import HalfTurns, signs_of, turned_back, turned_sensors
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.motion_statistics import MotionStatistics, motion_statistics
from imu_emg_estimator.signals.mounting_rotation import turn_mounts
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

Array = NDArray[np.floating]
EITHER_WAY = {1: "z", 3: "x"}


@pytest.fixture(scope="module")
def either(rig: Rig) -> Rig:
    sensors = [replace(sensor, either_way=EITHER_WAY.get(i, "none")) for i, sensor in enumerate(rig.sensors)]
    return replace(rig, sensors=tuple(sensors))


@pytest.fixture(scope="module")
def distribution(make_recording: RecordingFactory) -> Distribution:
    return fit_distribution([make_recording([("walking", 20.0)], subject=str(seed), seed=seed) for seed in range(1, 4)])


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> Array:
    return make_recording([("walking", 12.0)], seed=9).imu


def half_turned(imu: Array, *sensors: int) -> Array:
    rotations = np.tile(np.eye(3), (6, 1, 1))
    for sensor in sensors:
        rotations[sensor] = rotation_about(np.eye(3)["xyz".index(EITHER_WAY.get(sensor, "y"))], 180.0)
    return turn_mounts(imu, rotations)


@pytest.mark.parametrize("worn", [(), (1,), (3,), (1, 3)])
def test_sensors_worn_the_other_way_are_found_and_turned_back(
    either: Rig, distribution: Distribution, imu: Array, worn: tuple[int, ...]
) -> None:
    other = half_turned(imu, *worn)
    assert turned_sensors(other, either, distribution) == list(worn)
    np.testing.assert_allclose(turned_back(other, either, distribution), imu, atol=1e-4)
    assert (turned_back(other, either, distribution) is other) == (not worn)


def test_sensor_is_not_turned_unless_the_rig_allows_it(rig: Rig, distribution: Distribution, imu: Array) -> None:
    assert turned_sensors(half_turned(imu, 1), rig, distribution) == []


def test_sensor_is_not_turned_for_want_of_movement_or_samples(
    either: Rig, distribution: Distribution, imu: Array
) -> None:
    other = half_turned(imu, 1)
    assert turned_sensors(other[: round(3.0 * either.rate)], either, distribution) == []
    assert turned_sensors(np.broadcast_to(other[:1], other.shape), either, distribution) == []
    other[:, 1] = np.nan
    assert turned_sensors(other, either, distribution) == []
    assert turned_sensors(np.full_like(other, np.nan), either, distribution) == []


def test_half_turn_changes_signs_of_statistics_as_of_samples(either: Rig, imu: Array) -> None:
    turns = HalfTurns(either)
    before, after = (motion_statistics(own, either.rate)[0][-1] for own in (imu, imu * turns.samples[1]))
    np.testing.assert_allclose(before * turns.statistics[1], after, atol=1e-6)
    assert turns.statistics.shape == (2, len(MotionStatistics(6)))
    np.testing.assert_allclose(imu * signs_of([1, 3], either), half_turned(imu, 1, 3), atol=1e-4)
