"""Where the page draws the sensors on its figure: by the rig, or by their names where the rig is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imu_emg_estimator.rig import Sensor
from imu_emg_estimator.rig_files.body_picture import BONES, JOINTS, PLACES, place_of_sensor
from imu_emg_estimator.rig_files.rig_proposal import sensor_of_name


def figure(sensors: Sequence[Sensor]) -> dict[str, Any]:
    """Return the bones of the right side as pairs of points, and the place of every sensor by name.

    A place is ``[x, y]`` [m], seen from the front; None = on a segment that the figure does not have.
    """
    bones = [[JOINTS[first], JOINTS[second]] for first, second in BONES]
    places = {own.name: place_of_sensor(own) if own.segment in PLACES else None for own in sensors}
    return {"bones": bones, "places": places}


def figure_of_names(names: Sequence[str]) -> dict[str, Any]:
    """Return the same for sensors of which only the names are known."""
    return figure([sensor_of_name(name) for name in names])
