"""What the subject should do while the calibration is recorded. Reasons: docs/calibration.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RECORDING_DURATION_S = 60.0
WALK, STAIRS, RUN = "Walk at your usual pace", "Go up and down the stairs", "Run at an easy pace"
# By use of the device; the movements share the recording equally.
MOVEMENTS: Mapping[str, Sequence[str]] = {
    "walking": (WALK,),
    "walking and stairs": (WALK, STAIRS),
    "walking, stairs and running": (WALK, STAIRS, RUN),
}


def movement_at(movements: Sequence[str], elapsed: float, total: float) -> str:
    """Return the movement at a time since the start of a recording; both times in s."""
    return movements[min(int(elapsed / total * len(movements)), len(movements) - 1)]
