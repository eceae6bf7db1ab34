"""A wearer as the guide's tests need one: stands, steps and walks with a sensor on every place, or wrongly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.guide.heard import Heard, SensorHeard
from imu_emg_estimator.rig import Rig

RATE = 60.0
FOOT, LEG = np.array([-0.5, 0.0, 0.85]), np.array([-0.99, 0.0, -0.1])


def standing_of(rig: Rig) -> NDArray[np.float64]:
    """Directions of gravity [sensors, 3] in g: feet lie, shanks and thighs hang, as on HuGaDB's wearers."""
    return np.array([FOOT if sensor.segment == "foot" else LEG for sensor in rig.sensors])


def stands(rig: Rig, seconds: float = 4.0, moving: Sequence[str] = (), strength: float = 5.0) -> Heard:
    """Standing; ``moving`` = sensors that move all the same."""
    generator = np.random.default_rng(1)
    times = np.arange(1, round(seconds * RATE)) / RATE
    sensors = []
    for sensor, gravity in zip(rig.sensors, standing_of(rig), strict=True):
        imu = np.zeros((len(times), 6))
        imu[:, :3] = 9.81 * gravity / np.linalg.norm(gravity) + 0.05 * generator.standard_normal((len(times), 3))
        imu[:, 3:] = np.nan  # a gyroscope is not asked for
        if sensor.name in moving:
            imu[:, :3] += strength * np.sin(2 * np.pi * 1.5 * times)[:, None] * [1.0, 0.2, 0.5]
        sensors.append(SensorHeard(f"/imu/{sensor.name}", times, imu))
    return Heard(seconds, tuple(sensors), "/emg", 100)


def steps(rig: Rig, side: str = "right") -> Heard:
    """One leg moves, the other one stands."""
    return stands(rig, 8.0, [sensor.name for sensor in rig.sensors if sensor.side == side])


def worn(heard: Heard, order: Sequence[int]) -> Heard:
    """The same with sensors on other places: at every place the samples of the sensor that sits there."""
    sensors = tuple(
        SensorHeard(here.topic, heard.sensors[source].receipts, heard.sensors[source].imu)
        for here, source in zip(heard.sensors, order, strict=True)
    )
    return Heard(heard.seconds, sensors, heard.emg_topic, heard.emg_messages)


def changed(heard: Heard, sensor: int, **values: object) -> Heard:
    """The same with one sensor that is otherwise: ``receipts``, ``imu``, ``topic``."""
    old = heard.sensors[sensor]
    new = SensorHeard(**({"topic": old.topic, "receipts": old.receipts, "imu": old.imu} | values))
    sensors = (*heard.sensors[:sensor], new, *heard.sensors[sensor + 1 :])
    return Heard(heard.seconds, sensors, heard.emg_topic, heard.emg_messages)
