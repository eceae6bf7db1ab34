"""Faults of a sensor's clock: its timestamps change, its samples and their arrival do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from imu_emg_estimator.faults.fault_kind import Change, Fault, FaultKind, ImuMessage
from imu_emg_estimator.signals.grid_alignment import SECOND

LATE_S = 0.04  # of a message that is stamped late
Stamp = Callable[[ImuMessage, float, float], int]  # message, time since the fault began [s], magnitude -> timestamp


def _each(stamp: Stamp) -> Callable[[Fault, int, np.random.Generator], Change]:
    """Make a fault of a function that gives the timestamp."""

    def make(fault: Fault, sensor: int, generator: np.random.Generator) -> Change:
        def changed(message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
            if elapsed is None:
                return (message,)
            return (message._replace(timestamp=stamp(message, elapsed, fault.magnitude)),)

        return changed

    return make


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)


def _drift(message: ImuMessage, elapsed: float, magnitude: float) -> int:
    return message.timestamp + _ns(magnitude * elapsed)


def _steps(message: ImuMessage, elapsed: float, magnitude: float) -> int:
    return message.timestamp + (_ns(magnitude) if elapsed % 2.0 < 1.0 else 0)


def _whole_seconds(message: ImuMessage, elapsed: float, magnitude: float) -> int:
    return message.timestamp // SECOND * SECOND


class _Boot:
    """Counts from the start of the sensor, which had run for some time when the fault began."""

    def __init__(self, running: float) -> None:
        self._running, self._shift = _ns(running), 0
        self._is_set = False

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            self._is_set = False
            return (message,)
        if not self._is_set:
            self._shift, self._is_set = self._running - message.timestamp, True
        return (message._replace(timestamp=message.timestamp + self._shift),)


class _Shared:
    """Gives several messages in a row the timestamp of the first."""

    def __init__(self, group: int) -> None:
        self._group, self._count, self._timestamp = group, 0, 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            self._count = 0
            return (message,)
        if self._count % self._group == 0:
            self._timestamp = message.timestamp
        self._count += 1
        return (message._replace(timestamp=self._timestamp),)


class _SomeLate:
    """Stamps every n-th message late."""

    def __init__(self, every: int) -> None:
        self._every, self._count = every, 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        self._count += 1
        if elapsed is None or self._count % self._every:
            return (message,)
        return (message._replace(timestamp=message.timestamp + _ns(LATE_S)),)


class _OneTimestamp:
    """Moves a single timestamp."""

    def __init__(self, shift: float) -> None:
        self._shift, self._done = _ns(shift), False

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None or self._done:
            self._done = elapsed is not None
            return (message,)
        self._done = True
        return (message._replace(timestamp=message.timestamp + self._shift),)


class _Jitter:
    """Adds noise to the timestamps."""

    def __init__(self, deviation: float, generator: np.random.Generator) -> None:
        self._deviation, self._generator = deviation, generator

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            return (message,)
        return (message._replace(timestamp=message.timestamp + _ns(self._deviation * self._generator.normal())),)


KINDS = {
    "clock_offset": FaultKind(
        _each(lambda message, elapsed, m: message.timestamp + _ns(m)),
        "timestamps are ahead by M, behind if it is negative", 0.4, -1e6, 1e6, "s",
    ),
    "clock_drift": FaultKind(_each(_drift), "timestamps run ahead by M every second", 0.005, -0.1, 0.1, "s"),
    "clock_steps": FaultKind(
        _each(_steps), "timestamps are ahead by M for a second, right for a second, ...", 0.4, -1e6, 1e6, "s"
    ),
    "constant_timestamp": FaultKind(
        _each(lambda message, elapsed, m: _ns(m)), "every timestamp is M", 0.0, 0.0, 2e9, "s"
    ),
    "whole_seconds": FaultKind(_each(_whole_seconds), "timestamps are cut to whole seconds"),
    "boot_time": FaultKind(
        lambda fault, sensor, generator: _Boot(fault.magnitude),
        "timestamps count from the start of the sensor, M ago", 767.0, 0.0, 1e8, "s",
    ),
    "shared_timestamps": FaultKind(
        lambda fault, sensor, generator: _Shared(round(fault.magnitude)),
        "M messages in a row have the timestamp of the first", 4, 2, 100, "messages",
    ),
    "some_stamped_late": FaultKind(
        lambda fault, sensor, generator: _SomeLate(round(fault.magnitude)),
        f"one of M messages is stamped {LATE_S * 1e3:g} ms late", 7, 2, 1000, "messages",
    ),
    "one_timestamp": FaultKind(
        lambda fault, sensor, generator: _OneTimestamp(fault.magnitude),
        "one timestamp is ahead by M, behind if it is negative", 100.0, -1e6, 1e6, "s",
    ),
    "timestamp_jitter": FaultKind(
        lambda fault, sensor, generator: _Jitter(fault.magnitude, generator),
        "timestamps scatter with a standard deviation of M", 0.003, 0.0, 10.0, "s",
    ),
}  # fmt: skip
