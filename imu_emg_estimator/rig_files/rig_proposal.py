"""A rig proposed from the names and rates of sensors, muscles and movements, which the user then edits."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_names import words_of
from imu_emg_estimator.imports.name_matching import GLUED, PLACE_OF, glued, side_of
from imu_emg_estimator.recording import UNLABELLED
from imu_emg_estimator.rig import DEFAULT_MOVEMENTS, LOCOMOTION, Movement, Muscle, Rig, Sensor
from imu_emg_estimator.rig_schema import RIG_KEYS, SEGMENTS

MAX_PROPOSED_RATE_HZ = 100.0
SEGMENT_OF = {"wrist": "forearm", "upperarm": "upper_arm"}  # of what names say; others are segments themselves
RESTS = ("rest", "resting", "standing", "sitting", "lying", "pause", "pose", "none", "nothing", UNLABELLED)
DROPPED = ("imu", "sensor", "emg", "raw", "data")  # words that name no place
SPELT = {together: apart.replace(" ", "_") for apart, together in GLUED.items()}


@dataclass(frozen=True)
class FoundParts:
    """What was found of a rig.

    Attributes:
        rates: of the sensors by name, in order [Hz]; NaN = not known.
        muscles: names, in order.
        gyroscopes: whether there are angular rates.
        labels: of movements; empty = nothing is labelled, None = not known.
        notes: what the user should know.
    """

    rates: Mapping[str, float]
    muscles: Sequence[str]
    gyroscopes: bool = True
    labels: Sequence[str] | None = None
    notes: tuple[str, ...] = ()


def propose_rig(parts: FoundParts, name: str) -> tuple[Rig, list[str]]:
    """Propose a rig; return it with remarks on what the user should look at.

    Raises:
        InputError: there is no sensor or no muscle.
    """
    for kind, names in (("sensor", parts.rates), ("EMG channel", parts.muscles)):
        if not names:
            raise InputError(f"no {kind} was found to make a rig of; give another source, or answer questions")
    remarks = list(parts.notes)
    sensors = tuple(_sensor(sensor, remarks) for sensor in parts.rates)
    muscles = tuple(Muscle(muscle, *place_of(muscle)) for muscle in parts.muscles)
    rig = Rig(
        name,
        proposed_rate(list(parts.rates.values())),
        sensors,
        muscles,
        gyroscopes=parts.gyroscopes,
        movements=_movements(parts.labels, remarks),
    )
    if not rig.is_mirrorable and {"left", "right"} <= {own.side for own in sensors}:
        remarks.append("the rig has no mirror image, so that training cannot use each recording for both sides")
    return rig, remarks


def proposed_rate(rates: Sequence[float]) -> float:
    """Return the rate of the slowest sensor [Hz], at most ``MAX_PROPOSED_RATE_HZ``; that where none is known."""
    known = [rate for rate in rates if rate == rate and rate > 0]
    return round(min([*known, MAX_PROPOSED_RATE_HZ]), 1)


def place_of(name: str) -> tuple[str, str]:
    """Return the place that a name says without its side, and the side: ``right_wrist`` = wrist, right."""
    side, rest = side_of(glued([word for word in words_of(name) if word not in DROPPED]))
    place = [PLACE_OF.get(word, word) for word in rest]
    return "_".join(SPELT.get(word, word) for word in place) or name, side or "centre"


def sensor_of_name(name: str) -> Sensor:
    """Return the sensor that a name says; its segment may be none of ``SEGMENTS``."""
    place, side = place_of(name)
    return Sensor(name, SEGMENT_OF.get(place, place), side)


def _sensor(name: str, remarks: list[str]) -> Sensor:
    sensor = sensor_of_name(name)
    if sensor.segment not in SEGMENTS:
        remarks.append(f"where is sensor '{name}'? Write its 'segment': {', '.join(SEGMENTS)}")
    return sensor


def _movements(labels: Sequence[str] | None, remarks: list[str]) -> tuple[Movement, ...]:
    if labels is None:
        return DEFAULT_MOVEMENTS
    moving = [label for label in labels if label.lower() not in RESTS]
    if not moving:
        remarks.append(f"nothing is labelled, so that all counts as movement ('{UNLABELLED}'): see 'movements'")
        return (Movement(UNLABELLED),)
    if set(moving) <= set(LOCOMOTION):
        return DEFAULT_MOVEMENTS
    remarks.append(f"calibrated on and scored: {', '.join(moving)}; correct 'movements' if rest is among them")
    return tuple(map(Movement, moving))


def rig_text(rig: Rig) -> str:
    """Write a rig file with what every key means."""
    values = rig.to_dict()
    lines = ["# All keys: docs/rig_files.md. Check it with: imu-emg rig check FILE --bag BAG"]
    for key in RIG_KEYS:
        if key.name in values:
            lines += [textwrap.fill(key.description, 100, initial_indent="# ", subsequent_indent="#   ")]
            lines += [_entry(key.name, values[key.name])]
    return "\n".join(lines) + "\n"


def _entry(name: str, value: object) -> str:
    if not isinstance(value, list):
        return _dumped({name: value}, flow=False)
    return "\n".join([f"{name}:", *(f"- {_dumped(part, flow=True)}" for part in value)])


def _dumped(value: object, flow: bool) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=4096, default_flow_style=flow)
    return text.rstrip()
