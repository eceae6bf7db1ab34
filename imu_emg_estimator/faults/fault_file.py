"""Reads a file of faults: a YAML or JSON list, one mapping for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults.fault_injection import KINDS
from imu_emg_estimator.faults.fault_kind import Fault

KEYS = ("kind", "sensors", "start", "duration", "magnitude")
ALL = "all"
LONGEST_S = 1e9


def read_faults(path: Path, topics: Sequence[str]) -> list[Fault]:
    """Read the faults of a file.

    Args:
        topics: of the sensors, which the file names by their topic, by its last part, or as ``all``.

    Raises:
        InputError: the file cannot be read, or a fault in it is not possible.
    """
    where = f"fault file {path}"
    if not topics:
        raise InputError(f"{where} is for Imu topics, and the bag has none; replay it without faults")
    try:
        text = Path(path).read_text(encoding="utf-8")
        tree, entries = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error.strerror}); give the path of a YAML or JSON file") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        raise InputError(f"{where} is not valid YAML; compare it with examples/faults.yaml") from None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{where} holds no list of faults; compare it with examples/faults.yaml")
    for number, node in enumerate(tree.value if tree else (), 1):
        _refuse_repeated_keys(node, f"{where}, fault {number}")
    return [_fault(entry, topics, f"{where}, fault {number}") for number, entry in enumerate(entries, 1)]


def check_starts(path: Path, faults: Sequence[Fault], seconds: float) -> None:
    """Raise InputError for the first fault of a file that would begin after the last of the messages.

    Args:
        seconds: from the first message to the last.
    """
    for number, fault in enumerate(faults, 1):
        if fault.start > seconds:
            raise InputError(
                f"fault file {path}, fault {number}: start is {fault.start:g} s, but only {seconds:.1f} s are played; "
                "let it start earlier, or play more of the bag"
            )


def _refuse_repeated_keys(node: yaml.Node, where: str) -> None:
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    if repeated := [key for at, key in enumerate(keys) if key in keys[:at]]:
        raise InputError(f"{where}: key '{repeated[0]}' is given twice; keep one, or make it two faults")


def _fault(entry: object, topics: Sequence[str], where: str) -> Fault:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: '{entry}' is no mapping; give {', '.join(KEYS)}")
    if unknown := [key for key in entry if key not in KEYS]:
        raise InputError(f"{where}: key '{unknown[0]}' is not known; choose from {', '.join(KEYS)}")
    kind = entry.get("kind")
    if kind is None:
        raise InputError(f"{where}: the kind is missing; choose one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"{where}: kind '{kind}' is not known; choose one of {', '.join(KINDS)}")
    sensors = _sensors(entry.get("sensors", ALL), topics, where)
    start = _number(entry, "start", 0.0, where, lowest=0.0, highest=LONGEST_S)
    duration = _number(entry, "duration", LONGEST_S, where, lowest=0.0, highest=LONGEST_S)
    if duration == 0.0:
        raise InputError(f"{where}: duration is 0, so nothing would happen; give seconds, or leave it out: to the end")
    if "magnitude" in entry and KINDS[kind].lowest is None:
        raise InputError(f"{where}: kind '{kind}' has no magnitude; leave it out")
    magnitude = _number(entry, "magnitude", KINDS[kind].magnitude, where)
    try:
        KINDS[kind].check(kind, magnitude, len(sensors))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if KINDS[kind].unit == "messages" and magnitude % 1:
        raise InputError(f"{where}: magnitude is {magnitude:g} messages; give a whole number")
    return Fault(kind, sensors, start, duration, magnitude)


def _sensors(named: object, topics: Sequence[str], where: str) -> tuple[int, ...]:
    if named == ALL:
        return tuple(range(len(topics)))
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: sensors must be '{ALL}' or a list of topics, of {', '.join(topics)}")
    sensors = tuple(_sensor(name, topics, where) for name in names)
    if len(set(sensors)) < len(sensors):
        raise InputError(f"{where}: a sensor is named twice; name it once")
    return sensors


def _sensor(name: str, topics: Sequence[str], where: str) -> int:
    found = [at for at, topic in enumerate(topics) if name in (topic, topic.rpartition("/")[2])]
    if len(found) != 1:
        trouble = "is not an Imu topic" if not found else "is the end of several Imu topics"
        raise InputError(f"{where}: sensor '{name}' {trouble} of the bag; choose from {', '.join(topics)}")
    return found[0]


def _number(
    entry: Mapping[str, object],
    key: str,
    default: float,
    where: str,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> float:
    value = entry.get(key, default)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not lowest <= number <= highest:
        bounds = "" if math.isinf(highest) else f" from {lowest:g} to {highest:g} s"
        raise InputError(f"{where}: {key} is {value!r}, not a number{bounds}")
    return number
