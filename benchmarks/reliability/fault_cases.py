"""Catalogue of the faults that are measured, with what is expected of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from imu_emg_estimator.faults.fault_injection import KINDS
from imu_emg_estimator.faults.fault_kind import Fault
from imu_emg_estimator.rig import Rig

FAULT_START_S, FAULT_DURATION_S = 15.0, 12.0
STREAM_S = 40.0  # of every trial
WHOLE_S = 1e6  # a duration beyond every stream


class Expected(str, Enum):
    """What a fault must lead to."""

    NAMED = "named"  # not OK, or the sensors named, 100 ms after its beginning
    NAMED_BY_STATISTICS = "named by statistics"  # the same after 250 ms
    NAMED_WALKING = "named while walking"  # the same within seconds, while the subject walks
    TOLD = "told"  # named, or a verdict on the sensor says so
    RECONCILED = "reconciled"  # the estimates are those of clean input
    HARMLESS = "harmless"  # the same: the fault takes nothing away that the network needs
    UNKNOWABLE = "cannot be told"  # only its effect is measured


GRACE_S = {Expected.NAMED: 0.1, Expected.NAMED_BY_STATISTICS: 0.25}


class Who(str, Enum):
    """Which sensors a fault strikes."""

    ONE = "one"
    PAIR = "pair"  # of one segment, left and right
    LEG = "leg"
    ALL = "all"


class Scene(str, Enum):
    """What the subject does."""

    WALKING = "walking"
    WALKING_OFF = "walking off"  # at rest until the fault has begun


@dataclass(frozen=True)
class Case:
    """A fault as it is measured.

    Attributes:
        group: row of the report.
        kind: of ``fault_injection.KINDS``.
        whole: it is there from the beginning of the stream to its end.
        before: a kind with its magnitude that strikes one sample of every sensor some seconds before.
    """

    group: str
    kind: str
    who: Who
    expected: Expected
    magnitude: float = 0.0
    scene: Scene = Scene.WALKING
    whole: bool = False
    before: tuple[str, float] | None = None

    @property
    def name(self) -> str:
        """Unique name, of letters, digits and ``_.+-``."""
        parts = [self.kind]
        if KINDS[self.kind].lowest is not None:
            parts.append(f"{self.magnitude:g}")
        parts.append(self.who.value)
        if self.scene is not Scene.WALKING:
            parts.append("walking_off")
        if self.whole:
            parts.append("from_the_start")
        if self.before:
            parts.append(f"after_{self.before[0]}")
        return "-".join(parts).replace(" ", "_")

    @property
    def span(self) -> tuple[float, float]:
        """Beginning and end of the fault [s]."""
        return (0.0, WHOLE_S) if self.whole else (FAULT_START_S, FAULT_START_S + FAULT_DURATION_S)

    def faults(self, rig: Rig, generator: np.random.Generator) -> list[Fault]:
        """Choose the sensors; the last fault is the one that is measured."""
        start, end = self.span
        chosen = tuple(sensors_of(self.who, rig, generator, self.kind))
        main = Fault(self.kind, chosen, start, end - start, self.magnitude)
        if self.before is None:
            return [main]
        kind, magnitude = self.before
        return [Fault(kind, tuple(range(len(rig.sensors))), start - 5.0, 1.0, magnitude), main]


def sensors_of(who: Who, rig: Rig, generator: np.random.Generator, kind: str) -> Sequence[int]:
    """Choose sensors at random; in the order that ``Fault.partner`` pairs them."""
    count = len(rig.sensors)
    twin = rig.mirror_sensors() if rig.is_mirrorable else np.arange(count)[::-1]
    one = int(generator.integers(count))
    if who is Who.ONE:
        return [one]
    if who is Who.PAIR:
        return [one, int(twin[one])]
    if who is Who.LEG:
        return [at for at in range(count) if rig.sensors[at].side == rig.sensors[one].side]
    if KINDS[kind].in_pairs:
        return [sensor for at in range(count) if at < twin[at] for sensor in (at, int(twin[at]))]
    return list(range(count))


def _of(
    group: str, expected: Expected, kinds: Sequence[tuple[str, float]], who: str = "one all", whole: bool = False
) -> Iterator[Case]:
    for kind, magnitude in kinds:
        for name in who.split():
            yield Case(group, kind, Who(name), expected, magnitude, whole=whole)


def _frozen() -> Iterator[Case]:
    yield from _of("frozen", Expected.NAMED, [("frozen", 0.0)], "one leg all")
    for who in (Who.ONE, Who.ALL):
        yield Case("frozen", "frozen", who, Expected.NAMED, scene=Scene.WALKING_OFF)
    yield from _of("frozen", Expected.NAMED_BY_STATISTICS, [("frozen_noise", 1e-4), ("frozen_noise", 1e-3)])
    yield from _of("frozen under noise", Expected.NAMED_WALKING, [("frozen_noise", 1e-2), ("frozen_noise", 5e-2)])
    yield Case(
        "all frozen under noise, from rest", "frozen_noise", Who.ALL, Expected.UNKNOWABLE, 1e-2, Scene.WALKING_OFF
    )
    yield from _of("stuck axis", Expected.NAMED_WALKING, [("stuck_axis", 0.0)])
    yield from _of("looped", Expected.NAMED_WALKING, [("looped", 1.0)])


def _implausible() -> Iterator[Case]:
    huge = [("implausible", value) for value in (1e200, 1e30, 1e6, float("inf"))]
    yield from _of("implausible", Expected.NAMED, [*huge, ("not_a_number", 0.0)])
    spikes = [("spike", value) for value in (1e200, 1e30, 1e6)]
    yield from _of("one absurd sample", Expected.HARMLESS, spikes)
    yield Case("negated after an absurd sample", "negated", Who.ALL, Expected.NAMED_WALKING, before=("spike", 1e200))
    yield from _of("zeros", Expected.NAMED, [("zeros", 0.0)], "one leg all")


def _units() -> Iterator[Case]:
    kinds = [("in_g", 0.0), ("in_mg", 0.0), ("alternating_units", 0.0), ("mixed_units", 0.2)]
    yield from _of("units", Expected.NAMED_BY_STATISTICS, kinds)
    yield from _of("units that the network does not use", Expected.HARMLESS, [("in_degrees", 0.0)])
    yield from _of("gravity removed", Expected.NAMED_BY_STATISTICS, [("gravity_removed", 0.0)])
    yield from _of("negated", Expected.NAMED_WALKING, [("negated", 0.0)], "one leg all")


def _absent() -> Iterator[Case]:
    yield from _of("absent", Expected.NAMED, [("absent", 0.0), ("acceleration_absent", 0.0)], "one leg all")
    yield from _of("parts in turn (REP 145)", Expected.HARMLESS, [("alternating_parts", 0.0)])
    yield from _of("silent", Expected.NAMED, [("silent", 0.0)], "one leg all")
    yield from _of("two publishers", Expected.NAMED, [("two_publishers", 0.0)])
    yield from _of("two publishers", Expected.NAMED, [("two_sensors", 0.0)], "pair")


def _late() -> Iterator[Case]:
    yield from _of("stale", Expected.NAMED, [("delayed", 0.3), ("delayed", 1.0)], "one leg all")
    restamped = [("delayed_and_restamped", 0.3), ("delayed_and_restamped", 0.6)]
    yield from _of("late but restamped", Expected.NAMED_WALKING, restamped, "one leg")
    yield from _of("all late but restamped", Expected.UNKNOWABLE, [("delayed_and_restamped", 0.3)], "all")
    yield from _of("slow", Expected.TOLD, [("slow", 5), ("lost", 0.5)])


def _clocks() -> Iterator[Case]:
    steps = [("clock_offset", value) for value in (0.1, -0.1, 0.4, -0.4, 0.9, -10.0, 1000.0, 4294.9)]
    yield from _of("clock that leaps", Expected.RECONCILED, steps, "one leg all")
    yield from _of("clock on another time from the start", Expected.RECONCILED, steps, "one leg", whole=True)
    all_steps = [step for step in steps if step != ("clock_offset", -0.1)]
    yield from _of("clock on another time from the start", Expected.RECONCILED, all_steps, "all", whole=True)
    yield from _of(
        "all clocks 0.1 s behind, or a delay", Expected.UNKNOWABLE, [("clock_offset", -0.1)], "all", whole=True
    )
    drifts = [("clock_drift", value) for value in (0.0015, -0.0015, 0.01, -0.01)]
    yield from _of("drift", Expected.RECONCILED, drifts, "one leg all", whole=True)
    yield from _of("clock that steps back and forth", Expected.RECONCILED, [("clock_steps", 0.4)])
    none = [("constant_timestamp", 0.0), ("constant_timestamp", 767.0), ("whole_seconds", 0.0)]
    yield from _of("zero, constant, whole seconds", Expected.RECONCILED, none)
    yield from _of("zero, constant, whole seconds", Expected.RECONCILED, none, whole=True)
    yield from _of("time since boot", Expected.RECONCILED, [("boot_time", 5.0), ("boot_time", 767.0)], whole=True)
    groups = [("shared_timestamps", 4), ("shared_timestamps", 10)]
    yield from _of("shared timestamps", Expected.RECONCILED, groups)
    bursts = [("burst_stamped_on_arrival", 4), ("burst_stamped_on_arrival", 8), ("burst_stamped_on_arrival", 10)]
    yield from _of("bursts stamped on arrival", Expected.RECONCILED, bursts)
    yield from _of("bursts", Expected.RECONCILED, [("burst", 4), ("burst", 10)])
    yield from _of("some stamped late", Expected.RECONCILED, [("some_stamped_late", 7)])
    yield from _of("scattered timestamps", Expected.RECONCILED, [("timestamp_jitter", 0.003)])
    yield from _of("scattered arrival", Expected.RECONCILED, [("arrival_jitter", 0.03)])
    one = [("one_timestamp", value) for value in (100.0, -100.0, 0.5)]
    yield from _of("one impossible timestamp", Expected.HARMLESS, one)


def _placement() -> Iterator[Case]:
    yield from _of("exchanged", Expected.NAMED_WALKING, [("exchanged", 0.0)], "pair all")
    yield from _of("slipped by 45°", Expected.NAMED_WALKING, [("turned", 45.0)], "one leg")
    yield from _of("turned", Expected.NAMED_WALKING, [("turned", 90.0), ("turned", 180.0)])
    yield from _of("clipped", Expected.NAMED_WALKING, [("clipped", 12.0)])


CASES = tuple(case for part in (_frozen, _implausible, _units, _absent, _late, _clocks, _placement) for case in part())
