"""Random settings of the assistance, and random stories of what reaches it: good, bad, late, missing, on odd clocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from imu_emg_estimator.assistance.assistance_file import settings_of
from imu_emg_estimator.assistance.assistance_settings import AssistanceSettings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, OUT_OF_DISTRIBUTION, STALE, WARMING_UP

GOOD, MIXED, BAD, SILENT = "good", "mixed", "bad", "silent"
KINDS = (GOOD,) * 20 + (MIXED, BAD, SILENT)
LONGEST_PHASE = 120  # steps
NONSENSE = (0.0, -0.0, -1.0, math.nan, 1e-9)
STALLS_S = (0.03, 0.06, 0.12, 0.5, 3.0)
JUMPS_S = (-1e6, -30.0, -0.3, -0.05, -0.01, 0.01, 0.05, 0.3, 30.0, 1e6)
NUMBERS = (math.nan, math.inf, -math.inf, -1e-3, -1.0, 1e20, 1e308, 5.001)
START_S = 1.8e9
UNUSUAL: tuple[tuple[int, Sequence[str]], ...] = ((DEGRADED, ("a",)), (WARMING_UP, ()), (OK, ("b",)))  # and good


class Stamp:
    """The header of a message, and its timestamp."""

    __slots__ = ("nanosec", "sec", "stamp")

    def __init__(self, timestamp: float) -> None:
        self.sec = math.floor(timestamp)
        self.nanosec = int((timestamp - self.sec) * 1e9)
        self.stamp = self


class Activation:
    """The fields of MuscleActivation."""

    __slots__ = ("activation", "age", "header", "missing_sensors", "muscle_names", "status")

    def __init__(self, timestamp: float, muscles: Sequence[str], activation: Sequence[float]) -> None:
        self.header = Stamp(timestamp)
        self.muscle_names, self.activation = muscles, activation
        self.status, self.age = OK, 0.002
        self.missing_sensors: Sequence[str] = ()


class Step(NamedTuple):
    """What reaches the assistance before one control step, each with whether it is good."""

    activations: list[tuple[Activation, bool]]
    deadman: list[bool]
    angles: list[tuple[Sequence[str], Sequence[float], float, bool]]  # names, positions [rad], timestamp [s]
    now: float
    period: float


def random_settings(random: Random) -> AssistanceSettings:
    """Draw settings that the file's checks allow."""
    while True:
        try:
            return settings_of(_random_content(random))
        except InputError:  # slower than the bound allows
            continue


def _random_content(random: Random) -> dict[str, Any]:
    muscles = [f"muscle_{number}" for number in range(random.randint(1, 4))]
    joints = [_random_joint(random, f"joint_{number}", muscles) for number in range(random.randint(1, 3))]
    trust = {
        "share_ok": random.choice((1.0, random.random())),
        "share_warming_up": random.choice((0.0, random.random())),
        "share_degraded": random.random(),
        "recovery": random.choice((0.0, 0.05, 0.4, 1.0)),
        "fade_in": random.uniform(0.01, 0.5),
        "fade_out": random.uniform(0.005, 0.2),
        "slew": random.uniform(1.0, 100.0),
        "max_assistance": random.uniform(0.2, 3.0),
        "max_age": random.uniform(0.05, 0.2),
    }
    return {
        "muscles": muscles,
        "joints": joints,
        "trust": trust,
        "deadman": random.random() < 0.7,
        "deadman_timeout": random.uniform(0.03, 0.2),
        "angle_timeout": random.uniform(0.03, 0.2),
        "rate": random.choice((50.0, 100.0, 100.0, 250.0)),
    }


def _random_joint(random: Random, name: str, muscles: Sequence[str]) -> dict[str, Any]:
    acting = random.sample(muscles, random.randint(1, len(muscles)))
    return {
        "name": name,
        "max_torque": 10.0 ** random.uniform(-1.0, 2.0),
        "max_torque_rate": 10.0 ** random.uniform(-1.0, 3.5),
        "muscles": [_random_pull(random, muscle) for muscle in acting],
    }


def _random_pull(random: Random, muscle: str) -> dict[str, Any]:
    pull = {"name": muscle, "gain": 10.0 ** random.uniform(0.0, 4.0)}
    if random.random() < 0.5:
        return pull | {"moment_arm": random.uniform(-0.5, 0.5)}
    angles = [-2.0, *sorted(random.uniform(-1.5, 0.5) for _ in range(random.randint(0, 3))), 1.0]
    return pull | {"angles": angles, "moment_arms": [random.uniform(-0.1, 0.1) for _ in angles]}


def random_story(random: Random, settings: AssistanceSettings, steps: int) -> Iterator[Step]:
    """Draw what reaches the assistance in so many control steps."""
    now, left, period = START_S, 0, 1.0 / settings.rate
    muscles, joints = list(settings.muscles), [joint.name for joint in settings.joints if joint.angle_range]
    kinds, wild = (GOOD, GOOD, GOOD), False
    for _ in range(steps):
        if not left:
            left, wild = random.randint(1, LONGEST_PHASE), random.random() < 0.1
            kinds = (random.choice(KINDS), random.choice(KINDS), random.choice(KINDS))
            now += random.choice(JUMPS_S) if random.random() < 0.05 else 0.0
        left -= 1
        elapsed = _random_period(random, period, wild)
        now += elapsed if elapsed > 0.0 else 0.0
        yield Step(
            [_activation(random, muscles, now, is_good) for is_good in _outcomes(random, kinds[0])],
            _outcomes(random, kinds[1]),
            [_angles(random, joints, now, is_good) for is_good in _outcomes(random, kinds[2]) if joints],
            now,
            elapsed,
        )


def _random_period(random: Random, period: float, wild: bool) -> float:
    if wild and random.random() < 0.3:
        return random.choice(NONSENSE + STALLS_S)
    return period * random.uniform(0.8, 1.2)


def _outcomes(random: Random, kind: str) -> list[bool]:
    """Return for each message of this step whether it is good."""
    if kind is SILENT or random.random() < 0.3:
        return []
    count = 1 if random.random() < 0.95 else 3
    if kind is MIXED:
        return [random.random() < 0.7 for _ in range(count)]
    return [kind is GOOD] * count


def _activation(random: Random, muscles: list[str], now: float, is_good: bool) -> tuple[Activation, bool]:
    message = Activation(now - random.uniform(0.0, 0.04), muscles, [random.random() * 1.5 for _ in muscles])
    if is_good:
        if random.random() < 0.05:
            message.status, message.missing_sensors = random.choice(UNUSUAL)
        return message, True
    fault = random.randrange(8)
    if fault == 0:
        message.status = random.choice((STALE, OUT_OF_DISTRIBUTION, 5, 77, 255))
    elif fault == 1:
        message.activation = [random.choice(NUMBERS) for _ in muscles]
    elif fault == 2:
        message.muscle_names = random.choice(([], muscles[:-1], [*muscles, "other"], ["other"] * len(muscles)))
    elif fault == 3:
        message.activation = random.choice(([], message.activation[:-1], [*message.activation, 0.5]))
    elif fault == 4:
        message.age = random.choice((math.nan, math.inf, -math.inf, -1.0, 0.5, 1e9))
    elif fault == 5:
        message.header = Stamp(random.choice((0.0, now - 0.5, now + 0.5, now - 3600.0, now + 1e8, -5.0)))
    elif fault == 6:
        message.status, message.missing_sensors = DEGRADED, random.choice(((), ("a", "b", "c", "d")))
    else:
        message.activation = [*message.activation[:-1], random.choice(NUMBERS)]
    return message, False


def _angles(
    random: Random, joints: list[str], now: float, is_good: bool
) -> tuple[Sequence[str], Sequence[float], float, bool]:
    positions = [random.uniform(-2.0, 1.0) for _ in joints]
    timestamp = random.choice((0.0, now - random.uniform(0.0, 0.02)))
    if is_good:
        return joints, positions, timestamp, True
    fault = random.randrange(4)
    if fault == 0:
        return joints, [random.choice((math.nan, math.inf, -math.inf, 57.0, -90.0)) for _ in joints], timestamp, False
    if fault == 1:
        return joints, positions, now + random.choice((-1e9, -3.0, -0.25, 0.25, 1e6)), False
    return (["other"], positions, timestamp, False) if fault == 2 else (joints, [], timestamp, False)
