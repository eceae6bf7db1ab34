"""``imu-emg bag``: write recordings of a data set as rosbag2."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.verdict_table import verdict_table
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.recording import Recording


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "bag", run, "write recordings of a data set as rosbag2 with Imu and Emg topics"
    )
    options.add_data_options(parser)
    parser.add_argument(
        "--recording", metavar="NAME", help="name of the recording (default: the one with most locomotion)"
    )
    parser.add_argument("--list", action="store_true", help="list the recordings instead of writing one")
    options.add_storage_option(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to create")
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write one recording as a bag, or list the recordings."""
    from imu_emg_estimator.bags import write_bag
    from imu_emg_estimator.signals.signal_quality import sensor_verdicts

    if not arguments.list and arguments.out is None:
        raise InputError("no --out was given; name the folder to create, or use --list")
    recordings = options.load_recordings(arguments)
    if arguments.list:
        found = [_describe(recording) for recording in recordings]
        for entry in found:
            print(f"{entry['name']}  {entry['duration_s']:7.1f} s, {entry['locomotion']:4.0%} locomotion")
        options.write_json(arguments.json, {"recordings": found})
        return 0
    recording = _choose(arguments, recordings)
    write_bag(recording, arguments.out, arguments.storage, ProgressBar("writing", patience=options.QUIET_S))
    print(f"wrote {arguments.out}: {recording.name}, {recording.duration:.1f} s, {arguments.storage}")
    verdicts = sensor_verdicts(recording)
    print(verdict_table(verdicts, "sensors"))
    about = {"bag": str(arguments.out), "storage": arguments.storage, "verdicts": verdicts}
    options.write_json(arguments.json, _describe(recording) | about)
    return 0


def _describe(recording: Recording) -> dict[str, Any]:
    return {
        "name": recording.name,
        "subject": recording.subject,
        "duration_s": recording.duration,
        "locomotion": recording.is_movement().mean(),  # share of the samples
    }


def _choose(arguments: argparse.Namespace, recordings: Sequence[Recording]) -> Recording:
    if arguments.recording is None:
        return max(recordings, key=lambda recording: recording.is_movement().sum())
    wanted = arguments.recording
    exact = [recording for recording in recordings if recording.name == wanted]
    found = exact or [recording for recording in recordings if recording.name.rsplit("/", 1)[-1] == wanted]
    if len(found) > 1:
        names = ", ".join(recording.name for recording in found)
        raise InputError(f"{arguments.data} has several recordings '{wanted}' ({names}); give the whole name")
    if found:
        return found[0]
    raise InputError(f"{arguments.data} has no recording '{wanted}'; see imu-emg bag --list")
