"""Before a training, sensors that are worn either way are turned to one way."""

from dataclasses import replace

import numpy as np
from fixtures.factories import RecordingFactory

from imu_emg_estimator.model.worn_ways import signs_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.worn_alike import worn_alike

SENSOR = 4
WORN = {"1": [True, False, True], "2": [False], "3": [False], "4": [True]}  # the other way, by subject and recording


def recordings_of(make_recording: RecordingFactory, rig: Rig) -> tuple[list[Recording], list[Recording]]:
    """Recordings of people who wear the sensor as they like, and the same with it worn one way."""
    one_way = [
        replace(make_recording([("walking", 15.0)], subject=name, seed=10 * int(name) + index), rig=rig)
        for name, own in WORN.items()
        for index in range(len(own))
    ]
    turned = [turn for own in WORN.values() for turn in own]
    worn = [
        replace(own, imu=own.imu * signs_of([SENSOR], rig)) if turn else own
        for own, turn in zip(one_way, turned, strict=True)
    ]
    return worn, one_way


def test_worn_alike_turns_back_each_recording_of_a_person(make_recording: RecordingFactory, rig: Rig) -> None:
    sensors = [replace(own, either_way="z" if index == SENSOR else "none") for index, own in enumerate(rig.sensors)]
    either = replace(rig, sensors=tuple(sensors))
    worn, one_way = recordings_of(make_recording, either)
    for found, expected in zip(worn_alike(worn), one_way, strict=True):
        np.testing.assert_array_equal(found.imu, expected.imu)
    one_way_rig = [replace(own, rig=rig) for own in worn]
    assert all(found is given for found, given in zip(worn_alike(one_way_rig), one_way_rig, strict=True))
