"""Settings of the assistance node: dataclasses from which reading, checks and documentation are derived."""
# ruff: noqa: RUF009 (setting() makes fields, as dataclasses.field does)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from imu_emg_estimator.activation_gate import GateSettings
from imu_emg_estimator.errors import InputError

ZERO_WITHIN_S = 0.3  # of the loss of trust, whatever is lost
FADE_OUT_S = 0.1  # the gate's own default would miss the bound above
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Bounds:
    """What a number may be.

    Attributes:
        unit: empty = none.
        lowest, highest: both inclusive.
    """

    unit: str
    lowest: float
    highest: float


def setting(meaning: str, default: Any = MISSING, bounds: Bounds | None = None) -> Any:
    """Make a field of the settings: what it means, its default (none = required), and the bounds of a number."""
    return field(default=default, metadata={"meaning": meaning, "bounds": bounds})


@dataclass(frozen=True)
class MusclePull:
    """What one muscle does to a joint."""

    name: str = setting("a muscle of the messages")
    gain: float = setting(
        "force of the assistance while the muscle's assistance is 1", bounds=Bounds("N", 0.0, 10_000.0)
    )
    moment_arm: float | None = setting(
        "constant; positive turns the joint as its axis says. Or `angles` and `moment_arms`",
        None,
        Bounds("m", -0.5, 0.5),
    )
    angles: tuple[float, ...] = setting(
        "angles of the joint, rising, over its whole range; between them the arm is interpolated, and farther than 0.2 "
        "rad beyond them nothing is trusted",
        (),
        Bounds("rad", -10.0, 10.0),
    )
    moment_arms: tuple[float, ...] = setting("moment arm at each of the angles", (), Bounds("m", -0.5, 0.5))

    def __post_init__(self) -> None:
        where = f"muscle '{self.name}'"
        check_bounds(self, where)
        if (self.moment_arm is None) == (not self.angles):
            raise InputError(f"{where}: give either moment_arm, or angles and moment_arms")
        if len(self.angles) != len(self.moment_arms) or len(self.angles) == 1:
            raise InputError(
                f"{where}: {len(self.angles)} angles and {len(self.moment_arms)} moment_arms; give one for each other, "
                "two or more"
            )
        if any(after <= before for before, after in zip(self.angles, self.angles[1:], strict=False)):
            raise InputError(f"{where}: angles do not rise; sort them, and their moment_arms with them")


@dataclass(frozen=True)
class JointSettings:
    """One joint that is assisted."""

    name: str = setting("of the joint, as in URDF and JointState")
    max_torque: float = setting("largest torque, either way", bounds=Bounds("Nm", 0.001, 500.0))
    max_torque_rate: float = setting(
        "largest rise of the torque in a second. It falls as fast, or faster where a fade-out from `max_torque` asks "
        "for it",
        bounds=Bounds("Nm/s", 0.001, 5_000.0),
    )
    muscles: tuple[MusclePull, ...] = setting("that act on the joint; their torques are added")
    wrench_frame: str = setting(
        "frame whose axis the torque turns about: publishes it on `~/wrench/<joint>`; empty = not published", ""
    )
    wrench_axis: str = setting(f"axis of that frame: {', '.join(AXES)}", "z")

    def __post_init__(self) -> None:
        where = f"joint '{self.name}'"
        check_bounds(self, where)
        check_names([muscle.name for muscle in self.muscles], f"{where}: muscles")
        if self.wrench_axis not in AXES:
            raise InputError(f"{where}: wrench_axis is '{self.wrench_axis}'; choose one of {', '.join(AXES)}")
        if self.angle_range and self.angle_range[0] >= self.angle_range[1]:
            raise InputError(f"{where}: the angles of its muscles have no range in common; give all the joint's range")

    @property
    def angle_range(self) -> tuple[float, float] | None:
        """Angles that the tables of all its muscles cover [rad]; None = no muscle needs the angle."""
        tables = [muscle.angles for muscle in self.muscles if muscle.angles]
        return (max(table[0] for table in tables), min(table[-1] for table in tables)) if tables else None


@dataclass(frozen=True)
class AssistanceSettings:
    """All settings of the assistance."""

    muscles: tuple[str, ...] = setting("all muscles of the estimator's messages, in their order")
    joints: tuple[JointSettings, ...] = setting("in the order of the command")
    trust: GateSettings = setting(
        "what messages are trusted, and how fast assistance fades", GateSettings(fade_out=FADE_OUT_S)
    )
    deadman: bool = setting(
        "whether true must come on topic `deadman` all the time; false = the subject has a switch that cuts the power",
        True,
    )
    deadman_timeout: float = setting("without a true", 0.15, Bounds("s", 0.01, ZERO_WITHIN_S))
    angle_timeout: float = setting("without an angle that a table needs", 0.1, Bounds("s", 0.01, ZERO_WITHIN_S))
    rate: float = setting("of the commands", 100.0, Bounds("Hz", 20.0, 1_000.0))
    dry_run: bool = setting("compute and show torques, but publish no command", False)

    def __post_init__(self) -> None:
        check_bounds(self, "assistance")
        check_names(self.muscles, "assistance: muscles")
        check_names([joint.name for joint in self.joints], "assistance: joints")
        for joint in self.joints:
            if unknown := [pull.name for pull in joint.muscles if pull.name not in self.muscles]:
                raise InputError(
                    f"joint '{joint.name}': muscle '{unknown[0]}' is not one of the estimator's; choose from "
                    f"{', '.join(self.muscles)}"
                )
        self._check_time_to_zero()

    def _check_time_to_zero(self) -> None:
        waits = {"trust.max_age": self.trust.max_age}
        waits |= {"deadman_timeout": self.deadman_timeout} if self.deadman else {}
        waits |= {"angle_timeout": self.angle_timeout} if any(joint.angle_range for joint in self.joints) else {}
        steps = 2.0 / self.rate
        for name, wait in waits.items():
            if wait + self.trust.fade_out + steps > ZERO_WITHIN_S + 1e-9:
                raise InputError(
                    f"assistance: {name} {wait:g} s, trust.fade_out {self.trust.fade_out:g} s and two steps of "
                    f"{1.0 / self.rate:g} s are more than {ZERO_WITHIN_S:g} s, in which torque must be zero after a "
                    "loss of trust; lower one of them"
                )


def check_bounds(settings: Any, where: str) -> None:
    """Raise InputError for the first number of a dataclass of settings, or in a list of it, that is out of bounds."""
    for entry in fields(settings):
        bounds: Bounds | None = entry.metadata["bounds"]
        value = getattr(settings, entry.name)
        if bounds is None or value is None:
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if not bounds.lowest <= number <= bounds.highest:  # nor NaN
                raise InputError(
                    f"{where}: {entry.name} is {number:g}; choose {bounds.lowest:g} to {bounds.highest:g} {bounds.unit}"
                )


def check_names(names: Sequence[str], what: str) -> None:
    """Raise InputError unless there are names, none empty and none twice."""
    if not names:
        raise InputError(f"{what} is empty; name at least one")
    for at, name in enumerate(names):
        if not name or name in names[:at]:
            raise InputError(f"{what} holds {f'{name!r} twice' if name else 'an empty name'}; name each once")
