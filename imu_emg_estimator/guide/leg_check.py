"""The second check: the subject moves one leg alone, and the sensors that move tell whose they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imu_emg_estimator.guide.live_samples import Heard
from imu_emg_estimator.guide.sensor_problems import Problem, connection_problems, spoken, working
from imu_emg_estimator.rig import Rig

LEG = "right"
OTHER = {"left": "right", "right": "left"}
MOVES = 1.5  # m/s²; standard deviation of the acceleration. Standing: 0.2, walking: 8
# In walking, where both legs do the same, left and right are within 1.2 of each other (99 % of HuGaDB's 6 s windows).
CLEAR = 1.4  # times as much movement as that of the twin


def can_step(rig: Rig) -> bool:
    """Whether the rig has sensors on both legs, which a step tells apart."""
    return bool(_pairs(rig))


def check_step(heard: Heard, rig: Rig, leg: str = LEG, emg: bool = True) -> list[Problem]:
    """What is wrong with the sensors of somebody who was asked to move one leg alone."""
    problems = connection_problems(heard, rig, emg)
    good = working(problems, rig)
    movement = {index: float(np.sqrt(heard.sensors[index].acceleration.var(axis=0).sum())) for index in good}
    pairs = {
        segment: (here, there)
        for segment, (here, there) in _pairs(rig, leg).items()
        if here in movement and there in movement
    }
    if not pairs:
        return problems
    concerned = tuple(rig.sensor_names[index] for pair in pairs.values() for index in pair)
    if max(movement[index] for pair in pairs.values() for index in pair) < MOVES:
        text = f"No leg moved. Lift the {leg} foot and put it down again, several times."
        return [*problems, Problem("no_step", concerned, text)]
    ratios = {segment: movement[here] / max(movement[there], 1e-6) for segment, (here, there) in pairs.items()}
    reversed_ = [segment for segment, ratio in ratios.items() if ratio < 1 / CLEAR]
    right = [segment for segment, ratio in ratios.items() if ratio > CLEAR]
    if not reversed_ and not right:
        text = (
            f"Both legs moved alike, so left and right cannot be told apart. Move the {leg} leg alone: lift the foot, "
            "put it down, while the other one stays on the ground."
        )
        return [*problems, Problem("both_legs", concerned, text)]
    if reversed_ and not right:
        text = (
            f"The sensors of the {OTHER[leg]} leg moved, not those of the {leg} one. If it was the {leg} leg that the "
            "subject moved, left and right are exchanged: put every sensor on the same place of the other leg."
        )
        return [*problems, Problem("sides_exchanged", concerned, text)]
    problems += [_exchanged(rig, pairs[segment]) for segment in reversed_]
    problems += _stays_behind(rig, pairs, movement, set(reversed_))
    return problems


def _exchanged(rig: Rig, pair: tuple[int, int]) -> Problem:
    names = (rig.sensor_names[pair[0]], rig.sensor_names[pair[1]])
    text = f"The {spoken(names[0])} and {spoken(names[1])} sensors are exchanged. Put each on the other's place."
    return Problem("exchanged", names, text)


def _stays_behind(
    rig: Rig, pairs: Mapping[str, tuple[int, int]], movement: Mapping[int, float], aside: set[str]
) -> list[Problem]:
    """Sensors of the moving leg that do not move with it."""
    own = [pair[0] for segment, pair in pairs.items() if segment not in aside]
    found = []
    for index in own:
        if movement[index] < MOVES / 5:
            name = rig.sensor_names[index]
            text = f"The {spoken(name)} sensor did not move with its leg. Is it on the body?"
            found.append(Problem("stays_behind", (name,), text))
    return found


def _pairs(rig: Rig, leg: str = LEG) -> dict[str, tuple[int, int]]:
    """By segment: the sensor of a leg and its twin on the other one."""
    places = {(sensor.segment, sensor.side): index for index, sensor in enumerate(rig.sensors)}
    return {
        segment: (index, places[segment, OTHER[leg]])
        for (segment, side), index in places.items()
        if side == leg and (segment, OTHER[leg]) in places
    }
