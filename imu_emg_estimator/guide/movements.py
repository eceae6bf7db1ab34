"""What the wearer should do while the calibration is recorded; `imu-emg benchmark --protocol calibration` finds it."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 30.0  # s


@dataclass(frozen=True)
class Movement:
    """Something to do for a share of the recording."""

    text: str
    share: float


SCHEDULE = (Movement("Walk at your usual pace", 1.0),)


def movement_at(elapsed: float, total: float) -> Movement:
    """What to do now."""
    end = 0.0
    for movement in SCHEDULE:
        end += movement.share * total
        if elapsed < end:
            return movement
    return SCHEDULE[-1]
