"""Faults of what a sensor measures: its samples change, their timing does not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from itertools import count, cycle

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.faults.fault_kind import Change, Fault, FaultKind, ImuMessage, Make, Messages, while_active
from imu_emg_estimator.signals.grid_alignment import SECOND, Sample
from imu_emg_estimator.signals.imu_units import GRAVITY_MPS2

GRAVITY_CORNER_HZ = 0.3  # below which drivers that remove gravity take an acceleration for it
MAX_LOOP_SAMPLES = 1 << 14
NOISE = np.array([1.0, 1.0, 1.0, 0.02, 0.02, 0.02])  # of the rate [rad/s] for one [m/s^2] of acceleration

SampleChange = Callable[[Sample], Sample]


def _sampled(make: Callable[[Fault, np.random.Generator], SampleChange]) -> Make:
    """Make a fault of what changes the samples while it lasts."""

    def made(fault: Fault, generator: np.random.Generator) -> Callable[[ImuMessage, float], Messages]:
        change = make(fault, generator)
        return lambda message, elapsed: (message._replace(sample=change(message.sample)),)

    return while_active(made)


def _scaled(acceleration: float, rate: float) -> SampleChange:
    factors = (acceleration,) * 3 + (rate,) * 3
    return lambda sample: tuple([value * factor for value, factor in zip(sample, factors, strict=True)])


def _clip(fault: Fault, generator: np.random.Generator) -> SampleChange:
    bound = fault.magnitude
    return lambda sample: (*(min(max(value, -bound), bound) for value in sample[:3]), *sample[3:])


def _frozen(noise: float, generator: np.random.Generator) -> SampleChange:
    """Repeat the first sample, with white noise of a standard deviation on it."""
    kept: Sample | None = None

    def change(sample: Sample) -> Sample:
        nonlocal kept
        kept = kept or sample
        return tuple((np.array(kept) + noise * NOISE * generator.standard_normal(6)).tolist()) if noise else kept

    return change


def _stuck_axis(fault: Fault, generator: np.random.Generator) -> SampleChange:
    """Repeat the value of one axis of the accelerometer."""
    stuck = int(generator.integers(3))
    kept: float | None = None

    def change(sample: Sample) -> Sample:
        nonlocal kept
        kept = sample[stuck] if kept is None else kept
        return tuple(kept if axis == stuck else value for axis, value in enumerate(sample))

    return change


def _spike(fault: Fault, generator: np.random.Generator) -> SampleChange:
    """Replace one sample."""
    numbers = count()
    return lambda sample: sample if next(numbers) else (fault.magnitude,) * 6


def _turned(fault: Fault, generator: np.random.Generator) -> SampleChange:
    """Turn the sensor about one of its axes."""
    axis, angle = int(generator.integers(3)), math.radians(fault.magnitude)
    others = [(axis + 1) % 3, (axis + 2) % 3]
    matrix = np.eye(3)
    matrix[np.ix_(others, others)] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return lambda sample: tuple((np.array(sample).reshape(2, 3) @ matrix.T).ravel().tolist())


def _absent(*absent: tuple[bool, bool]) -> Make:
    """Say by the covariance that a part is not measured: acceleration, rate, or one after the other in turn."""

    def made(fault: Fault, generator: np.random.Generator) -> Callable[[ImuMessage, float], Messages]:
        parts = cycle(absent)
        return lambda message, elapsed: (message._replace(absent=next(parts)),)

    return while_active(made)


def _looped(fault: Fault, generator: np.random.Generator) -> Change:
    """Repeat the last seconds before the fault."""
    recent: deque[tuple[int, Sample]] = deque(maxlen=MAX_LOOP_SAMPLES)

    def changed(message: ImuMessage, elapsed: float | None) -> Messages:
        if elapsed is None or not recent:
            recent.append((message.arrival, message.sample))
            while message.arrival - recent[0][0] >= round(fault.magnitude * SECOND):
                recent.popleft()
            return (message,)
        sample = recent[0][1]
        recent.rotate(-1)
        return (message._replace(sample=sample),)

    return changed


def _mixed(fault: Fault, generator: np.random.Generator) -> SampleChange:
    """Send some samples in g and degrees a second, as of two drivers that come as they will."""
    scale = _scaled(1 / GRAVITY_MPS2, math.degrees(1.0))
    return lambda sample: scale(sample) if generator.random() < fault.magnitude else sample


def _alternating(fault: Fault, generator: np.random.Generator) -> Change:
    """Send every other sample in g and degrees a second, as of two drivers on one topic, from the first message on."""
    numbers, scale = count(), _scaled(1 / GRAVITY_MPS2, math.degrees(1.0))

    def changed(message: ImuMessage, elapsed: float | None) -> Messages:
        if next(numbers) % 2 == 0 or elapsed is None:
            return (message,)
        return (message._replace(sample=scale(message.sample)),)

    return changed


class _GravityRemoved:
    """Subtracts the slow part of the acceleration, as drivers do that give linear acceleration."""

    def __init__(self) -> None:
        self._gravity: NDArray[np.float64] | None = None
        self._before = 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Messages:
        acceleration = np.array(message.sample[:3])
        if not np.isfinite(acceleration).all():
            return (message,)
        if self._gravity is None:
            self._gravity = acceleration
        else:
            passed = max(0, message.arrival - self._before) / SECOND
            share = 1.0 - math.exp(-2 * math.pi * GRAVITY_CORNER_HZ * passed)
            self._gravity = self._gravity + share * (acceleration - self._gravity)
        self._before = message.arrival
        if elapsed is None:
            return (message,)
        return (message._replace(sample=(*(acceleration - self._gravity).tolist(), *message.sample[3:])),)


BOTH, ACCELERATION, RATE = (True, True), (True, False), (False, True)
KINDS = {
    "frozen": FaultKind(
        _sampled(lambda fault, generator: _frozen(0.0, generator)), "every sample repeats the first one"
    ),
    "frozen_noise": FaultKind(
        _sampled(lambda fault, generator: _frozen(fault.magnitude, generator)),
        "every sample repeats the first one, with noise of M on it", 1e-3, 1e-9, 1.0, "m/s²",
    ),
    "stuck_axis": FaultKind(_sampled(_stuck_axis), "one axis of the accelerometer repeats one value"),
    "looped": FaultKind(_looped, "the last M before the fault repeat", 1.0, 0.1, 60.0, "s"),
    "implausible": FaultKind(
        _sampled(lambda fault, _: lambda sample: (fault.magnitude,) * 6), "every value is M", 1e6, -math.inf, math.inf
    ),
    "not_a_number": FaultKind(_sampled(lambda fault, _: lambda sample: (math.nan,) * 6), "no value is a number"),
    "spike": FaultKind(_sampled(_spike), "every value of one sample is M", 1e6, -math.inf, math.inf),
    "zeros": FaultKind(_sampled(lambda fault, _: lambda sample: (0.0,) * 6), "every value is 0"),
    "in_g": FaultKind(_sampled(lambda fault, _: _scaled(1 / GRAVITY_MPS2, 1.0)), "accelerations are in g"),
    "in_mg": FaultKind(
        _sampled(lambda fault, _: _scaled(1000 / GRAVITY_MPS2, 1.0)), "accelerations are in thousandths of g"
    ),
    "in_degrees": FaultKind(
        _sampled(lambda fault, _: _scaled(1.0, math.degrees(1.0))), "angular rates are in degrees a second"
    ),
    "alternating_units": FaultKind(_alternating, "every other sample is in g and degrees a second"),
    "mixed_units": FaultKind(
        _sampled(_mixed), "a sample is in g and degrees a second with probability M", 0.2, 0.0, 1.0
    ),
    "negated": FaultKind(_sampled(lambda fault, _: _scaled(-1.0, -1.0)), "every value has the other sign"),
    "gravity_removed": FaultKind(lambda fault, _: _GravityRemoved(), "accelerations are without gravity"),
    "absent": FaultKind(_absent(BOTH), "the covariance says that nothing is measured"),
    "acceleration_absent": FaultKind(_absent(ACCELERATION), "the covariance says that there is no acceleration"),
    "alternating_parts": FaultKind(
        _absent(RATE, ACCELERATION), "messages hold an acceleration and an angular rate in turn, which REP 145 allows"
    ),
    "turned": FaultKind(
        _sampled(_turned), "the sensor is turned by M about one of its axes", 45.0, -180.0, 180.0, "degrees"
    ),
    "clipped": FaultKind(_sampled(_clip), "accelerations are clipped at M", 12.0, 0.1, 1000.0, "m/s²"),
}  # fmt: skip
