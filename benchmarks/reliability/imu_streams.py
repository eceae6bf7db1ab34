"""Recordings as the messages that their IMUs would have sent, each sensor with its own phase, clock and delay."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.simulated_subject import EPOCH_S
from imu_emg_estimator.faults.fault_kind import ImuMessage
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.grid_alignment import SECOND

ACCELERATION_STEP_MPS2 = 9.80665 / 16384  # of the accelerometers of HuGaDB
RATE_STEP_RADPS = np.pi / 180 / 16.4  # of its gyroscopes
FULL_SCALE = np.array([2 * 9.80665] * 3 + [np.radians(2000.0)] * 3)
STEP = np.array([ACCELERATION_STEP_MPS2] * 3 + [RATE_STEP_RADPS] * 3)
START_NS = round(EPOCH_S) * SECOND
TIMESTAMP_JITTER_S = 1e-4  # standard deviation


@dataclass(frozen=True)
class Transport:
    """How the messages of a recording travel.

    Attributes:
        rate: of every sensor [Hz]; None = that of the recording.
        delay: of the fastest message [s].
        jitter: mean of what is added to it [s].
        seed: of phases, sequence numbers and delays.
    """

    rate: float | None = 100.0
    delay: float = 0.002
    jitter: float = 0.001
    seed: int = 0


def messages_of(recording: Recording, transport: Transport) -> Iterator[ImuMessage]:
    """Yield the messages of all sensors in the order of their arrival."""
    generator = np.random.default_rng(transport.seed)
    sensors = range(len(recording.rig.sensors))
    streams = [_messages_of_sensor(recording, sensor, transport, generator) for sensor in sensors]
    return heapq.merge(*streams, key=lambda message: message.arrival)


def _messages_of_sensor(
    recording: Recording, sensor: int, transport: Transport, generator: np.random.Generator
) -> list[ImuMessage]:
    rate = transport.rate or recording.rig.rate
    time = np.arange((generator.random() if transport.rate else 0.0) / rate, recording.time[-1], 1.0 / rate)
    timestamps = START_NS + np.round((time + TIMESTAMP_JITTER_S * generator.normal(size=len(time))) * SECOND)
    delays = transport.delay + generator.exponential(transport.jitter, len(time))
    arrivals = np.maximum.accumulate(timestamps + np.round(delays * SECOND))  # one connection keeps the order
    first = int(generator.integers(1, 1000))
    return [
        ImuMessage(arrival, sensor, timestamp, tuple(sample), first + number)
        for number, (arrival, timestamp, sample) in enumerate(
            zip(
                arrivals.astype(np.int64).tolist(),
                timestamps.astype(np.int64).tolist(),
                _sampled(recording.imu[:, sensor], recording.rig.rate, time).tolist(),
                strict=True,
            )
        )
    ]


def _sampled(imu: FloatArray, rate: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate [samples, 6] at instants [s] and round it to what the sensors can tell apart."""
    from scipy.interpolate import CubicSpline

    measured = np.isfinite(imu).all(axis=0)  # a gyroscope of which parts are missing is left out
    values = np.full((len(time), 6), np.nan)
    values[:, measured] = CubicSpline(np.arange(len(imu)) / rate, imu[:, measured])(time)
    return np.asarray(np.round(np.clip(values, -FULL_SCALE, FULL_SCALE) / STEP) * STEP)


def chained(recordings: Sequence[Recording]) -> Recording:
    """Join recordings of one subject, as if they followed each other."""
    first = recordings[0]
    return replace(
        first,
        name="+".join(recording.name for recording in recordings),
        emg=None,
        **{
            field: np.concatenate([getattr(recording, field) for recording in recordings])
            for field in ("imu", "envelope", "condition")
        },
    )
