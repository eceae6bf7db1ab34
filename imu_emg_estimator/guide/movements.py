"""What the wearer should do while the calibration is recorded; why, is in docs/guide.md."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 30.0  # s; more is better: 60 s and 120 s gain more


@dataclass(frozen=True)
class Movement:
    """Something to do for a share of the recording."""

    text: str
    share: float


SCHEDULE = (
    Movement("Walk at your usual pace", 0.5),
    Movement("Walk a little faster", 0.25),
    Movement("Walk at your usual pace again", 0.25),
)


def movement_at(elapsed: float, total: float) -> Movement:
    """What to do now."""
    end = 0.0
    for movement in SCHEDULE:
        end += movement.share * total
        if elapsed < end:
            return movement
    return SCHEDULE[-1]
