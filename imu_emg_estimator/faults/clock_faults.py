"""Faults of a sensor's clock: its timestamps change, its samples and their arrival do not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np

from imu_emg_estimator.faults.fault_kind import Change, Fault, FaultKind, ImuMessage, Make, Messages, while_active
from imu_emg_estimator.signals.grid_alignment import SECOND

LATE_S = 0.04  # of a message that is stamped late
Stamp = Callable[[ImuMessage, float], int]  # takes a message and the time since the fault began [s]


def _stamped(make: Callable[[Fault, np.random.Generator], Stamp]) -> Make:
    """Make a fault of what gives the timestamps while it lasts."""

    def made(fault: Fault, generator: np.random.Generator) -> Callable[[ImuMessage, float], Messages]:
        stamp = make(fault, generator)
        return lambda message, elapsed: (message._replace(timestamp=stamp(message, elapsed)),)

    return while_active(made)


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)


def _boot(fault: Fault, generator: np.random.Generator) -> Stamp:
    """Count from the start of the sensor, which had run for some time when the fault began."""
    first: int | None = None

    def stamp(message: ImuMessage, elapsed: float) -> int:
        nonlocal first
        first = message.timestamp if first is None else first
        return message.timestamp - first + _ns(fault.magnitude)

    return stamp


def _shared(fault: Fault, generator: np.random.Generator) -> Stamp:
    """Give several messages in a row the timestamp of the first."""
    numbers, timestamp = count(), 0

    def stamp(message: ImuMessage, elapsed: float) -> int:
        nonlocal timestamp
        if next(numbers) % round(fault.magnitude) == 0:
            timestamp = message.timestamp
        return timestamp

    return stamp


def _once(fault: Fault, generator: np.random.Generator) -> Stamp:
    """Move a single timestamp."""
    numbers = count()
    return lambda message, elapsed: message.timestamp + (0 if next(numbers) else _ns(fault.magnitude))


def _some_late(fault: Fault, generator: np.random.Generator) -> Change:
    """Stamp every n-th message late, counted from the first message on."""
    numbers, every = count(1), round(fault.magnitude)

    def changed(message: ImuMessage, elapsed: float | None) -> Messages:
        if next(numbers) % every or elapsed is None:
            return (message,)
        return (message._replace(timestamp=message.timestamp + _ns(LATE_S)),)

    return changed


KINDS = {
    "clock_offset": FaultKind(
        _stamped(lambda fault, _: lambda message, elapsed: message.timestamp + _ns(fault.magnitude)),
        "timestamps are ahead by M, behind if it is negative", 0.4, -1e6, 1e6, "s",
    ),
    "clock_drift": FaultKind(
        _stamped(lambda fault, _: lambda message, elapsed: message.timestamp + _ns(fault.magnitude * elapsed)),
        "timestamps run ahead by M every second", 0.005, -0.1, 0.1, "s",
    ),
    "clock_steps": FaultKind(
        _stamped(
            lambda fault, _: lambda message, elapsed: message.timestamp + _ns(fault.magnitude) * (elapsed % 2.0 < 1.0)
        ),
        "timestamps are ahead by M for a second, right for a second, ...", 0.4, -1e6, 1e6, "s",
    ),
    "constant_timestamp": FaultKind(
        _stamped(lambda fault, _: lambda message, elapsed: _ns(fault.magnitude)),
        "every timestamp is M", 0.0, 0.0, 2e9, "s",
    ),
    "whole_seconds": FaultKind(
        _stamped(lambda fault, _: lambda message, elapsed: message.timestamp // SECOND * SECOND),
        "timestamps are cut to whole seconds",
    ),
    "boot_time": FaultKind(
        _stamped(_boot), "timestamps count from the start of the sensor, M ago", 767.0, 0.0, 1e8, "s"
    ),
    "shared_timestamps": FaultKind(
        _stamped(_shared), "M messages in a row have the timestamp of the first", 4, 2, 100, "messages"
    ),
    "some_stamped_late": FaultKind(
        _some_late, f"one of M messages is stamped {LATE_S * 1e3:g} ms late", 7, 2, 1000, "messages"
    ),
    "one_timestamp": FaultKind(
        _stamped(_once), "one timestamp is ahead by M, behind if it is negative", 100.0, -1e6, 1e6, "s"
    ),
    "timestamp_jitter": FaultKind(
        _stamped(
            lambda fault, generator: lambda message, elapsed: (
                message.timestamp + _ns(fault.magnitude * generator.normal())
            )
        ),
        "timestamps scatter with a standard deviation of M", 0.003, 0.0, 10.0, "s",
    ),
}  # fmt: skip
