"""``imu-emg import``: files of the forms that labs have into tables that all other commands read."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.report_pages import add_report_option, write_report
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.imports.channel_mapping import ChannelMapping
    from imu_emg_estimator.imports.import_files import ReadTake
    from imu_emg_estimator.imports.takes import TakeFiles
    from imu_emg_estimator.rig import Rig


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "import", run, "turn files of amplifiers and sensors into tables in SI units"
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="PATH", help="exported files, or folders of them")
    parser.add_argument("--out", type=Path, dest="out_folder", metavar="DIR", help="folder for SUBJECT/NAME tables")
    parser.add_argument("--rig", type=Path, metavar="FILE", help="rig YAML whose names to use (default: the files')")
    parser.add_argument(
        "--mapping",
        type=Path,
        metavar="FILE",
        help="which channel is what, as an earlier import wrote it to mapping.yaml",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what was found, and write no more than the mapping"
    )
    parser.add_argument("--subject", default="", metavar="NAME", help="subject of all files (default: their folder)")
    parser.add_argument(
        "--names", default="", metavar="PATTERN",
        help="what the names of files tell, as '{subject}_{load}_{set}' or '{subject}/{condition}/*'",
    )  # fmt: skip
    parser.add_argument("--condition", default="", metavar="NAME", help="what the subjects do in all files")
    parser.add_argument("--together", action="store_true", help="all files are one take")
    parser.add_argument(
        "--join", choices=("auto", "clock", "event", "correlation", "start"), default="auto",
        help="how files of one take are brought together (default: by clock, else by a trigger, else by correlation)",
    )  # fmt: skip
    parser.add_argument("--skip-bad", action="store_true", help="leave out files that cannot be read")
    parser.add_argument(
        "--format",
        choices=("parquet", "csv", "bag"),
        help="tables, or bags on the grid of --rig (default: parquet if pyarrow is installed, else csv)",
    )
    add_report_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read, map, convert and write."""
    from imu_emg_estimator.imports.mapping_file import read_mapping

    if arguments.out_folder is None:
        raise InputError("no --out was given; name a folder for the tables, or with --dry-run for the mapping")
    from imu_emg_estimator.rig import Rig

    if arguments.format == "bag" and arguments.rig is None:
        raise InputError("--format bag needs --rig FILE, whose grid, sensors and muscles the bags will have")
    rig = Rig.from_yaml(arguments.rig) if arguments.rig else None
    given = read_mapping(arguments.mapping) if arguments.mapping else None
    with tempfile.TemporaryDirectory(prefix="imu-emg-") as folder:
        return _import(arguments, rig, given, Path(folder))


def _import(arguments: argparse.Namespace, rig: Rig | None, given: ChannelMapping | None, folder: Path) -> int:
    """Import with a folder for the arrays, as a data set may be larger than the memory."""
    from imu_emg_estimator.imports.import_files import settle_mapping

    takes, left_out = _read(arguments, folder)
    where = f"mapping {arguments.mapping}" if given else "the proposal"
    try:
        mapping = settle_mapping(takes, rig, given, where)
    except InputError as error:
        raise _with_mapping_file(arguments, takes, rig, error) from None
    path = _keep_mapping(arguments, mapping)
    print(f"wrote {path}: edit it and give it back with --mapping to change this")
    written = [] if arguments.dry_run else _write(arguments, takes, mapping, rig)
    figures = _figures(takes, mapping, written) | {"left_out": left_out}
    options.write_json(arguments.json, figures)
    if arguments.report:
        from imu_emg_estimator.report.import_page import import_page

        write_report(arguments.report, import_page(figures), arguments)
    return 0


def _write(
    arguments: argparse.Namespace, takes: Sequence[ReadTake], mapping: ChannelMapping, rig: Rig | None
) -> list[Path]:
    """Write tables or bags, and say how many of whom."""
    from imu_emg_estimator.imports.bag_output import write_bags
    from imu_emg_estimator.imports.import_files import write_tables
    from imu_emg_estimator.imports.table_writer import has_pyarrow

    table_format = arguments.format or ("parquet" if has_pyarrow() else "csv")
    if table_format == "bag":
        assert rig is not None
        written = write_bags(takes, mapping, arguments.out_folder, rig)
    else:
        written = write_tables(takes, mapping, arguments.out_folder, table_format)
    subjects = sorted({take.files.subject for take in takes})
    what = "bag" if table_format == "bag" else "table"
    print(f"wrote {len(written)} {what}{'s' * (len(written) > 1)} of {', '.join(subjects)} to {arguments.out_folder}")
    return written


def _read(arguments: argparse.Namespace, folder: Path) -> tuple[list[ReadTake], dict[str, str]]:
    """Read all takes and show a line each; return them, and by file why others were left out.

    Raises:
        InputError: one cannot be read, and such are not to be skipped.
    """
    from imu_emg_estimator.imports.import_files import read_takes
    from imu_emg_estimator.imports.takes import find_takes

    found, unfit = find_takes(
        arguments.files, arguments.subject, arguments.names, arguments.condition, arguments.together
    )
    read, refused = read_takes(found, folder, arguments.join, ProgressBar("reading", patience=options.QUIET_S))
    for file in unfit:
        print(f"left out: {file}, whose name does not fit --names")
    for take in read:
        print(_line(take))
    _refuse(arguments, found, read, refused)
    names = {str(file): "its name does not fit --names" for file in unfit}
    return read, names | refused


def _line(item: ReadTake) -> str:
    from imu_emg_estimator.imports.table_writer import channel_line

    files, take = item.files, item.take
    condition = f" {files.condition}" if files.condition else ""
    notes = "".join(f"; {note}" for note in take.notes)
    about = f"{take.form}, {item.duration:.1f} s{condition}"
    return f"{files.subject}/{files.name}: {about}: {channel_line(take.channels)}{notes}"


def _refuse(
    arguments: argparse.Namespace, found: Sequence[TakeFiles], read: Sequence[ReadTake], refused: Mapping[str, str]
) -> None:
    if not refused:
        return
    first, *_ = reasons = list(refused.values())
    if len(found) == 1:
        raise InputError(first)
    print("\n".join(f"left out: {reason}" for reason in reasons))
    if not read or not arguments.skip_bad:
        raise InputError(
            f"{len(refused)} of {len(found)} takes cannot be read, first: {first}; or leave them out with --skip-bad"
        )


def _with_mapping_file(
    arguments: argparse.Namespace, takes: Sequence[ReadTake], rig: Rig | None, error: InputError
) -> InputError:
    """Write the proposal as far as it goes, so that the user can complete it, and add where it is to the sentence."""
    if arguments.mapping:
        return error
    from imu_emg_estimator.imports.channel_mapping import propose_mapping

    path = _keep_mapping(arguments, propose_mapping([item.take for item in takes], rig))
    return InputError(f"{error} (the proposal is in {path}: complete it and give it back with --mapping)")


def _keep_mapping(arguments: argparse.Namespace, mapping: ChannelMapping) -> Path:
    """Show a mapping and write it to the folder of the tables; returns the file."""
    from imu_emg_estimator.imports.mapping_file import MAPPING_FILE, write_mapping

    width = max(len(assignment.channel) for assignment in mapping.assignments)
    for assignment in mapping.assignments:
        unit = f" [{assignment.unit}]" if assignment.unit and assignment.is_used else ""
        print(f"  {assignment.channel:{width}}  ->  {assignment.column}{unit}")
    for note in mapping.notes:
        print(f"note: {note}")
    arguments.out_folder.mkdir(parents=True, exist_ok=True)
    write_mapping(arguments.out_folder / MAPPING_FILE, mapping)
    return Path(arguments.out_folder / MAPPING_FILE)


def _figures(takes: Sequence[ReadTake], mapping: ChannelMapping, written: Sequence[Path]) -> dict[str, Any]:
    return {
        "takes": [
            {
                "subject": item.files.subject,
                "name": item.files.name,
                "condition": item.files.condition,
                "files": [str(path) for path in item.files.files],
                "form": item.take.form,
                "duration_s": item.duration,
                "notes": list(item.take.notes),
            }
            for item in takes
        ],
        "mapping": {assignment.channel: assignment.column for assignment in mapping.assignments},
        "units": {assignment.channel: assignment.unit for assignment in mapping.assignments},
        "sensors": list(mapping.sensors),
        "muscles": list(mapping.muscles),
        "notes": list(mapping.notes),
        "tables": [str(path) for path in written],
    }
