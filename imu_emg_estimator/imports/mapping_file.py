"""The mapping of channels as a YAML file: written with the proposal, edited by the user, given back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from imu_emg_estimator.datasets.csv_folders import EMG_COLUMN, SENSOR_COLUMN
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import NONE, Assignment, ChannelMapping
from imu_emg_estimator.imports.channel_units import INSTEAD, unit_of
from imu_emg_estimator.utils.atomic_files import write_atomically

MAPPING_FILE = "mapping.yaml"
MAX_FILE_BYTES = 1 << 20
HEAD = """\
# What each channel of the imported files is. Edit it, and give it back with --mapping.
# 'is': <sensor>_acc_x, <sensor>_gyro_x (and y, z), emg_<muscle> (raw), envelope_<muscle>, or none = not used.
# 'unit': what the channel is in; left out = what the files state. g, m/s², deg/s, rad/s, V, mV, µV, count.
#   'rad/s instead of deg/s' where the files state a wrong one.
"""


def write_mapping(path: Path, mapping: ChannelMapping) -> None:
    """Write a mapping, one line a channel."""
    lines = [
        "- "
        + yaml.safe_dump(_entry(assignment), default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
        for assignment in mapping.assignments
    ]
    write_atomically(path, (HEAD + "channels:\n" + "".join(lines)).encode())


def _entry(assignment: Assignment) -> dict[str, str]:
    entry = {"channel": assignment.channel, "is": assignment.column}
    return entry | ({"unit": assignment.unit} if assignment.unit else {})


def read_mapping(path: Path) -> ChannelMapping:
    """Read a mapping; raises InputError that names the file and the entry at fault."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"mapping {path} is larger than {MAX_FILE_BYTES >> 20} MiB; give the file of the import")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"mapping {path} cannot be read ({error.strerror}); give the file of the import") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise InputError(f"mapping {path} is not valid YAML; write it anew with --dry-run") from None
    entries = content.get("channels") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"mapping {path} has no list 'channels'; write it anew with --dry-run")
    return ChannelMapping(tuple(_assignment(path, number, entry) for number, entry in enumerate(entries, start=1)))


def _assignment(path: Path, number: int, entry: Any) -> Assignment:
    where = f"mapping {path}, channel {number}"
    if not isinstance(entry, dict) or not {"channel", "is"} <= set(entry) <= {"channel", "is", "unit"}:
        raise InputError(f"{where}: give 'channel', 'is' and, if the files do not state it, 'unit'")
    column, unit = str(entry["is"] or NONE), str(entry.get("unit") or "")
    if not _is_column(column):
        raise InputError(
            f"{where}: '{column}' is not <sensor>_acc_x, <sensor>_gyro_x, emg_<muscle>, envelope_<muscle> or none; "
            "correct it"
        )
    known = all(unit_of(part) for part in unit.split(f" {INSTEAD} "))
    if unit and not known and (INSTEAD in unit or not EMG_COLUMN.match(column)):
        raise InputError(f"{where}: unit '{unit}' is not known; give g, m/s², deg/s or rad/s")
    return Assignment(str(entry["channel"]), column, unit)


def _is_column(column: str) -> bool:
    return column == NONE or bool(SENSOR_COLUMN.match(column) or (EMG_COLUMN.match(column) and "[" not in column))
