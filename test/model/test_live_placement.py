"""How the sensors are worn is judged live: a fault is named soon, with its remedy, and forgotten soon after its end."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.live_placement import LivePlacement
from imu_emg_estimator.model.placement_remedies import rotation_about
from imu_emg_estimator.signals.sensor_verdict import GOOD, Verdict
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

Array = NDArray[np.floating]
SCHEDULE = (("standing", 5.0), ("walking", 40.0), ("running", 15.0))
ONSET_S, END_S = 12.0, 20.0  # of a fault


@pytest.fixture(scope="module")
def bundle(make_bundle: BundleFactory, make_recording: RecordingFactory) -> Bundle:
    subjects = [make_recording(SCHEDULE, subject=str(seed), seed=seed) for seed in range(1, 6)]
    return replace(make_bundle(), distribution=fit_distribution(subjects))


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> Array:
    return make_recording([("walking", 30.0)], seed=9).imu


def turned(imu: Array, sensor: int, rotation: Array) -> Array:
    result = imu.copy()
    result[:, sensor, :3] = imu[:, sensor, :3] @ rotation.T
    return result


def exchanged(imu: Array, *order: int) -> Array:
    return imu[:, list(order)]


FAULTS: dict[str, tuple[Callable[[Array], Array], tuple[int, ...], str]] = {
    "pair": (lambda imu: exchanged(imu, 3, 1, 2, 0, 4, 5), (0, 3), "look exchanged"),
    "sides": (lambda imu: exchanged(imu, 3, 4, 5, 0, 1, 2), (0, 1, 2, 3, 4, 5), "sides look exchanged"),
    "turned": (lambda imu: turned(imu, 4, rotation_about(np.array([0, 1, 0]), 90)), (4,), "turned by 90° about its y"),
    "slipped": (lambda imu: turned(imu, 2, rotation_about(np.array([0, 1, 0]), 45)), (2,), "slipped by about 45°"),
    "negated": (lambda imu: turned(imu, 1, -np.eye(3)), (1,), "sends all axes negated"),
    "all negated": (lambda imu: -imu, (0, 1, 2, 3, 4, 5), "send all axes negated"),
}


def named(placement: LivePlacement) -> tuple[int, ...]:
    return tuple(index for index, state in enumerate(placement.states) if state != GOOD)


@pytest.mark.parametrize("kind", FAULTS)
def test_placement_names_fault_within_3_s_and_forgets_it_within_2_s(bundle: Bundle, imu: Array, kind: str) -> None:
    make, sensors, words = FAULTS[kind]
    rate = bundle.rig.rate
    start, end = round(ONSET_S * rate), round(END_S * rate)
    faulty = imu.copy()
    faulty[start:end] = make(imu[start:end])
    placement = LivePlacement(bundle)
    for row in range(len(imu)):
        placement.step(faulty[row])
        if row < start:
            assert placement.states == (GOOD,) * 6
            assert not placement.out_of_distribution
        if row == start + round(3.0 * rate):
            assert named(placement) == sensors
            assert all(placement.states[sensor].verdict is Verdict.MISPLACED for sensor in sensors)
            assert words in placement.states[sensors[0]].reason
        if row == end + round(2.0 * rate):
            assert named(placement) == ()
