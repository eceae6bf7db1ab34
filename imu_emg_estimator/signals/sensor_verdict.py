"""Verdict on a sensor at an instant, with reason and remedy: one list for live streams, bags, tables and the guide."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """What is known of a sensor; the values are the words that people read."""

    OK = "ok"
    SILENT = "silent"
    LATE = "late"
    CLOCK_OFF = "clock off"
    FROZEN = "frozen"
    IMPLAUSIBLE = "implausible"
    OTHER_UNITS = "in other units"
    CLIPPED = "clipped"
    ABSENT = "absent"
    TWO_PUBLISHERS = "two publishers"
    SLOW = "slow"
    MISPLACED = "turned or exchanged"
    UNLIKE_TRAINING = "unlike the training data"


@dataclass(frozen=True, slots=True)
class SensorState:
    """Verdict on one sensor.

    Attributes:
        reason: what was seen, with figures, to follow the sensor's name: "repeats one sample since 0.3 s".
        remedy: what to do, as an imperative without a full stop: "switch it off and on again".
        masked: whether its samples are kept from the network.
        turn: by how much gravity turned over in its axes when it was masked [m/s²]; 0 = what is wrong is seen in its
            samples now. A turn is remembered, so that its motion may prove it right meanwhile.
    """

    verdict: Verdict = Verdict.OK
    reason: str = ""
    remedy: str = ""
    masked: bool = False
    turn: float = 0.0


GOOD = SensorState()
