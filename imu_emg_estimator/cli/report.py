"""``imu-emg report``: a calibration, a bag or an evaluation as one HTML page that can be handed over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli.file_descriptions import is_bag
from imu_emg_estimator.cli.report_pages import bag_report, calibration_report, evaluation_report, write_report
from imu_emg_estimator.cli.shared_options import add_bundle_option, add_command, add_json_option, write_json
from imu_emg_estimator.cli.stored_calibrations import add_directory_option, add_subject_option
from imu_emg_estimator.errors import InputError

if TYPE_CHECKING:
    from imu_emg_estimator.report.html_page import Page


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "report", run, "write a calibration, a bag or an evaluation as an HTML page")
    parser.add_argument(
        "thing", metavar="THING",
        help="id of a stored calibration, calibrated bundle, rosbag2 folder, .mcap, .db3, or the JSON of `evaluate`",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=types.report_file, metavar="FILE.html", help="page to write (default: THING.html in this folder)"
    )
    add_bundle_option(parser, "of a bag: bundle that estimates")
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="of a bag: Imu topics, as in the rig")
    parser.add_argument("--emg-topic", metavar="TOPIC", help="of a bag: EMG topic (default: found)")
    add_subject_option(parser, "subject, where several have a calibration of this id")
    add_directory_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Find out what the thing is, and write its report."""
    out = arguments.out or _default(Path(arguments.thing).resolve().name)
    page, figures = _page_of(arguments)
    write_report(out, page, arguments)
    write_json(arguments.json, figures | {"report": str(out)})
    return 0


def _default(name: str) -> Path:
    try:
        return types.report_file(f"{name.removesuffix('.safetensors').removesuffix('.json')}.html")
    except argparse.ArgumentTypeError as error:
        raise InputError(str(error)) from None


def _page_of(arguments: argparse.Namespace) -> tuple[Page, dict[str, Any]]:
    path = Path(arguments.thing)
    if is_bag(path):
        return bag_report(path, arguments.bundle, arguments.imu_topics, arguments.emg_topic)
    if path.suffix == ".json":
        return evaluation_report(path)
    return calibration_report(_bundle_file(arguments), arguments.directory)


def _bundle_file(arguments: argparse.Namespace) -> Path:
    from imu_emg_estimator.calibration.calibration_store import find_calibration
    from imu_emg_estimator.calibration.subject_folder import CALIBRATION_ID

    path = Path(arguments.thing)
    if path.suffix == ".safetensors" or path.is_file():
        return path
    if not CALIBRATION_ID.fullmatch(arguments.thing):
        raise InputError(f"there is no file {path}, and that is no id of a calibration; give one of them")
    return find_calibration(arguments.directory, arguments.thing, arguments.subject)[1]
