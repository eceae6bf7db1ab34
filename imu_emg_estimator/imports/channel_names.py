"""What the name of a channel says: accelerometer, gyroscope or EMG, the axis, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imu_emg_estimator.imports.channel_units import ACCELERATION, EMG, RATE, unit_of
from imu_emg_estimator.imports.channels import Channel

ACC, GYRO, RAW_EMG, ENVELOPE = "acc", "gyro", "emg", "envelope"
QUANTITY = {ACC: ACCELERATION, GYRO: RATE, RAW_EMG: EMG, ENVELOPE: EMG}

# On names in lower case whose words are joined by '_'.
_ACC_WORDS = r"acc(?:el(?:er(?:ation|ometer|o)?)?)?|linear_acceleration|specific_force"
_GYRO_WORDS = r"gyr(?:o(?:s(?:cope)?)?)?|ang(?:ular)?_?(?:vel(?:ocity)?|rate)|omega"
_AXIS_LAST = re.compile(
    rf"(?:^|_)(?:(?P<acc>{_ACC_WORDS})|(?P<gyro>{_GYRO_WORDS}))_?\d*_?(?P<axis>[xyz])(?:_?\d+)?(?=_|$)"
)
_AXIS_FIRST = re.compile(rf"(?:^|_)(?P<axis>[xyz])_?(?:(?P<acc>{_ACC_WORDS})|(?P<gyro>{_GYRO_WORDS}))(?=_|$)")
_APART = re.compile(rf"(?:^|_)(?:(?P<acc>{_ACC_WORDS})|(?P<gyro>{_GYRO_WORDS}))(?=_\w+_[xyz]$)")  # acc_thigh_r_x
_SHORT = re.compile(r"(?:^|_)(?:(?P<acc>a)|(?P<gyro>[gw]))_?(?P<axis>[xyz])$")
_EMG_WORD = re.compile(r"(?:^|_)(?:s_?)?(?P<kind>emg|envelope)_?(?P<number>\d*)(?=_|$)")
TRIGGER = re.compile(r"trig|sync|ttl|digital|pulse|button|event", re.IGNORECASE)
# Derived by the maker's software, or not an IMU's: gravity removed, magnetic, orientation, impedance.
_OTHER = re.compile(
    r"(?:^|_)(?:free_?acc\w*|user_?acc\w*|lin_?acc\w*|mag(?!nus)\w*|quat\w*|q[0-3wxyz]|roll|pitch|yaw|euler|impedance"
    r"|battery|(?<!specific_)force|torque|load_?cell|goni\w*|fsr|foot_?switch|ecg|temp(?:erature)?)(?=_|$)"
)
AXES = ("x", "y", "z")
KIND_WORDS = {ACC: ("acc", "accel", "accelerometer", "acceleration"), GYRO: ("gyr", "gyro", "gyroscope")}
_DROPPED = frozenset(
    {"trigno", "im", "sensor", "sensors", "imu", "imus", "avanti", "mat", "a", "analog", "signal", "raw", "data"}
    | {word for words in KIND_WORDS.values() for word in words}
)


@dataclass(frozen=True)
class Meaning:
    """What a channel measures.

    Attributes:
        kind: ``acc``, ``gyro``, ``emg`` or ``envelope``.
        label: words that name the sensor or muscle; may be empty.
        axis: x, y or z; '' for EMG.
    """

    kind: str
    label: tuple[str, ...]
    axis: str = ""


def words_of(text: str) -> tuple[str, ...]:
    """Split a name into words in lower case, at signs and where capitals begin: ``RightFoot`` = right, foot."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return tuple(word for word in re.split(r"[^0-9a-zäöüßéèç]+", text.lower()) if word)


def meaning_of(channel: Channel) -> Meaning | None:
    """Return what a channel measures, by its name, else by its unit; None where neither tells.

    The name may begin with that of a device and a colon, which names sensor or muscle where nothing after it does.
    """
    device, colon, name = channel.name.rpartition(": ")
    device_words = words_of(device) if colon else ()
    plain = "_".join(words_of(name))
    unit = unit_of(channel.unit)
    if _OTHER.search(plain) or (TRIGGER.search(plain) and not _EMG_WORD.search(plain)):
        return None
    for pattern in (_AXIS_LAST, _AXIS_FIRST, _SHORT):
        if found := pattern.search(plain):
            kind = ACC if found["acc"] else GYRO
            if unit and unit.quantity != QUANTITY[kind]:
                return None
            return Meaning(kind, _label(device_words, plain, found), found["axis"])
    if found := _APART.search(plain):
        return Meaning(ACC if found["acc"] else GYRO, _label(device_words, plain[:-2], found), plain[-1])
    if plain in AXES and (kind := _kind_of_device(device_words, channel.unit)):  # of ``shank_acc: X``
        return Meaning(kind, _shortened(device_words), plain)
    if found := _EMG_WORD.search(plain):
        number = (found["number"],) if found["number"] else ()
        label = _label(device_words, plain, found)
        return Meaning(found["kind"], label or number)
    if unit.quantity == EMG if unit else "emg" in device_words:
        return Meaning(RAW_EMG, _shortened(tuple(word for word in (*device_words, *plain.split("_")) if word != "emg")))
    return None


def _kind_of_device(device: tuple[str, ...], unit: str) -> str:
    """Return ``acc`` or ``gyro`` of a channel that is called by its axis alone, by its unit or device; '' = neither."""
    stated = unit_of(unit)
    if stated:
        return next((kind for kind in (ACC, GYRO) if QUANTITY[kind] == stated.quantity), "")
    found = [kind for kind in (ACC, GYRO) if any(word in KIND_WORDS[kind] for word in device)]
    return found[0] if len(found) == 1 else ""


def _label(device: tuple[str, ...], plain: str, found: re.Match[str]) -> tuple[str, ...]:
    """Return the words of the name around what was found, else those of the device, where they tell a place."""
    around = tuple(word for word in f"{plain[: found.start()]}_{plain[found.end() :]}".split("_") if word)
    own = _shortened(around)
    tells = any(len(word) > 1 and not word.isdigit() and word not in _DROPPED for word in own)
    return own if tells or not device else _shortened(device)


def _shortened(words: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out words that name no place, unless nothing else but a number is left."""
    kept = tuple(word for word in words if word not in _DROPPED)
    return words if words and all(word.isdigit() for word in kept) else kept
