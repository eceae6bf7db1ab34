"""What a fault is, and the messages that it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.grid_alignment import Sample


class ImuMessage(NamedTuple):
    """A message of an IMU as it arrives.

    Attributes:
        arrival: on the receiver's clock [ns].
        sensor: input on which it arrives.
        timestamp: in its header [ns].
        sample: acceleration [m/s^2] and angular rate [rad/s].
        sequence: number that its publisher gave it.
        absent: whether the covariance says that there is no acceleration, no rate (REP 145).
        payload: the whole message as bytes, where there is one.
    """

    arrival: int
    sensor: int
    timestamp: int
    sample: Sample
    sequence: int = 0
    absent: tuple[bool, bool] = (False, False)
    payload: bytes = b""


Messages = Sequence[ImuMessage]
# Takes a message and the time since the fault began [s], None outside the fault; returns what arrives instead.
Change = Callable[[ImuMessage, "float | None"], Messages]


@dataclass(frozen=True)
class Fault:
    """A fault of some sensors for some time.

    Attributes:
        kind: name of one of ``fault_injection.KINDS``.
        sensors: inputs that it strikes.
        start: when it begins, from the first message [s].
        duration: how long it lasts [s].
        magnitude: how strong it is, in the unit of its kind.
    """

    kind: str
    sensors: tuple[int, ...]
    start: float
    duration: float
    magnitude: float

    def elapsed(self, instant: float) -> float | None:
        """Return the time since its beginning at an instant from the first message [s]; None while it is not active."""
        return instant - self.start if self.start <= instant < self.start + self.duration else None

    def partner(self, sensor: int) -> int:
        """Return the sensor that one is exchanged with: the first with the second, the third with the fourth, ..."""
        at = self.sensors.index(sensor)
        return self.sensors[at ^ 1]


Make = Callable[[Fault, np.random.Generator], Change]


def while_active(
    make: Callable[[Fault, np.random.Generator], Callable[[ImuMessage, float], Messages]],
) -> Make:
    """Let what ``make`` returns see only the messages during the fault; all others arrive as they are."""

    def made(fault: Fault, generator: np.random.Generator) -> Change:
        change = make(fault, generator)
        return lambda message, elapsed: (message,) if elapsed is None else change(message, elapsed)

    return made


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        make: returns the change of the messages of one sensor.
        description: what happens, with "M" for the magnitude.
        magnitude: unless another one is given.
        lowest, highest: bounds of the magnitude; both None where it has no meaning.
        unit: of the magnitude.
        in_pairs: the sensors are paired.
    """

    make: Make
    description: str
    magnitude: float = 0.0
    lowest: float | None = None
    highest: float | None = None
    unit: str = ""
    in_pairs: bool = False

    def check(self, name: str, magnitude: float, sensors: int) -> None:
        """Raise InputError unless this magnitude and this number of sensors are possible."""
        if self.in_pairs and (sensors < 2 or sensors % 2):
            raise InputError(f"fault '{name}' needs sensors in pairs, not {sensors}; name two, four, ...")
        if self.lowest is None or self.highest is None:
            return
        if not self.lowest <= magnitude <= self.highest:
            raise InputError(
                f"fault '{name}' has magnitude {magnitude:g}; choose one from {self.lowest:g} to {self.highest:g}"
                f"{' ' if self.unit else ''}{self.unit}"
            )
