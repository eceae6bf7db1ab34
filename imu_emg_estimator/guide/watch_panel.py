"""What an estimator does, to be seen at a terminal: status, a bar for every muscle, a verdict on every sensor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imu_emg_estimator.guide.console import bar
from imu_emg_estimator.streaming.activation_status import NAMES, OK
from imu_emg_estimator.utils.json_values import json_compatible


@dataclass(frozen=True)
class SensorView:
    """A sensor, as people see it.

    Attributes:
        rate: of its messages [Hz].
        verdict: word of ``signals.sensor_verdict.Verdict``.
        advice: reason and remedy; empty while it is ok.
    """

    name: str
    rate: float
    verdict: str
    advice: str = ""


@dataclass(frozen=True)
class EstimatorView:
    """An estimator at an instant.

    Attributes:
        title: what is watched.
        status: of the newest estimate, see ``activation_status``; None = there was none yet.
        cause: why it is not OK, where that is known.
        rate: of the estimates [Hz].
        age: of the newest input [s]; NaN = not known.
        muscles: names.
        activation, deviation: by muscle; NaN = not available.
        sensors: in the order of the rig; empty = not known yet.
        seen: number of estimates so far, by name of status.
        faults: number of estimates during which a sensor was not ok, by its name and verdict.
    """

    title: str
    status: int | None
    cause: str
    rate: float
    age: float
    muscles: Sequence[str]
    activation: Sequence[float]
    deviation: Sequence[float]
    sensors: Sequence[SensorView]
    seen: Mapping[str, int]
    faults: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it in values for JSON."""
        figures: dict[str, Any] = json_compatible(self)
        return figures | {"status": status_name(self.status)}

    def lines(self, width: int) -> list[str]:
        """Write it in lines of at most so many characters."""
        status = " ".join(filter(None, (status_name(self.status), f"({self.cause})" if self.cause else "")))
        age = "" if math.isnan(self.age) else f", age {1e3 * self.age:.1f} ms"
        names = [*self.muscles, *(sensor.name for sensor in self.sensors)]
        column = max(map(len, names), default=0)
        lines = [f"{status}, {self.rate:.1f} estimates a second{age}; {self.title}"]
        lines += [
            f"  {name:<{column}}  {_strength(value, spread)}"
            for name, value, spread in zip(self.muscles, self.activation, self.deviation, strict=True)
        ]
        for sensor in self.sensors:
            said = ": ".join(filter(None, (sensor.verdict, sensor.advice)))
            lines.append(f"  {sensor.name:<{column}}  {sensor.rate:5.0f} Hz  {said}")
        return [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]

    def summary(self) -> str:
        """Say how often each status, and each fault of a sensor, was seen."""
        total = sum(self.seen.values())
        if not total:
            return "no estimate was seen"
        faults = f"\nsensors: {_shares(self.faults, total)}" if self.faults else ""
        return f"{total} estimates: {_shares(self.seen, total)}{faults}"

    @property
    def is_good(self) -> bool:
        """Whether all estimates so far were OK, but for those while it warmed up."""
        return bool(self.seen.get(NAMES[OK])) and set(self.seen) <= {NAMES[OK], "WARMING_UP"}


def status_name(status: int | None) -> str:
    """Return the name of a status."""
    return "no estimate yet" if status is None else NAMES[status] if status < len(NAMES) else f"status {status}"


def _shares(counts: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())


def _strength(activation: float, deviation: float) -> str:
    if math.isnan(activation):
        return f"{bar(0.0)} not available"
    return f"{bar(activation)} {activation:.2f} ± {deviation:.2f}"
