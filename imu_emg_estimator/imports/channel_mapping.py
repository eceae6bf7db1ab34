"""Which channel is which sensor's axis or which muscle: proposed by name and unit, kept in a file, applied to takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from imu_emg_estimator.datasets.csv_folders import EMG_COLUMN, sensor_columns
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_names import ACC, ENVELOPE, GYRO, RAW_EMG, Meaning, meaning_of
from imu_emg_estimator.imports.channel_units import usual_name
from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.name_matching import PLACE_OF, SIDE_OF, Words, match_names
from imu_emg_estimator.rig import Muscle, Rig, Sensor

NONE = "none"  # a channel that is not used


@dataclass(frozen=True)
class Assignment:
    """One channel, what it is, and its unit.

    Attributes:
        channel: name in the files.
        column: of the table that is written, as ``wrist_acc_x`` or ``emg_biceps``; ``none`` = not used.
        unit: '' = as the files state it.
    """

    channel: str
    column: str
    unit: str = ""

    @property
    def is_used(self) -> bool:
        """Whether the channel goes into the table."""
        return self.column != NONE

    @property
    def kind(self) -> str:
        """``acc``, ``gyro``, ``emg`` or ``envelope``."""
        if EMG_COLUMN.match(self.column):
            return RAW_EMG if self.column.startswith("emg_") else ENVELOPE
        return self.column.split("_")[-2]


@dataclass(frozen=True)
class ChannelMapping:
    """Assignments of all channels of a data set, and what the user should know of the proposal."""

    assignments: tuple[Assignment, ...]
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[Assignment, ...]:
        """Assignments of the channels that go into the table."""
        return tuple(assignment for assignment in self.assignments if assignment.is_used)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Sensors that have channels, in order."""
        names = [a.column.rsplit("_", 2)[0] for a in self.used if a.kind in (ACC, GYRO)]
        return tuple(dict.fromkeys(names))

    @property
    def muscles(self) -> tuple[str, ...]:
        """Muscles that have channels, in order."""
        return tuple(a.column.partition("_")[2] for a in self.used if a.kind in (RAW_EMG, ENVELOPE))


def propose_mapping(takes: Sequence[Take], rig: Rig | None = None) -> ChannelMapping:
    """Propose what each channel is, by its name and unit.

    Without a rig, sensors and muscles are named after the devices or channels.
    """
    channels = distinct_channels(takes)
    meanings = {name: meaning_of(channel) for name, channel in channels.items()}
    notes: list[str] = []
    sensors = _names(meanings, (ACC, GYRO), rig.sensors if rig else None, notes)
    muscles = _names(meanings, (RAW_EMG, ENVELOPE), rig.muscles if rig else None, notes)
    assignments = []
    taken: set[str] = set()
    doubled: list[str] = []
    for name, meaning in meanings.items():
        column = _column(meaning, sensors if meaning and meaning.axis else muscles)
        if column in taken and meaning and not meaning.axis and rig is None:
            column = _numbered(column, taken)
        if column in taken:
            doubled.append(name)
            column = NONE
        taken |= {column} - {NONE}
        assignments.append(Assignment(name, column, _stated(takes, name)))
    if doubled:
        names = ", ".join(f"'{name}'" for name in doubled)
        notes.append(f"left out, as others are named like them: {names}; say in the mapping what they are")
    return _whole_sensors(ChannelMapping(tuple(assignments), tuple(notes)))


def distinct_channels(takes: Sequence[Take]) -> dict[str, Channel]:
    """Return the channels of all files by name, in order; of several with one name, the first."""
    found: dict[str, Channel] = {}
    for take in takes:
        for channel in take.channels:
            found.setdefault(channel.name, channel)
    return found


def _names(
    meanings: Mapping[str, Meaning | None],
    kinds: tuple[str, str],
    parts: Sequence[Sensor] | Sequence[Muscle] | None,
    notes: list[str],
) -> dict[tuple[str, ...], str]:
    """Return the name of a sensor or muscle by the words of its channels; ``parts`` are those of the rig, if any."""
    labels = list(dict.fromkeys(meaning.label for meaning in meanings.values() if meaning and meaning.kind in kinds))
    if parts is None:
        fallback = "imu" if ACC in kinds else ""
        shared = _empty_words(labels)
        return {label: "_".join(label[shared:]) or fallback for label in labels}
    found, unsure = match_names(labels, parts)
    notes.extend(unsure)
    return found


def _empty_words(labels: Sequence[Words]) -> int:
    """Count the words that all of several labels begin with, and after which each names a place: ``trial`` r thigh."""
    count = 0
    while (
        len({label[: count + 1] for label in labels}) == 1 < len(labels)
        and labels[0][count] not in SIDE_OF
        and all(set(label[count + 1 :]) & set(PLACE_OF) for label in labels)
    ):
        count += 1
    return count


def _column(meaning: Meaning | None, names: Mapping[tuple[str, ...], str]) -> str:
    if meaning is None or meaning.label not in names:
        return NONE
    name = names[meaning.label]
    if meaning.axis:
        return f"{name}_{meaning.kind}_{meaning.axis}"
    return f"{meaning.kind}_{name or 1}"


def _numbered(column: str, taken: set[str]) -> str:
    return next(f"{column}_{number}" for number in range(2, len(taken) + 3) if f"{column}_{number}" not in taken)


def _stated(takes: Sequence[Take], name: str) -> str:
    """Return the usual spelling of the unit that all files state for a channel; '' where they differ or state none."""
    units = {channel.unit for take in takes for channel in take.channels if channel.name == name}
    return usual_name(units.pop()) if len(units) == 1 else ""


def _whole_sensors(mapping: ChannelMapping) -> ChannelMapping:
    """Leave out accelerometers and gyroscopes without all three axes, and gyroscopes without an accelerometer."""
    columns = {assignment.column for assignment in mapping.used}
    whole: set[str] = set()
    notes = list(mapping.notes)
    for sensor in mapping.sensors:
        for kind in (ACC, GYRO):
            axes = sensor_columns(sensor, kind)
            present = [column for column in axes if column in columns]
            if present == axes and (kind == ACC or f"{sensor}_{ACC}_x" in whole):
                whole |= set(axes)
            elif present:
                notes.append(f"{', '.join(present)}: no complete accelerometer or gyroscope, left out")
    kept = tuple(
        assignment
        if not assignment.is_used or assignment.kind not in (ACC, GYRO) or assignment.column in whole
        else replace(assignment, column=NONE)
        for assignment in mapping.assignments
    )
    return ChannelMapping(kept, tuple(notes))


def check_mapping(
    mapping: ChannelMapping, takes: Sequence[Take], rig: Rig | None = None, where: str = "the mapping"
) -> None:
    """Raise InputError where a mapping does not fit the files or the rig, and name what is missing."""
    channels = distinct_channels(takes)
    for assignment in mapping.used:
        if assignment.channel not in channels:
            near = get_close_matches(assignment.channel, channels, 3) or list(channels)[:40]
            shown = ", ".join(f"'{name}'" for name in near)
            raise InputError(f"{where} names the channel '{assignment.channel}', which no file has; they have {shown}")
    columns = [assignment.column for assignment in mapping.used]
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise InputError(f"{where} gives '{twice}' to two channels; set one to '{NONE}'")
    if not mapping.sensors or not mapping.muscles:
        what = "accelerometer" if not mapping.sensors else "EMG"
        raise InputError(
            f"{where} has no {what} channel; say in a mapping file which it is of {', '.join(list(channels)[:40])}"
        )
    for sensor in mapping.sensors:
        for kind in (ACC, GYRO):
            axes = sensor_columns(sensor, kind)
            missing = [column for column in axes if column not in columns]
            if missing and (kind == ACC or missing != axes):
                raise InputError(f"{where} has no channel for '{missing[0]}'; add it")
    if rig is not None:
        _check_rig(mapping, rig, where)


def _check_rig(mapping: ChannelMapping, rig: Rig, where: str) -> None:
    columns = {assignment.column for assignment in mapping.used}
    bare = [sensor for sensor in mapping.sensors if f"{sensor}_{GYRO}_x" not in columns]
    if rig.gyroscopes and bare:
        raise InputError(
            f"{where} has no gyroscope for '{bare[0]}', which rig '{rig.name}' counts on; write 'gyroscopes: false' "
            "into the rig file if the sensors have none"
        )
    for kind, used, wanted in (
        ("sensor", mapping.sensors, rig.sensor_names),
        ("muscle", mapping.muscles, rig.muscle_names),
    ):
        if strange := next((name for name in used if name not in wanted), None):
            raise InputError(
                f"{where} names the {kind} '{strange}', which rig '{rig.name}' has not: {', '.join(wanted)}"
            )
        missing = [name for name in wanted if name not in used]
        if kind == "sensor" and missing:
            raise InputError(f"{where} has no channels for the {kind} '{missing[0]}' of rig '{rig.name}'; add them")
