"""What the subject should do while a calibration is recorded, in the words of the rig. Reasons: docs/calibration.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imu_emg_estimator.rig import Rig

RECORDING_DURATION_S = 60.0
WALK, STAIRS, RUN = "Walk at your usual pace", "Go up and down the stairs", "Run at an easy pace"
# By use of the device; the movements share the recording equally.
MOVEMENTS: Mapping[str, Sequence[str]] = {
    "walking": (WALK,),
    "walking and stairs": (WALK, STAIRS),
    "walking, stairs and running": (WALK, STAIRS, RUN),
}
STAND = "stand still and upright, arms at the sides, both feet flat on the ground"


def plans_of(rig: Rig) -> Mapping[str, Sequence[str]]:
    """Return what may be recorded: movements by the use of the device, all that a rig names first, then each alone."""
    from imu_emg_estimator.rig import DEFAULT_MOVEMENTS  # needs NumPy, for which `imu-emg --help` shall not wait

    if rig.movements == DEFAULT_MOVEMENTS:
        return MOVEMENTS
    said = {movement.name: movement.say or f"Do: {movement.name}" for movement in rig.movements}
    every = {", ".join(said): tuple(said.values())}
    return every | {name: (text,) for name, text in said.items()}


def pose_of(rig: Rig) -> str:
    """Return what the subject is asked to hold still, to follow "Ask the subject to"."""
    return rig.pose.rstrip(".") or STAND


def movement_at(movements: Sequence[str], elapsed: float, total: float) -> str:
    """Return the movement at a time since the start of a recording; both times in s."""
    return movements[min(int(elapsed / total * len(movements)), len(movements) - 1)]
