"""Reports as HTML pages: the option ``--report``, the file, and the pages of files, each with its figures for JSON."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import shipped_bundle

if TYPE_CHECKING:
    from imu_emg_estimator.report.html_page import Page


def add_report_option(parser: argparse.ArgumentParser) -> None:
    """Declare the page that takes what was done and found."""
    parser.add_argument(
        "--report", type=types.report_file, metavar="FILE.html", help="also write an HTML page to hand over"
    )


def write_report(path: Path, page: Page, arguments: argparse.Namespace) -> None:
    """Write a page with the command as it was typed, and say so."""
    from imu_emg_estimator.utils.atomic_files import write_atomically

    command = shlex.join(["imu-emg", *getattr(arguments, "words", ())])
    write_atomically(path, page.html(command).encode())
    print(f"wrote {path}")


def calibration_report(path: Path, directory: Path | None = None) -> tuple[Page, dict[str, Any]]:
    """Make the report of a calibrated bundle; raises InputError where it is another.

    Args:
        directory: where calibrations are stored; None = where the node looks.
    """
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.report.calibration_page import calibration_page, report_of_bundle

    bundle = Bundle.load(path)
    if bundle.calibration is None:
        raise InputError(f"bundle {path} is no subject's calibration; describe it with `imu-emg inspect`")
    report = report_of_bundle(bundle)
    return calibration_page(report, bundle.calibration.subject, bundle.parent_id, directory), report.to_dict()


def evaluation_report(path: Path) -> tuple[Page, dict[str, Any]]:
    """Make the report of the JSON of an evaluation; raises InputError where it is something else."""
    from imu_emg_estimator.report.evaluation_page import evaluation_page
    from imu_emg_estimator.training.evaluation_report import read_evaluation

    figures = read_evaluation(path)
    return evaluation_page(figures), dict(figures)


def bag_report(
    path: Path,
    bundle: Path | None = None,
    imu_topics: Sequence[str] | None = None,
    emg_topic: str | None = None,
) -> tuple[Page, dict[str, Any]]:
    """Make the report of a bag; raises BagUnreadable where it is none.

    Args:
        bundle: that estimates; None = the shipped one.
        imu_topics: in the order of the rig; None = found.
        emg_topic: None = found.
    """
    from imu_emg_estimator.calibration.request import CalibrationRequest
    from imu_emg_estimator.cli.file_descriptions import description_of
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.report.bag_findings import findings_of_bag
    from imu_emg_estimator.report.bag_page import bag_page
    from imu_emg_estimator.utils.json_values import json_compatible

    contents = description_of(path)
    assert contents is not None  # it is a bag by its name
    request = CalibrationRequest(
        bundle=bundle or shipped_bundle(),
        bags=(path,),
        subject="",
        imu_topics=tuple(imu_topics) if imu_topics else None,
        emg_topic=emg_topic,
    )
    found = findings_of_bag(Bundle.load(request.bundle), request)
    return bag_page(found, contents), contents | {"findings": json_compatible(found)}
