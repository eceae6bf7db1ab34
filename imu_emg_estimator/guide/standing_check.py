"""The first check: the subject stands still, and gravity shows the orientation of every sensor.

The direction of gravity in the sensor's axes is compared with that of the training subjects when they stood. This does
not show a sensor that is turned about the vertical, or exchanged for one that has the same orientation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import LIMITS, Problem, connection_problems, display_name, working
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig, Sensor

STANDING, POSE = "standing", "pose"  # labels of recordings of the pose: of ours, and of one that the rig describes
# Four seconds of standing of HuGaDB's development subjects: 8° from the others' mean (median), 14 to 47° (99 % of a
# sensor); 0.1 m/s² (median), 0.9 m/s² (99 %). A sensor exchanged for one of the foot is 60° off.
MAX_TILT_DEG = 45.0
UPSIDE_DOWN_DEG = 135.0
MAX_STILL_STD_MPS2 = 1.0  # of an axis of the acceleration


def standing_directions(distribution: Distribution | None, rig: Rig) -> FloatArray | None:
    """Return the mean acceleration [sensors, 3] of the training subjects in the rig's pose [g]; None = not known."""
    pose = POSE if rig.pose else STANDING
    if distribution is None or pose not in distribution.conditions:
        return None
    centre = distribution.centres[distribution.conditions.index(pose)]
    return np.asarray(centre[: 3 * len(rig.sensors)].reshape(len(rig.sensors), 3))


def check_standing(samples: LiveSamples, rig: Rig, standing: FloatArray | None) -> list[Problem]:
    """Find problems in the samples of a subject who was asked to stand still.

    Args:
        standing: see ``standing_directions``; None = directions are not checked.
    """
    problems = connection_problems(samples, rig)
    gravities = {index: samples.sensors[index].acceleration.mean(axis=0) for index in working(problems, rig)}
    problems += _pop_faulty(_unit_problem, gravities, rig)  # first: in another unit, standing looks like movement
    moved = [index for index in gravities if samples.sensors[index].acceleration.std(axis=0).max() > MAX_STILL_STD_MPS2]
    if len(moved) > len(gravities) / 2:
        names = tuple(rig.sensor_names[index] for index in moved)
        return [*problems, Problem("moved", names, "The subject moved. Hold still for a few seconds, and try again.")]
    for index in moved:
        name = rig.sensor_names[index]
        text = f"The {display_name(name)} sensor moves although the subject holds still. Is it loose?"
        problems.append(Problem("loose", (name,), text))
        del gravities[index]
    problems += _pop_faulty(_strength_problem, gravities, rig)
    if standing is not None:
        problems += _direction_problems(gravities, standing, rig)
    return problems


def _pop_faulty(
    judge: Callable[[str, float], Problem | None], gravities: dict[int, FloatArray], rig: Rig
) -> list[Problem]:
    """Find sensors whose gravity has a wrong strength, and remove them from ``gravities``."""
    found = {
        index: problem
        for index, gravity in gravities.items()
        if (problem := judge(rig.sensor_names[index], float(np.linalg.norm(gravity))))
    }
    for index in found:
        del gravities[index]
    return list(found.values())


def _unit_problem(name: str, gravity: float) -> Problem | None:
    for unit, scale in (("g", 1.0), ("milli-g", 1000.0)):
        if 0.8 < gravity / scale < 1.6:
            measured = f"The {display_name(name)} sensor measures gravity as {gravity:.3g} instead of 9.8"
            return Problem("unit", (name,), f"{measured}: its driver sends {unit}. Set it to m/s².")
    return None


def _strength_problem(name: str, gravity: float) -> Problem | None:
    if LIMITS.gravity[0] <= gravity <= LIMITS.gravity[1]:
        return None
    text = f"The {display_name(name)} sensor measures {gravity:.3g} m/s² at rest instead of 9.8. "
    if gravity < 0.5:
        return Problem("unit", (name,), f"{text}Its driver removes gravity: set it to keep gravity in.")
    return Problem("gravity", (name,), f"{text}Calibrate it as its manufacturer describes, or replace it.")


def _direction_problems(still: dict[int, FloatArray], standing: FloatArray, rig: Rig) -> list[Problem]:
    turned = {
        index: angle
        for index, gravity in still.items()
        if (angle := _angle_either_way(gravity, standing[index], rig.sensors[index])) > MAX_TILT_DEG
    }
    problems = []
    for a, b in combinations(sorted(turned), 2):
        if a in turned and b in turned and _are_exchanged(still[a], still[b], standing[[a, b]]):
            names = (rig.sensor_names[a], rig.sensor_names[b])
            pair = f"{display_name(names[0])} and {display_name(names[1])}"
            text = f"The {pair} sensors look exchanged. Swap them."
            problems.append(Problem("exchanged", names, text))
            del turned[a], turned[b]
    for index, angle in turned.items():
        name = rig.sensor_names[index]
        if angle > UPSIDE_DOWN_DEG:
            text = f"The {display_name(name)} sensor looks upside down. Turn it over."
            problems.append(Problem("upside_down", (name,), text))
        else:
            text = (
                f"The {display_name(name)} sensor looks turned by about {10 * round(angle / 10)}°. Attach it as in the "
                "picture of your setup: same edge up, same side out."
            )
            problems.append(Problem("turned", (name,), text))
    return problems


def _angle_either_way(gravity: FloatArray, standing: FloatArray, sensor: Sensor) -> float:
    """Return the angle from the training subjects' gravity [degrees], the smaller one where both ways are right."""
    return min(angle_between(gravity, standing), angle_between(gravity, standing * sensor.half_turn))


def _are_exchanged(first: FloatArray, second: FloatArray, standing: FloatArray) -> bool:
    return angle_between(first, standing[1]) < MAX_TILT_DEG and angle_between(second, standing[0]) < MAX_TILT_DEG


def angle_between(a: Sequence[float] | FloatArray, b: Sequence[float] | FloatArray) -> float:
    """Return the angle between two directions [degrees]."""
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
