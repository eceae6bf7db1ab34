"""What the subject should do while the calibration is recorded; docs/calibration.md has the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SECONDS = 60.0  # s
WALK, STAIRS, RUN = "Walk at your usual pace", "Go up and down the stairs", "Run at an easy pace"
# By what the device is for; each movement has an equal share of the recording.
MOVEMENTS: Mapping[str, Sequence[str]] = {
    "walking": (WALK,),
    "walking and stairs": (WALK, STAIRS),
    "walking, stairs and running": (WALK, STAIRS, RUN),
}


def movement_at(movements: Sequence[str], elapsed: float, total: float) -> str:
    """What to do now; total = length of the recording [s]."""
    return movements[min(int(elapsed / total * len(movements)), len(movements) - 1)]
