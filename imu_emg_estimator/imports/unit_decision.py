"""Units of a data set's channels: as stated where files state them, by gravity and the fastest movement where not.

Nothing is taken in silence: what was found from sizes is told, what is not clear is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from imu_emg_estimator.datasets.csv_folders import UNKNOWN_UNIT
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import NONE, Assignment, ChannelMapping
from imu_emg_estimator.imports.channel_names import ACC, ENVELOPE, GYRO, QUANTITY, RAW_EMG
from imu_emg_estimator.imports.channel_units import INSTEAD, SI_UNITS, known_units, unit_of, usual_name
from imu_emg_estimator.imports.channels import Array, Channel, Take
from imu_emg_estimator.imports.turning_gravity import wrong_rate_unit
from imu_emg_estimator.signals.imu_units import MAX_RATE_RADPS, acceleration_unit, rate_unit

SLOWEST_RATE_UNIT = 8.0  # 99th percentile of angular rates: up to it rad/s; from 40 deg/s; between, either
EMG_KINDS = {RAW_EMG: "raw", ENVELOPE: "an envelope"}


def decide_units(mapping: ChannelMapping, takes: Sequence[Take]) -> ChannelMapping:
    """Return the mapping with a unit for every channel of an IMU that neither files nor mapping give one.

    Raises:
        InputError: the sizes leave the unit open, or EMG channels are in different units.
    """
    emg = check_one_emg_unit(mapping, takes)
    decided: dict[str, str] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for sensor in mapping.sensors:
        for kind in (ACC, GYRO):
            own = [a for a in mapping.used if a.column.startswith(f"{sensor}_{kind}_") and a.kind == kind]
            if own and any(not a.unit and not channel.unit for a in own for _, channel in _channels(a, takes)):
                unit = _by_size(sensor, kind, own, takes)
                found.setdefault((kind, unit), []).append(sensor)
                decided |= {a.channel: unit for a in own}
    notes = [
        f"{QUANTITY[kind]} of {', '.join(sensors)}: no unit is stated, taken to be in {unit}, by its size"
        for (kind, unit), sensors in found.items()
    ]
    if emg == UNKNOWN_UNIT:
        notes.append("EMG: no unit is stated; give it in the mapping, so that recordings can be compared")
    assignments = tuple(replace(a, unit=decided.get(a.channel, a.unit)) for a in mapping.assignments)
    return ChannelMapping(assignments, (*mapping.notes, *notes))


def _channels(assignment: Assignment, takes: Sequence[Take]) -> Iterator[tuple[Path, Channel]]:
    for take in takes:
        for channel in take.channels:
            if channel.name == assignment.channel:
                yield take.source, channel


def _by_size(sensor: str, kind: str, own: Sequence[Assignment], takes: Sequence[Take]) -> str:
    """Find a unit from the sizes of all takes together."""
    names = {a.channel for a in own}
    axes = [[c.values for c in take.channels if c.name in names] for take in takes]
    triples = [np.array([axis[: min(map(len, three))] for axis in three]).T for three in axes if len(three) == 3]
    imu = np.full((sum(map(len, triples)), 1, 6), np.nan)
    imu[:, 0, slice(0, 3) if kind == ACC else slice(3, 6)] = np.concatenate(triples)
    if kind == ACC:
        found = acceleration_unit(imu)
        if found is None:
            median = np.nanmedian(np.linalg.norm(imu[:, 0, :3], axis=1))
            raise InputError(
                f"the accelerations of '{sensor}' state no unit, and their median size {median:.3g} is gravity "
                "neither in g nor in m/s²; state the unit in the mapping, and include gravity"
            )
        return found[0]
    fast = float(np.nanpercentile(np.linalg.norm(imu[:, 0, 3:], axis=1), 99))
    if SLOWEST_RATE_UNIT < fast <= MAX_RATE_RADPS:
        raise InputError(
            f"the angular rates of '{sensor}' state no unit, and their size {fast:.3g} (99th percentile) fits fast "
            "movement in rad/s and slow in deg/s; state the unit in the mapping"
        )
    return rate_unit(imu)[0]


def check_one_emg_unit(mapping: ChannelMapping, takes: Sequence[Take]) -> str:
    """Return the one unit of a data set's EMG.

    Raises:
        InputError: two channels are in different units, or one is raw and one an envelope; both are named.
    """
    first: tuple[str, str, str] | None = None
    for assignment in mapping.used:
        if assignment.kind in (ACC, GYRO):
            continue
        for source, channel in _channels(assignment, takes):
            unit, kind = emg_unit(source, assignment, channel), EMG_KINDS[assignment.kind]
            place = f"'{channel.name}' in {source}"
            if first is None:
                first = unit, kind, place
            elif unit != first[0]:
                raise InputError(
                    f"EMG is in {first[0]} ({first[2]}) and in {unit} ({place}); export one unit, or import them apart"
                )
            elif kind != first[1]:
                raise InputError(
                    f"EMG is {first[1]} ({first[2]}) and {kind} ({place}); set one of them to '{NONE}' in the mapping, "
                    "or import them apart"
                )
    return first[0] if first else UNKNOWN_UNIT


def emg_unit(source: Path, assignment: Assignment, channel: Channel) -> str:
    """Return the unit of an EMG channel: that of the mapping, else as stated, in its usual spelling."""
    return usual_name(_unit_text(source, assignment, channel)) or UNKNOWN_UNIT


def _unit_text(source: Path, assignment: Assignment, channel: Channel) -> str:
    """Return the unit that mapping or file give; raise InputError where they give different ones of one quantity.

    A mapping may come from other files. It overrides a unit of another quantity: many C3D files state V for everything.
    In the mapping, ``rad/s instead of deg/s`` is for files that state a wrong unit.
    """
    right, _, wrong = assignment.unit.partition(f" {INSTEAD} ")
    if wrong:
        return right if not channel.unit or unit_of(channel.unit) == unit_of(wrong) else channel.unit
    said, stated = unit_of(assignment.unit), unit_of(channel.unit)
    if said and stated and said != stated and said.quantity == stated.quantity:
        raise InputError(
            f"{source}: '{channel.name}' is in {stated.name} by the file and in {said.name} by the mapping; leave "
            f"the unit out of the mapping, or write '{said.name} {INSTEAD} {stated.name}' if the file is wrong"
        )
    return assignment.unit or channel.unit


def in_si_units(source: Path, assignment: Assignment, channel: Channel) -> Channel:
    """Return an IMU's channel in m/s² or rad/s; raise InputError where its unit is of neither."""
    quantity = QUANTITY[assignment.kind]
    text = _unit_text(source, assignment, channel)
    unit = unit_of(text)
    if unit is None or unit.quantity != quantity:
        raise InputError(
            f"{source}: '{channel.name}' is in '{text}', which is no unit of {quantity}; use one of "
            f"{known_units(quantity)} in the mapping"
        )
    return replace(channel, unit=SI_UNITS[quantity], values=channel.values * unit.size)


def check_sizes(source: Path, sensor: str, times: Array, imu: Array) -> None:
    """Raise InputError where an IMU [samples, 6] in m/s² and rad/s contradicts gravity or the speed of limbs."""
    acceleration = acceleration_unit(imu[:, None])
    median = float(np.nanmedian(np.linalg.norm(imu[:, :3], axis=1)))
    if acceleration is None or acceleration[0] != "m/s²":
        raise InputError(
            f"{source}: the accelerations of '{sensor}' have a median size of {median:.3g} m/s² by the unit that is "
            f"stated or found, where gravity is 9.8; give their unit in the mapping, as 'm/s² {INSTEAD} g' where the "
            "file is wrong, or export them with gravity"
        )
    if rate_unit(imu[:, None])[0] != "rad/s":
        fast = float(np.nanpercentile(np.linalg.norm(imu[:, 3:], axis=1), 99))
        raise InputError(
            f"{source}: the angular rates of '{sensor}' reach {fast:.3g} rad/s by the unit that is stated, more than "
            f"limbs do; give 'deg/s {INSTEAD} rad/s' as their unit in the mapping"
        )
    if right := wrong_rate_unit(times, imu):
        wrong, much = ("deg/s", "slow") if right == "rad/s" else ("rad/s", "fast")
        raise InputError(
            f"{source}: the angular rates of '{sensor}' are far too {much} in {wrong} for how gravity turns in it, and "
            f"fit in {right}; give '{right} {INSTEAD} {wrong}' as their unit in the mapping"
        )
