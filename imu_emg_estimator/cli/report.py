"""``imu-emg report``: a calibration as one HTML page that can be handed over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli.report_option import command_line, write_report
from imu_emg_estimator.cli.shared_options import add_command, add_json_option, write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import calibration_directory

if TYPE_CHECKING:
    from imu_emg_estimator.report.html_page import Page

SUFFIX = ".html"


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "report", run, "write a calibration as an HTML page to hand over")
    parser.add_argument("thing", metavar="THING", help="id of a stored calibration, or the file of a calibrated bundle")
    parser.add_argument(
        "--out", type=types.report_file, metavar="FILE.html", help="page to write (default: THING.html in this folder)"
    )
    parser.add_argument("--subject", metavar="NAME", help="subject, where several have a calibration of this id")
    directory = calibration_directory()
    parser.add_argument(
        "--directory", type=Path, default=directory, metavar="DIR", help=f"where they are stored (default: {directory})"
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Find out what the thing is, and write its report."""
    name = Path(arguments.thing).resolve().name
    out = arguments.out or _default(Path(f"{name.removesuffix('.safetensors')}{SUFFIX}"))
    page, figures = _page_of(arguments)
    write_report(out, page)
    write_json(arguments.json, figures | {"report": str(out)})
    return 0


def _default(path: Path) -> Path:
    try:
        return types.report_file(str(path))
    except argparse.ArgumentTypeError as error:
        raise InputError(str(error)) from None


def _page_of(arguments: argparse.Namespace) -> tuple[Page, dict[str, Any]]:
    return _page_of_calibration(arguments)


def _page_of_calibration(arguments: argparse.Namespace) -> tuple[Page, dict[str, Any]]:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.report.calibration_page import calibration_page, report_of_bundle

    bundle = Bundle.load(_bundle_file(arguments))
    if bundle.calibration is None:
        raise InputError(f"bundle {arguments.thing} is no subject's calibration; describe it with `imu-emg inspect`")
    report = report_of_bundle(bundle)
    page = calibration_page(report, bundle.calibration.subject, bundle.parent_id, command_line(arguments))
    return page, report.to_dict()


def _bundle_file(arguments: argparse.Namespace) -> Path:
    from imu_emg_estimator.calibration.calibration_store import find_calibration
    from imu_emg_estimator.calibration.subject_folder import CALIBRATION_ID

    path = Path(arguments.thing)
    if path.suffix == ".safetensors" or path.is_file():
        return path
    if not CALIBRATION_ID.fullmatch(arguments.thing):
        raise InputError(f"there is no file {path}, and that is no id of a calibration; give one of them")
    return find_calibration(arguments.directory, arguments.thing, arguments.subject)[1]
