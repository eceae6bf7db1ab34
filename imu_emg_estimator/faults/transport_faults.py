"""Faults between sensor and receiver: messages come late, in bursts, twice, on the wrong input, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from imu_emg_estimator.faults.fault_kind import Fault, FaultKind, ImuMessage, Make, Messages, while_active
from imu_emg_estimator.signals.grid_alignment import SECOND

TWICE_AFTER_S = 0.002  # between the messages of two publishers of the same samples
OTHER_SEQUENCE = 1_000_000  # where the numbers of a second publisher begin


def _each(change: Callable[[ImuMessage, Fault, np.random.Generator], Messages]) -> Make:
    """Make a fault of what changes a message, whatever came before."""
    return while_active(lambda fault, generator: lambda message, elapsed: change(message, fault, generator))


def _after(message: ImuMessage, seconds: float) -> ImuMessage:
    return message._replace(arrival=message.arrival + round(seconds * SECOND))


def _delay_and_restamp(message: ImuMessage, fault: Fault, generator: np.random.Generator) -> Messages:
    late = _after(message, fault.magnitude)
    return (late._replace(timestamp=message.timestamp + late.arrival - message.arrival),)


def _twice(message: ImuMessage, fault: Fault, generator: np.random.Generator) -> Messages:
    again = _after(message, TWICE_AFTER_S)
    return (message, again._replace(sequence=OTHER_SEQUENCE + message.sequence))


def _also_elsewhere(message: ImuMessage, fault: Fault, generator: np.random.Generator) -> Messages:
    """Send what the second sensor of each pair sends on the first one's input too."""
    if fault.sensors.index(message.sensor) % 2 == 0:
        return (message,)
    sequence = OTHER_SEQUENCE + message.sequence
    return (message, message._replace(sensor=fault.partner(message.sensor), sequence=sequence))


class _Slow:
    """Keeps one of n messages; their numbers have no gaps."""

    def __init__(self, every: int) -> None:
        self._every, self._count, self._sequence = every, 0, 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Messages:
        if elapsed is None:
            self._sequence = message.sequence
            return (message,)
        self._count += 1
        if self._count % self._every:
            return ()
        self._sequence += 1
        return (message._replace(sequence=self._sequence),)


class _Burst:
    """Holds messages back and hands n at a time over, with their own timestamps or that of their arrival."""

    def __init__(self, size: int, is_restamped: bool) -> None:
        self._size, self._is_restamped = size, is_restamped
        self._held: list[ImuMessage] = []
        self._delay = 0  # from timestamp to arrival when nothing is held [ns]

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Messages:
        self._held.append(message)
        if elapsed is not None and len(self._held) < self._size:
            return ()
        held, self._held = self._held, []
        if elapsed is None and len(held) == 1:
            self._delay = message.arrival - message.timestamp
            return held
        arriving = [one._replace(arrival=message.arrival + at) for at, one in enumerate(held)]
        if not self._is_restamped:
            return arriving
        return [one._replace(timestamp=one.arrival - self._delay) for one in arriving]


KINDS = {
    "delayed": FaultKind(
        _each(lambda message, fault, _: (_after(message, fault.magnitude),)), "messages arrive M later",
        0.3, 0.0, 60.0, "s",
    ),
    "delayed_and_restamped": FaultKind(
        _each(_delay_and_restamp), "messages arrive M later, stamped as if they were new", 0.3, 0.0, 60.0, "s"
    ),
    "arrival_jitter": FaultKind(
        _each(lambda message, fault, generator: (_after(message, fault.magnitude * generator.random()),)),
        "messages arrive up to M later, each by another time, out of order", 0.03, 0.0, 10.0, "s",
    ),
    "burst": FaultKind(
        lambda fault, _: _Burst(round(fault.magnitude), is_restamped=False),
        "messages arrive M at a time", 8, 2, 1000, "messages",
    ),
    "burst_stamped_on_arrival": FaultKind(
        lambda fault, _: _Burst(round(fault.magnitude), is_restamped=True),
        "messages arrive M at a time, stamped when they arrive", 8, 2, 1000, "messages",
    ),
    "lost": FaultKind(
        _each(lambda message, fault, generator: () if generator.random() < fault.magnitude else (message,)),
        "a message is lost with probability M", 0.5, 0.0, 1.0,
    ),
    "slow": FaultKind(
        lambda fault, _: _Slow(round(fault.magnitude)),
        "the sensor sends one message instead of M", 5, 2, 1000, "messages",
    ),
    "silent": FaultKind(_each(lambda message, fault, generator: ()), "no message arrives"),
    "two_publishers": FaultKind(_each(_twice), "every message arrives from two publishers"),
    "two_sensors": FaultKind(
        _each(_also_elsewhere), "the second sensor of a pair also publishes where the first does", in_pairs=True
    ),
    "exchanged": FaultKind(
        _each(lambda message, fault, _: (message._replace(sensor=fault.partner(message.sensor)),)),
        "the sensors of a pair are exchanged", in_pairs=True,
    ),
}  # fmt: skip
