"""The second check: the subject moves only one leg, or arm, which shows which sensors are on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import Problem, connection_problems, display_name, working
from imu_emg_estimator.rig import Rig

MOVED_SIDE, OTHER_SIDE = "right", "left"
MIN_MOVEMENT_MPS2 = 1.5  # standard deviation of the acceleration; 0.2 in standing, 8 in walking
MIN_LIMB_MOVEMENT_MPS2 = MIN_MOVEMENT_MPS2 / 5  # of a sensor on a limb that moves
# In walking, where both legs do the same, left and right are within 1.2 of each other (99 % of HuGaDB's 6 s windows).
MIN_MOVEMENT_RATIO = 1.4  # between a sensor and its counterpart on the other leg


@dataclass(frozen=True)
class Limb:
    """A limb of which the subject moves one, and how the guide asks for it.

    Attributes:
        ask: what to do, to follow "ask the subject to".
        again: the same, briefly; ``other_stays``: what the other one does meanwhile.
    """

    name: str
    plural: str
    segments: tuple[str, ...]
    ask: str
    again: str
    other_stays: str


LIMBS = (
    Limb(
        "leg", "legs", ("foot", "shank", "thigh"),
        "step on the spot with the {side} foot only: lift it and put it down",
        "lift the foot and put it down", "The other foot stays on the ground.",
    ),
    Limb(
        "arm", "arms", ("hand", "forearm", "upper_arm"), "move the {side} arm only: raise the hand and lower it",
        "raise the hand and lower it", "The other arm hangs still.",
    ),
)  # fmt: skip


def paired_limb(rig: Rig) -> Limb | None:
    """Return a limb of which a segment has sensors on both sides, which a movement of one can distinguish."""
    return next((limb for limb in LIMBS if _pairs(rig, limb)), None)


def check_limb(samples: LiveSamples, rig: Rig, limb: Limb) -> list[Problem]:
    """Find problems in the samples of a subject who was asked to move only the limb of the ``MOVED_SIDE``."""
    problems = connection_problems(samples, rig)
    good = working(problems, rig)
    movement = {index: float(np.sqrt(samples.sensors[index].acceleration.var(axis=0).sum())) for index in good}
    pairs = {segment: pair for segment, pair in _pairs(rig, limb).items() if set(pair) <= set(movement)}
    if not pairs:
        return problems
    names = tuple(rig.sensor_names[index] for pair in pairs.values() for index in pair)
    if max(movement[index] for pair in pairs.values() for index in pair) < MIN_MOVEMENT_MPS2:
        text = f"No {limb.name} moved. Use the {MOVED_SIDE} {limb.name}: {limb.again} again, several times."
        return [*problems, Problem("no_step", names, text)]
    ratios = {segment: movement[here] / max(movement[there], 1e-6) for segment, (here, there) in pairs.items()}
    reversed_ = [segment for segment, ratio in ratios.items() if ratio < 1 / MIN_MOVEMENT_RATIO]
    right = [segment for segment, ratio in ratios.items() if ratio > MIN_MOVEMENT_RATIO]
    if not reversed_ and not right:
        text = (
            f"Both {limb.plural} moved equally, so left and right cannot be distinguished. Move only the {MOVED_SIDE} "
            f"{limb.name}: {limb.again}. {limb.other_stays}"
        )
        return [*problems, Problem("both_legs", names, text)]
    if reversed_ and not right:
        text = (
            f"The sensors of the {OTHER_SIDE} {limb.name} moved, not those of the {MOVED_SIDE} {limb.name}. If the "
            f"subject did move the {MOVED_SIDE} {limb.name}, left and right are exchanged: move every sensor to the "
            f"same place on the other {limb.name}."
        )
        return [*problems, Problem("sides_exchanged", names, text)]
    problems += [_exchanged(rig, pairs[segment]) for segment in reversed_]
    problems += _detached_problems(rig, limb, pairs, movement, set(reversed_))
    return problems


def _exchanged(rig: Rig, pair: tuple[int, int]) -> Problem:
    names = tuple(rig.sensor_names[index] for index in pair)
    text = f"The {display_name(names[0])} and {display_name(names[1])} sensors are exchanged. Swap them."
    return Problem("exchanged", names, text)


def _detached_problems(
    rig: Rig, limb: Limb, pairs: Mapping[str, tuple[int, int]], movement: Mapping[int, float], exchanged: set[str]
) -> list[Problem]:
    """Find sensors of the moving limb that do not move with it."""
    own = (index for segment, (index, _) in pairs.items() if segment not in exchanged)
    still = [rig.sensor_names[index] for index in own if movement[index] < MIN_LIMB_MOVEMENT_MPS2]
    text = f"sensor did not move with its {limb.name}. Is it attached to the {limb.name}?"
    return [Problem("stays_behind", (name,), f"The {display_name(name)} {text}") for name in still]


def _pairs(rig: Rig, limb: Limb) -> dict[str, tuple[int, int]]:
    """Return by segment of the limb: the index of the moved side's sensor and that of its counterpart."""
    places = {(sensor.segment, sensor.side): index for index, sensor in enumerate(rig.sensors)}
    return {
        segment: (index, places[segment, OTHER_SIDE])
        for (segment, side), index in places.items()
        if segment in limb.segments and side == MOVED_SIDE and (segment, OTHER_SIDE) in places
    }
