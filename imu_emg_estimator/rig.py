"""Rig: which IMUs and which muscles, in which order, at which rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError

AXES = ("x", "y", "z")
SIDES = ("left", "right", "centre")


@dataclass(frozen=True)
class Sensor:
    """One IMU: a name, the body segment it sits on, and the side of the body."""

    name: str
    segment: str
    side: str = "centre"


@dataclass(frozen=True)
class Muscle:
    """One muscle: a name, the muscle without its side, and the side of the body."""

    name: str
    muscle: str
    side: str = "centre"


@dataclass(frozen=True)
class Rig:
    """The IMUs and muscles of a set-up, in order.

    Attributes:
        name: identity of the rig, e.g. ``hugadb``.
        rate: rate of the estimation grid [Hz].
        sensors: IMUs in the order of the model's input.
        muscles: muscles in the order of the model's output.
        lateral_axis: the sensor axis that points sideways when the subject stands
            (x, y or z): the axis that flips between mirrored sensors of the two legs.
    """

    name: str
    rate: float
    sensors: tuple[Sensor, ...]
    muscles: tuple[Muscle, ...]
    lateral_axis: str = "y"

    def __post_init__(self) -> None:
        if not 1.0 <= self.rate <= 2000.0:
            raise InputError(f"rig '{self.name}': rate {self.rate} Hz is not between 1 and 2000 Hz; correct 'rate'")
        if self.lateral_axis not in AXES:
            raise InputError(f"rig '{self.name}': lateral_axis '{self.lateral_axis}' is not one of x, y, z")
        for kind, parts in (("sensor", self.sensors), ("muscle", self.muscles)):
            if not parts:
                raise InputError(f"rig '{self.name}': lists no {kind}; add at least one under '{kind}s'")
            names = [part.name for part in parts]
            for name in names:
                if names.count(name) > 1:
                    raise InputError(f"rig '{self.name}': {kind} '{name}' is listed twice; names must be unique")
            for part in parts:
                if part.side not in SIDES:
                    raise InputError(f"rig '{self.name}': {kind} '{part.name}' has side '{part.side}', not {SIDES}")

    @property
    def sensor_names(self) -> tuple[str, ...]:
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def muscle_names(self) -> tuple[str, ...]:
        return tuple(muscle.name for muscle in self.muscles)

    @property
    def is_mirrorable(self) -> bool:
        """Whether every lateral sensor and muscle has one twin on the other side."""
        return self._twins() is not None

    def mirror_sensors(self) -> NDArray[Any]:
        """Return the order of sensors [sensors] that exchanges left and right."""
        return self._require_twins()[0]

    def mirror_muscles(self) -> NDArray[Any]:
        """Return the order of muscles [muscles] that exchanges left and right."""
        return self._require_twins()[1]

    def mirror_signs(self) -> NDArray[Any]:
        """Return the signs of the six IMU channels under reflection of the lateral axis, shape (6,).

        Acceleration is a vector: its lateral component flips. Angular rate is a
        pseudovector: the two other components flip.
        """
        acceleration = np.ones(3)
        acceleration[AXES.index(self.lateral_axis)] = -1.0
        return np.concatenate([acceleration, -acceleration])

    def _require_twins(self) -> tuple[NDArray[Any], NDArray[Any]]:
        twins = self._twins()
        if twins is None:
            raise InputError(
                f"rig '{self.name}': a sensor or muscle has not one twin on the other side, it cannot be mirrored"
            )
        return twins

    def _twins(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        sensors = _twin_order([(sensor.segment, sensor.side) for sensor in self.sensors])
        muscles = _twin_order([(muscle.muscle, muscle.side) for muscle in self.muscles])
        return None if sensors is None or muscles is None else (sensors, muscles)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "rate": self.rate,
            "lateral_axis": self.lateral_axis,
            "sensors": [{"name": s.name, "segment": s.segment, "side": s.side} for s in self.sensors],
            "muscles": [{"name": m.name, "muscle": m.muscle, "side": m.side} for m in self.muscles],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "rig") -> Rig:
        """Build from a mapping; a missing, extra or mistyped key raises InputError naming it."""
        known = {"name", "rate", "lateral_axis", "sensors", "muscles"}
        _check_keys(values, required=known - {"lateral_axis"}, known=known, where=where)
        try:
            rate = float(values["rate"])
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where}: rate '{values['rate']}' is not a number in Hz") from None
        return cls(
            name=str(values["name"]),
            rate=rate,
            sensors=tuple(
                Sensor(**_strings(v, "segment", f"{where}: sensors")) for v in _list(values, "sensors", where)
            ),
            muscles=tuple(
                Muscle(**_strings(v, "muscle", f"{where}: muscles")) for v in _list(values, "muscles", where)
            ),
            lateral_axis=str(values.get("lateral_axis", "y")),
        )

    @classmethod
    def from_yaml(cls, path: Path) -> Rig:
        """Read a rig file; raises InputError that names the file and the fault."""
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"rig file {path} cannot be read ({error.strerror}); give the path of a rig YAML file"
            ) from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise InputError(f"rig file {path} is not valid YAML; compare it with config/rigs/hugadb.yaml") from None
        if not isinstance(values, dict):
            raise InputError(f"rig file {path} holds no mapping; compare it with config/rigs/hugadb.yaml")
        return cls.from_dict(values, where=f"rig file {path}")


def _twin_order(parts: Sequence[tuple[str, str]]) -> NDArray[Any] | None:
    opposite = {"left": "right", "right": "left", "centre": "centre"}
    if len(set(parts)) < len(parts):  # two on the same place: whose twin is whose?
        return None
    try:
        return np.array([parts.index((segment, opposite[side])) for segment, side in parts])
    except ValueError:
        return None


def _check_keys(values: Mapping[str, Any], required: set[str], known: set[str], where: str) -> None:
    if missing := sorted(required - set(values)):
        raise InputError(f"{where}: key '{missing[0]}' is missing; add it")
    if extra := sorted(str(key) for key in set(values) - known):
        raise InputError(f"{where}: key '{extra[0]}' is not known; remove it or correct its spelling")


def _list(values: Mapping[str, Any], key: str, where: str) -> list[Any]:
    if not isinstance(values[key], list):
        raise InputError(f"{where}: '{key}' must be a list")
    return list(values[key])


def _strings(values: Any, part: str, where: str) -> dict[str, str]:
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: every entry must be a mapping with name, {part} and side")
    _check_keys(values, required={"name", part}, known={"name", part, "side"}, where=where)
    return {key: str(value) for key, value in values.items()}
