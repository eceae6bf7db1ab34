"""Faults of what a sensor measures: its samples change, their timing does not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.faults.fault_kind import Change, Fault, FaultKind, ImuMessage
from imu_emg_estimator.signals.grid_alignment import SECOND, Sample

GRAVITY_MPS2 = 9.80665
GRAVITY_CORNER_HZ = 0.3  # below which drivers that remove gravity take an acceleration for it
MAX_LOOP_SAMPLES = 1 << 14
NOISE = np.array([1.0, 1.0, 1.0, 0.02, 0.02, 0.02])  # of the rate [rad/s] for one [m/s^2] of acceleration

SampleChange = Callable[[Sample, float], Sample]  # takes a sample and the magnitude


def _each(change: SampleChange) -> Callable[[Fault, int, np.random.Generator], Change]:
    """Make a fault of a function of the sample."""

    def make(fault: Fault, sensor: int, generator: np.random.Generator) -> Change:
        def changed(message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
            if elapsed is None:
                return (message,)
            return (message._replace(sample=change(message.sample, fault.magnitude)),)

        return changed

    return make


def _scaled(acceleration: float, rate: float) -> SampleChange:
    factors = (acceleration,) * 3 + (rate,) * 3

    def scale(sample: Sample, magnitude: float) -> Sample:
        return tuple([value * factor for value, factor in zip(sample, factors, strict=True)])

    return scale


def _clip(sample: Sample, magnitude: float) -> Sample:
    return tuple([min(max(value, -magnitude), magnitude) for value in sample[:3]]) + tuple(sample[3:])


class _Frozen:
    """Repeats the sample at the beginning of the fault, with white noise of a standard deviation on it."""

    def __init__(self, noise: float, generator: np.random.Generator) -> None:
        self._noise, self._generator = noise, generator
        self._kept: Sample | None = None

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            self._kept = None
            return (message,)
        self._kept = self._kept or message.sample
        if not self._noise:
            return (message._replace(sample=self._kept),)
        noisy = np.array(self._kept) + self._noise * NOISE * self._generator.standard_normal(6)
        return (message._replace(sample=tuple(noisy.tolist())),)


class _StuckAxis:
    """Repeats the value of one axis of the accelerometer."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._kept: float | None = None

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            self._kept = None
            return (message,)
        if self._kept is None:
            self._kept = message.sample[self._axis]
        sample = list(message.sample)
        sample[self._axis] = self._kept
        return (message._replace(sample=tuple(sample)),)


class _Looped:
    """Repeats the last seconds before the fault."""

    def __init__(self, seconds: float) -> None:
        self._recent: deque[tuple[int, Sample]] = deque(maxlen=MAX_LOOP_SAMPLES)
        self._length = round(seconds * SECOND)
        self._at = -1

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None or not self._recent:
            self._recent.append((message.arrival, message.sample))
            while message.arrival - self._recent[0][0] >= self._length:
                self._recent.popleft()
            self._at = -1
            return (message,)
        self._at = (self._at + 1) % len(self._recent)
        return (message._replace(sample=self._recent[self._at][1]),)


class _Spike:
    """Replaces one sample."""

    def __init__(self, value: float) -> None:
        self._value, self._done = value, False

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None or self._done:
            self._done = elapsed is not None
            return (message,)
        self._done = True
        return (message._replace(sample=(self._value,) * 6),)


class _Alternating:
    """Every other sample is in g and degrees a second, as of two drivers on one topic."""

    def __init__(self) -> None:
        self._odd = False
        self._scale = _scaled(1 / GRAVITY_MPS2, math.degrees(1.0))

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        self._odd = not self._odd
        if elapsed is None or self._odd:
            return (message,)
        return (message._replace(sample=self._scale(message.sample, 0.0)),)


class _GravityRemoved:
    """Subtracts the slow part of the acceleration, as drivers do that give linear acceleration."""

    def __init__(self) -> None:
        self._gravity: NDArray[np.float64] | None = None
        self._before = 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
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


class _Absent:
    """Says by the covariance that a part is not measured: acceleration, rate, or one after the other in turn."""

    def __init__(self, *absent: tuple[bool, bool]) -> None:
        self._absent, self._count = absent, 0

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            return (message,)
        self._count += 1
        return (message._replace(absent=self._absent[self._count % len(self._absent)]),)


class _Turned:
    """Turns the sensor about one of its axes."""

    def __init__(self, degrees: float, axis: int) -> None:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        first, second = (axis + 1) % 3, (axis + 2) % 3
        self._matrix = np.eye(3)
        self._matrix[[first, first, second, second], [first, second, first, second]] = cos, -sin, sin, cos

    def __call__(self, message: ImuMessage, elapsed: float | None) -> Sequence[ImuMessage]:
        if elapsed is None:
            return (message,)
        turned = np.array(message.sample).reshape(2, 3) @ self._matrix.T
        return (message._replace(sample=tuple(turned.ravel().tolist())),)


BOTH, ACCELERATION, RATE = (True, True), (True, False), (False, True)
KINDS = {
    "frozen": FaultKind(lambda fault, sensor, generator: _Frozen(0.0, generator), "every sample repeats the first one"),
    "frozen_noise": FaultKind(
        lambda fault, sensor, generator: _Frozen(fault.magnitude, generator),
        "every sample repeats the first one, with noise of M on it", 1e-3, 1e-9, 1.0, "m/s²",
    ),
    "stuck_axis": FaultKind(
        lambda fault, sensor, generator: _StuckAxis(int(generator.integers(3))),
        "one axis of the accelerometer repeats one value",
    ),
    "looped": FaultKind(
        lambda fault, sensor, generator: _Looped(fault.magnitude),
        "the last M before the fault repeat", 1.0, 0.1, 60.0, "s",
    ),
    "implausible": FaultKind(_each(lambda sample, m: (m,) * 6), "every value is M", 1e6, -math.inf, math.inf),
    "not_a_number": FaultKind(_each(lambda sample, m: (math.nan,) * 6), "no value is a number"),
    "spike": FaultKind(
        lambda fault, sensor, generator: _Spike(fault.magnitude), "every value of one sample is M", 1e6,
        -math.inf, math.inf,
    ),
    "zeros": FaultKind(_each(lambda sample, m: (0.0,) * 6), "every value is 0"),
    "in_g": FaultKind(_each(_scaled(1 / GRAVITY_MPS2, 1.0)), "accelerations are in g"),
    "in_mg": FaultKind(_each(_scaled(1000 / GRAVITY_MPS2, 1.0)), "accelerations are in thousandths of g"),
    "in_degrees": FaultKind(_each(_scaled(1.0, math.degrees(1.0))), "angular rates are in degrees a second"),
    "alternating_units": FaultKind(
        lambda fault, sensor, generator: _Alternating(), "every other sample is in g and degrees a second"
    ),
    "negated": FaultKind(_each(_scaled(-1.0, -1.0)), "every value has the other sign"),
    "gravity_removed": FaultKind(
        lambda fault, sensor, generator: _GravityRemoved(), "accelerations are without gravity"
    ),
    "absent": FaultKind(lambda fault, sensor, generator: _Absent(BOTH), "the covariance says that nothing is measured"),
    "acceleration_absent": FaultKind(
        lambda fault, sensor, generator: _Absent(ACCELERATION), "the covariance says that there is no acceleration"
    ),
    "alternating_parts": FaultKind(
        lambda fault, sensor, generator: _Absent(ACCELERATION, RATE),
        "messages hold an acceleration and an angular rate in turn, which REP 145 allows",
    ),
    "turned": FaultKind(
        lambda fault, sensor, generator: _Turned(fault.magnitude, int(generator.integers(3))),
        "the sensor is turned by M about one of its axes", 45.0, -180.0, 180.0, "degrees",
    ),
    "clipped": FaultKind(_each(_clip), "accelerations are clipped at M", 12.0, 0.1, 1000.0, "m/s²"),
}  # fmt: skip
