"""Rig: which IMUs and which muscles, in which order, at which rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig_schema import (
    AXES,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    MOVEMENT_KEYS,
    MUSCLE_KEYS,
    NEITHER,
    RIG_KEYS,
    SENSOR_KEYS,
    SIDES,
    Key,
    check_keys,
    rate_of,
)

MAX_FILE_BYTES = 1_000_000
# ramp and stairs: not known whether up or down
LOCOMOTION = ("walking", "running", "stairs_up", "stairs_down", "ramp_up", "ramp_down", "ramp", "stairs")


@dataclass(frozen=True)
class Sensor:
    """One IMU: a name, the body segment it sits on, and the side of the body.

    Attributes:
        either_way: its axis about which it is worn half-turned as often as not; ``none`` = it is worn one way.
    """

    name: str
    segment: str
    side: str = "centre"
    either_way: str = NEITHER

    @property
    def half_turn(self) -> NDArray[np.float32]:
        """Signs [3] of its axes when it is worn the other way round; all 1 if it is worn one way."""
        return np.array([1 if self.either_way in (axis, NEITHER) else -1 for axis in AXES], np.float32)


@dataclass(frozen=True)
class Muscle:
    """One muscle: a name, the muscle without its side, and the side of the body."""

    name: str
    muscle: str
    side: str = "centre"


@dataclass(frozen=True)
class Movement:
    """A movement that is calibrated on and scored: how it is labelled, and what the guide says of it; "" = its name."""

    name: str
    say: str = ""


DEFAULT_MOVEMENTS = tuple(map(Movement, LOCOMOTION))


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
        gyroscopes: whether the IMUs have any.
        movements: what is calibrated on and scored, in the lab's own words.
        pose: what the guide asks the subject to hold still; "" = to stand.
    """

    name: str
    rate: float
    sensors: tuple[Sensor, ...]
    muscles: tuple[Muscle, ...]
    lateral_axis: str = "y"
    gyroscopes: bool = True
    movements: tuple[Movement, ...] = DEFAULT_MOVEMENTS
    pose: str = ""

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ:
            raise InputError(
                f"rig '{self.name}': rate {self.rate} Hz is not between {MIN_RATE_HZ:g} and {MAX_RATE_HZ:g} Hz; "
                "correct 'rate'"
            )
        if self.lateral_axis not in AXES:
            raise InputError(f"rig '{self.name}': lateral_axis '{self.lateral_axis}' is not one of x, y, z")
        self._check_names("sensor", self.sensor_names)
        self._check_names("muscle", self.muscle_names)
        self._check_names("movement", self.movement_names)
        for sensor in self.sensors:
            if sensor.either_way not in (NEITHER, *AXES):
                raise InputError(
                    f"rig '{self.name}': sensor '{sensor.name}' has either_way '{sensor.either_way}'; write the axis "
                    f"that points out of the skin, x, y or z, or {NEITHER}"
                )
        self._check_sides("sensor", [(sensor.name, sensor.side) for sensor in self.sensors])
        self._check_sides("muscle", [(muscle.name, muscle.side) for muscle in self.muscles])

    def _check_names(self, kind: str, names: Sequence[str]) -> None:
        if not names:
            raise InputError(f"rig '{self.name}': lists no {kind}; add at least one under '{kind}s'")
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"rig '{self.name}': {kind} '{name}' is listed twice; names must be unique")

    def _check_sides(self, kind: str, sides: Sequence[tuple[str, str]]) -> None:
        for name, side in sides:
            if side not in SIDES:
                raise InputError(f"rig '{self.name}': {kind} '{name}' has side '{side}', not one of {', '.join(SIDES)}")

    @property
    def sensor_names(self) -> tuple[str, ...]:
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def muscle_names(self) -> tuple[str, ...]:
        return tuple(muscle.name for muscle in self.muscles)

    @property
    def movement_names(self) -> tuple[str, ...]:
        return tuple(movement.name for movement in self.movements)

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
        """Return plain values; of keys that may be left out, those that say more than their default."""
        values: dict[str, Any] = {
            "name": self.name,
            "rate": self.rate,
            "lateral_axis": self.lateral_axis,
            "sensors": [_sensor_values(sensor) for sensor in self.sensors],
            "muscles": [{"name": m.name, "muscle": m.muscle, "side": m.side} for m in self.muscles],
        }
        if not self.gyroscopes:
            values["gyroscopes"] = False
        if self.movements != DEFAULT_MOVEMENTS:
            values["movements"] = [{"name": m.name} | ({"say": m.say} if m.say else {}) for m in self.movements]
        return values | ({"pose": self.pose} if self.pose else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "rig") -> Rig:
        """Build from a mapping; a missing, extra or mistyped key raises InputError naming it."""
        check_keys(values, RIG_KEYS, where)
        sensors = [_strings(v, SENSOR_KEYS, f"{where}: sensors") for v in values["sensors"]]
        muscles = [_strings(v, MUSCLE_KEYS, f"{where}: muscles") for v in values["muscles"]]
        named = [v if isinstance(v, Mapping) else {"name": v} for v in values.get("movements", ())]
        movements = tuple(Movement(**_strings(v, MOVEMENT_KEYS, f"{where}: movements")) for v in named)
        return cls(
            name=str(values["name"]),
            rate=rate_of(values["rate"], where),
            sensors=tuple(Sensor(**sensor) for sensor in sensors),
            muscles=tuple(Muscle(**muscle) for muscle in muscles),
            lateral_axis=str(values.get("lateral_axis", "y")),
            gyroscopes=values.get("gyroscopes", True),
            movements=movements if "movements" in values else DEFAULT_MOVEMENTS,
            pose=str(values.get("pose", "")),
        )

    @classmethod
    def from_yaml(cls, path: Path) -> Rig:
        """Read a rig file; raises InputError that names the file and the fault."""
        path = Path(path)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise InputError(f"rig file {path} exceeds {MAX_FILE_BYTES / 1e6:g} MB; give a rig YAML file")
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"rig file {path} cannot be read ({error.strerror}); give the path of a rig YAML file"
            ) from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            raise InputError(f"rig file {path} is not valid YAML; compare it with config/rigs/hugadb.yaml") from None
        if not isinstance(values, dict):
            raise InputError(f"rig file {path} holds no mapping; compare it with config/rigs/hugadb.yaml")
        return cls.from_dict(values, where=f"rig file {path}")


def _sensor_values(sensor: Sensor) -> dict[str, str]:
    values = asdict(sensor)
    if sensor.either_way == NEITHER:
        del values["either_way"]
    return values


def _twin_order(parts: Sequence[tuple[str, str]]) -> NDArray[Any] | None:
    opposite = {"left": "right", "right": "left", "centre": "centre"}
    if len(set(parts)) < len(parts):  # two on the same place: whose twin is whose?
        return None
    try:
        return np.array([parts.index((segment, opposite[side])) for segment, side in parts])
    except ValueError:
        return None


def _strings(values: Any, keys: Sequence[Key], where: str) -> dict[str, str]:
    return {key: str(value) for key, value in check_keys(values, keys, where).items()}
