"""The first check: the subject stands still, and gravity tells which way round every sensor sits.

Compared is the direction of gravity in the sensor with that of the training subjects when they stood. What stays the
same when a sensor is turned about the vertical, or exchanged for one that hangs alike, does not show here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from imu_emg_estimator.guide.live_samples import FloatArray, Heard
from imu_emg_estimator.guide.sensor_problems import LIMITS, Problem, connection_problems, spoken, working
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.rig import Rig

STANDING = "standing"
# Four seconds of standing of HuGaDB's development subjects: 8° from the others' mean (median), 14 to 47° (99 % of a
# sensor); 0.1 m/s² (median), 0.9 m/s² (99 %). A sensor exchanged for one of the foot is 60° off.
TURNED = 45.0  # degrees
UPSIDE_DOWN = 135.0  # degrees
MOVED = 1.0  # m/s²; standard deviation of an axis


def standing_directions(distribution: Distribution | None, sensors: int) -> FloatArray | None:
    """Mean acceleration [sensors, 3] of the training subjects when they stood [g]; None where it is not known."""
    if distribution is None or STANDING not in distribution.conditions:
        return None
    centre = distribution.centres[distribution.conditions.index(STANDING)]
    return np.asarray(centre[: 3 * sensors].reshape(sensors, 3))


def check_pose(heard: Heard, rig: Rig, standing: FloatArray | None, emg: bool = True) -> list[Problem]:
    """What is wrong with the sensors of somebody who was asked to stand still.

    Args:
        standing: see ``standing_directions``; None = only what needs no comparison is checked.
    """
    problems = connection_problems(heard, rig, emg)
    gravities = {index: heard.sensors[index].acceleration.mean(axis=0) for index in working(problems, rig)}
    problems += _of_each(_unit_problem, gravities, rig)  # first: in another unit, stillness looks like movement
    moved = [index for index in gravities if heard.sensors[index].acceleration.std(axis=0).max() > MOVED]
    if len(moved) > len(gravities) / 2:
        names = tuple(rig.sensor_names[index] for index in moved)
        return [*problems, Problem("moved", names, "The subject moved. Stand still for a few seconds, and try again.")]
    for index in moved:
        name = rig.sensor_names[index]
        text = f"The {spoken(name)} sensor moves although the subject stands still. Is it loose?"
        problems.append(Problem("loose", (name,), text))
        del gravities[index]
    problems += _of_each(_strength_problem, gravities, rig)
    if standing is not None:
        problems += _direction_problems(gravities, standing, rig)
    return problems


def _of_each(
    judge: Callable[[str, float], Problem | None], gravities: dict[int, FloatArray], rig: Rig
) -> list[Problem]:
    """What is wrong with the strength of gravity; those sensors are taken out."""
    found = {
        index: problem
        for index, gravity in gravities.items()
        if (problem := judge(rig.sensor_names[index], float(np.linalg.norm(gravity))))
    }
    for index in found:
        del gravities[index]
    return list(found.values())


def _unit_problem(name: str, gravity: float) -> Problem | None:
    for unit, scale in (("g", 1.0), ("thousandths of g", 1000.0)):
        if 0.8 < gravity / scale < 1.6:
            text = f"The {spoken(name)} sensor feels gravity as {gravity:.3g}, not 9.8: its driver sends {unit}. "
            return Problem("unit", (name,), f"{text}Set it to m/s².")
    return None


def _strength_problem(name: str, gravity: float) -> Problem | None:
    if LIMITS.gravity[0] <= gravity <= LIMITS.gravity[1]:
        return None
    text = f"The {spoken(name)} sensor feels {gravity:.3g} m/s² at rest instead of 9.8. "
    if gravity < 0.5:
        return Problem("unit", (name,), f"{text}Its driver takes gravity out: set it to send the whole acceleration.")
    return Problem("gravity", (name,), f"{text}Calibrate it as its maker says, or replace it.")


def _direction_problems(still: dict[int, FloatArray], standing: FloatArray, rig: Rig) -> list[Problem]:
    turned = {
        index: angle for index, gravity in still.items() if (angle := angle_between(gravity, standing[index])) > TURNED
    }
    problems = []
    for a, b in combinations(sorted(turned), 2):
        if a in turned and b in turned and _are_exchanged(still[a], still[b], standing[[a, b]]):
            names = (rig.sensor_names[a], rig.sensor_names[b])
            pair = f"{spoken(names[0])} and {spoken(names[1])}"
            text = f"The {pair} sensors look exchanged. Put each on the other's place."
            problems.append(Problem("exchanged", names, text))
            del turned[a], turned[b]
    for index, angle in turned.items():
        name = rig.sensor_names[index]
        if angle > UPSIDE_DOWN:
            text = f"The {spoken(name)} sensor looks upside down. Turn it over."
            problems.append(Problem("upside_down", (name,), text))
        else:
            text = (
                f"The {spoken(name)} sensor looks turned by about {10 * round(angle / 10)}°. Put it on as in the "
                "picture of your set-up: same edge up, same side out."
            )
            problems.append(Problem("turned", (name,), text))
    return problems


def _are_exchanged(first: FloatArray, second: FloatArray, standing: FloatArray) -> bool:
    return angle_between(first, standing[1]) < TURNED and angle_between(second, standing[0]) < TURNED


def angle_between(a: Sequence[float] | FloatArray, b: Sequence[float] | FloatArray) -> float:
    """Angle between two directions [degrees]."""
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
