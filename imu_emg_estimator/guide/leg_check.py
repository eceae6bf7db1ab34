"""The second check: the subject moves only one leg, which shows which sensors are on that leg."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import Problem, connection_problems, display_name, working
from imu_emg_estimator.rig import Rig

STEPPING_LEG, OTHER_LEG = "right", "left"
MIN_MOVEMENT_MPS2 = 1.5  # standard deviation of the acceleration; 0.2 in standing, 8 in walking
MIN_LEG_MOVEMENT_MPS2 = MIN_MOVEMENT_MPS2 / 5  # of a sensor on a leg that moves
# In walking, where both legs do the same, left and right are within 1.2 of each other (99 % of HuGaDB's 6 s windows).
MIN_MOVEMENT_RATIO = 1.4  # between a sensor and its counterpart on the other leg


def can_step(rig: Rig) -> bool:
    """Return whether a segment has sensors on both legs, which a step can distinguish."""
    return bool(_pairs(rig))


def check_step(samples: LiveSamples, rig: Rig) -> list[Problem]:
    """Find problems in the samples of a subject who was asked to move only the ``STEPPING_LEG``."""
    problems = connection_problems(samples, rig)
    good = working(problems, rig)
    movement = {index: float(np.sqrt(samples.sensors[index].acceleration.var(axis=0).sum())) for index in good}
    pairs = {segment: pair for segment, pair in _pairs(rig).items() if set(pair) <= set(movement)}
    if not pairs:
        return problems
    names = tuple(rig.sensor_names[index] for pair in pairs.values() for index in pair)
    if max(movement[index] for pair in pairs.values() for index in pair) < MIN_MOVEMENT_MPS2:
        text = f"No leg moved. Lift the {STEPPING_LEG} foot and put it down again, several times."
        return [*problems, Problem("no_step", names, text)]
    ratios = {segment: movement[here] / max(movement[there], 1e-6) for segment, (here, there) in pairs.items()}
    reversed_ = [segment for segment, ratio in ratios.items() if ratio < 1 / MIN_MOVEMENT_RATIO]
    right = [segment for segment, ratio in ratios.items() if ratio > MIN_MOVEMENT_RATIO]
    if not reversed_ and not right:
        text = (
            f"Both legs moved equally, so left and right cannot be distinguished. Move only the {STEPPING_LEG} leg: "
            "lift the foot and put it down while the other foot stays on the ground."
        )
        return [*problems, Problem("both_legs", names, text)]
    if reversed_ and not right:
        text = (
            f"The sensors of the {OTHER_LEG} leg moved, not those of the {STEPPING_LEG} leg. If the subject did move "
            f"the {STEPPING_LEG} leg, left and right are exchanged: move every sensor to the same place on the other "
            "leg."
        )
        return [*problems, Problem("sides_exchanged", names, text)]
    problems += [_exchanged(rig, pairs[segment]) for segment in reversed_]
    problems += _detached_problems(rig, pairs, movement, set(reversed_))
    return problems


def _exchanged(rig: Rig, pair: tuple[int, int]) -> Problem:
    names = (rig.sensor_names[pair[0]], rig.sensor_names[pair[1]])
    text = f"The {display_name(names[0])} and {display_name(names[1])} sensors are exchanged. Swap them."
    return Problem("exchanged", names, text)


def _detached_problems(
    rig: Rig, pairs: Mapping[str, tuple[int, int]], movement: Mapping[int, float], exchanged: set[str]
) -> list[Problem]:
    """Find sensors of the moving leg that do not move with it."""
    own = [pair[0] for segment, pair in pairs.items() if segment not in exchanged]
    found = []
    for index in own:
        if movement[index] < MIN_LEG_MOVEMENT_MPS2:
            name = rig.sensor_names[index]
            text = f"The {display_name(name)} sensor did not move with its leg. Is it attached to the leg?"
            found.append(Problem("stays_behind", (name,), text))
    return found


def _pairs(rig: Rig) -> dict[str, tuple[int, int]]:
    """Return by segment: the index of the stepping leg's sensor and that of its counterpart on the other leg."""
    places = {(sensor.segment, sensor.side): index for index, sensor in enumerate(rig.sensors)}
    return {
        segment: (index, places[segment, OTHER_LEG])
        for (segment, side), index in places.items()
        if side == STEPPING_LEG and (segment, OTHER_LEG) in places
    }
