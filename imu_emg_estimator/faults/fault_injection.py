"""Injects faults into a stream of messages; the same faults for the same seed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults import clock_faults, sample_faults, transport_faults
from imu_emg_estimator.faults.fault_kind import Fault, ImuMessage, Messages
from imu_emg_estimator.signals.grid_alignment import SECOND

KINDS = {**sample_faults.KINDS, **clock_faults.KINDS, **transport_faults.KINDS}


def inject(messages: Iterable[ImuMessage], faults: Sequence[Fault], seed: int = 0) -> Iterator[ImuMessage]:
    """Yield what arrives instead of messages, both in the order of arrival.

    Faults apply one after the other, each to the messages that the ones before it left on its sensors.

    Raises:
        InputError: a fault of no known kind, or one that its kind does not allow.
    """
    active = [_Active(fault, np.random.default_rng([seed, number])) for number, fault in enumerate(faults)]
    begin: int | None = None
    waiting: list[tuple[int, int, ImuMessage]] = []
    count = 0
    for message in messages:
        begin = message.arrival if begin is None else begin
        while waiting and waiting[0][0] <= message.arrival:
            yield heapq.heappop(waiting)[2]
        arriving: Messages = (message,)
        for one in active:
            arriving = one.changed(arriving, (message.arrival - begin) / SECOND)
        for changed in arriving:
            count += 1  # messages that arrive together keep their order
            heapq.heappush(waiting, (changed.arrival, count, changed))
    while waiting:
        yield heapq.heappop(waiting)[2]


class _Active:
    """A fault with what it remembers of each of its sensors."""

    def __init__(self, fault: Fault, generator: np.random.Generator) -> None:
        if fault.kind not in KINDS:
            raise InputError(f"there is no fault '{fault.kind}'; choose one of {', '.join(KINDS)}")
        KINDS[fault.kind].check(fault.kind, fault.magnitude, len(fault.sensors))
        self._fault = fault
        self._changes = {sensor: KINDS[fault.kind].make(fault, generator) for sensor in fault.sensors}

    def changed(self, messages: Messages, instant: float) -> Messages:
        elapsed, changes = self._fault.elapsed(instant), self._changes
        return [
            arriving
            for message in messages
            for arriving in (changes[message.sensor](message, elapsed) if message.sensor in changes else (message,))
        ]
