"""Schema of rig files: every key with its meaning, bounds and default, which reading, writing and the docs share."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imu_emg_estimator.errors import InputError

AXES = ("x", "y", "z")
NEITHER = "none"
SIDES = ("left", "right", "centre")
MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 2000.0
SEGMENTS = {
    "foot": "on the instep or the shoe",
    "shank": "between knee and ankle",
    "thigh": "between hip and knee",
    "pelvis": "at the sacrum or the belt",
    "trunk": "breastbone or upper back",
    "head": "head or helmet",
    "shoulder": "shoulder blade",
    "upper_arm": "between shoulder and elbow",
    "forearm": "between elbow and wrist, an armband or a watch too",
    "hand": "back of the hand",
    "device": "on the exoskeleton or a tool",
}


@dataclass(frozen=True)
class Key:
    """One key of a rig file.

    Attributes:
        default: as written in YAML; None = the key is required.
        choices: values allowed; empty = any of the kind.
    """

    name: str
    kind: type
    description: str
    default: str | None = None
    choices: Sequence[str] = ()


RIG_KEYS = (
    Key("name", str, "name of the rig"),
    Key(
        "rate", float,
        f"rate of the grid that the model works on [Hz], {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g}: at most that of the "
        "slowest IMU. 50 to 100 Hz show the movement of limbs; more costs time and shows no more",
    ),
    Key("sensors", list, "the IMUs, in the order of the model's input"),
    Key("muscles", list, "the muscles, in the order of the model's output"),
    Key("gyroscopes", bool, "whether the IMUs have gyroscopes; without, tables need no columns for them", "true"),
    Key(
        "lateral_axis", str,
        "the sensor axis that points sideways in a standing subject, and flips between mirrored sensors",
        "y", AXES,
    ),
    Key(
        "movements", list,
        "what is calibrated on and scored, in the words that your recordings are labelled with; `unlabelled` for "
        "recordings without labels",
        "walking, running, stairs and ramps",
    ),
    Key(
        "pose", str,
        "what the guide asks the subject to hold, as in `sit with the forearm on the table`; the sensors are compared "
        "with recordings labelled `pose`, if the model has learned some",
        "stand still and upright",
    ),
)  # fmt: skip
SENSOR_KEYS = (
    Key("name", str, "begins the names of its columns, and ends that of its topic"),
    Key("segment", str, f"part of the body: {', '.join(SEGMENTS)}, or a word of yours"),
    Key("side", str, "side of the body", "centre", SIDES),
    Key(
        "either_way", str,
        "for a sensor that people strap on either way round: its axis that points out of the skin, about which the "
        "other way is half a turn. Training and estimates tell from the movement which way it is",
        NEITHER, (NEITHER, *AXES),
    ),
)  # fmt: skip
MUSCLE_KEYS = (
    Key("name", str, "as in EMG columns and channels"),
    Key("muscle", str, "the muscle without its side: muscles of this and the other side are twins"),
    Key("side", str, "side of the body", "centre", SIDES),
)
MOVEMENT_KEYS = (
    Key("name", str, "as recordings are labelled: `curl`"),
    Key("say", str, "what the guide asks the subject to do: `Curl the dumbbell slowly`", "the name"),
)
PARTS = {"sensors": SENSOR_KEYS, "muscles": MUSCLE_KEYS, "movements": MOVEMENT_KEYS}


def check_keys(values: Any, keys: Sequence[Key], where: str) -> Mapping[str, Any]:
    """Return the mapping if it has all required keys, no other than these, and of these only values allowed.

    Raises:
        InputError: names the key at fault, and the one that was probably meant.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: every entry must be a mapping with {', '.join(key.name for key in keys)}")
    known = [key.name for key in keys]
    if missing := [key.name for key in keys if key.default is None and key.name not in values]:
        raise InputError(f"{where}: key '{missing[0]}' is missing; add it")
    if extra := sorted(str(key) for key in values if key not in known):
        close = difflib.get_close_matches(extra[0], known, 1)
        remedy = f"did you mean '{close[0]}'?" if close else f"remove it; known are {', '.join(known)}"
        raise InputError(f"{where}: key '{extra[0]}' is not known; {remedy}")
    for key in keys:
        if key.name in values:
            _check_value(values[key.name], key, where)
    return values


def _check_value(value: Any, key: Key, where: str) -> None:
    if key.kind is list and not isinstance(value, list):
        raise InputError(f"{where}: '{key.name}' must be a list")
    if key.kind is bool and not isinstance(value, bool):
        raise InputError(f"{where}: '{key.name}' is '{value}'; write true or false")
    if key.kind is str and (isinstance(value, (Mapping, list)) or not str(value).strip() or value is None):
        raise InputError(f"{where}: '{key.name}' holds no text; write {key.description.split(':')[0]}")


def rate_of(value: Any, where: str) -> float:
    """Read a rate [Hz]; raises InputError."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: rate '{value}' is not a number in Hz") from None


def markdown_page() -> str:
    """Describe rig files for the documentation."""
    parts = [_table("A rig file", RIG_KEYS), _segments()]
    parts += [_table(f"Each of `{name}`", keys) for name, keys in PARTS.items()]
    return "\n\n".join(
        [
            "# Rig files",
            "Generated by `make reference`. `imu-emg rig new` writes one, `imu-emg rig check` checks it.",
            *parts,
        ]
    )


def _table(title: str, keys: Sequence[Key]) -> str:
    rows = [
        f"| `{key.name}` | {'required' if key.default is None else key.default} | {key.description}"
        f"{f' ({chr(44).join(key.choices)})'.replace(',', ', ') if key.choices else ''} |"
        for key in keys
    ]
    return "\n".join([f"## {title}\n", "| key | default | |", "| --- | --- | --- |", *rows])


def _segments() -> str:
    return "\n".join(
        ["## Segments\n", "| `segment` | where |", "| --- | --- |"]
        + [f"| `{name}` | {meaning} |" for name, meaning in SEGMENTS.items()]
    )
