"""Runs of the live path on messages, faster than in real time: bytes in, outputs with their instants out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.imu_streams import START_NS
from imu_emg_estimator.faults.fault_kind import ImuMessage
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.imu_encoder import encode_imu
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict
from imu_emg_estimator.streaming.live_estimator import CHECK_PERIOD_S, LiveEstimator, LiveSettings, Output

CHECK_NS = round(CHECK_PERIOD_S * SECOND)


@dataclass
class Entry:
    """The beginning of a verdict on a sensor."""

    at: float
    sensor: int
    verdict: Verdict
    reason: str


@dataclass
class LiveRun:
    """What came out, and when.

    Attributes:
        at: when each output was published, from the start of the stream [s].
        instant: which instant it is for, likewise [s].
        status, age: as published.
        missing: bit n = sensor n is named.
        activation: [muscles] each.
        cause: why the status is what it is.
        entries: verdicts as they began.
        undecoded: messages that ``decode_imu`` does not take.
    """

    at: list[float] = field(default_factory=list)
    instant: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    age: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    activation: list[NDArray[np.floating]] = field(default_factory=list)
    cause: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    undecoded: int = 0


def run_live(bundle: Bundle, messages: Iterable[ImuMessage], settings: LiveSettings | None = None) -> LiveRun:
    """Run the live path on messages in the order of arrival."""
    live = LiveEstimator(bundle, settings or LiveSettings())
    recorder = _Recorder(live)
    next_check = START_NS
    for message in messages:
        while next_check <= message.arrival:
            recorder.note(next_check, live.check(next_check))
            next_check += CHECK_NS
        decoded = decode_imu(encode_imu(message.timestamp, message.sample, message.absent))
        if decoded is None:
            recorder.run.undecoded += 1
            continue
        recorder.note(message.arrival, live.take(message.sensor, *decoded, message.arrival, message.sequence))
    return recorder.run


class _Recorder:
    def __init__(self, live: LiveEstimator) -> None:
        self.run = LiveRun()
        self._live = live
        self._bits = {name: 1 << bit for bit, name in enumerate(live.bundle.rig.sensor_names)}
        self._states: tuple[SensorState, ...] = live.states
        self._nothing = np.full(len(live.bundle.rig.muscles), np.nan)

    def note(self, now: int, outputs: Iterable[Output]) -> None:
        run = self.run
        if self._live.states is not self._states:
            self._note_states(now)
        for output in outputs:
            run.at.append((now - START_NS) / SECOND)
            run.instant.append((output.timestamp - START_NS) / SECOND)
            run.status.append(output.status)
            run.age.append(output.age)
            run.missing.append(sum(self._bits[name] for name in output.missing))
            run.activation.append(output.activation if isinstance(output.activation, np.ndarray) else self._nothing)
            run.cause.append(self._live.cause)

    def _note_states(self, now: int) -> None:
        before, self._states = self._states, self._live.states
        for sensor, (old, new) in enumerate(zip(before, self._states, strict=True)):
            if new.verdict is not old.verdict and new.verdict is not Verdict.OK:
                self.run.entries.append(Entry((now - START_NS) / SECOND, sensor, new.verdict, new.reason))
