"""Shared options of the benchmarks' commands."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from imu_emg_estimator.cli.shared_options import add_json_option

RUN_FOLDER_OPTIONS = ("run_folder", "report_folder")


def add_report_options(parser: argparse.ArgumentParser, report_folder: Path) -> None:
    """Declare the options for the folders of the run and its report."""
    parser.add_argument(
        "--run", type=Path, dest="run_folder", metavar="DIR", help="folder for all jobs (default: OUT/run)"
    )
    parser.add_argument(
        "--out", type=Path, dest="report_folder", default=report_folder, metavar="DIR",
        help=f"folder for the report (default: {report_folder})",
    )  # fmt: skip
    parser.add_argument(
        "--report", action="store_true", dest="report_only", help="run nothing; write the report from finished jobs"
    )
    add_json_option(parser)


def run_folder_of(arguments: argparse.Namespace) -> Path:
    """Return the folder of the run's jobs."""
    folder: Path = arguments.run_folder or arguments.report_folder / "run"
    return folder


def shown_command(arguments: argparse.Namespace) -> str:
    """Return the command as given, without paths of this machine."""
    return " ".join("PATH" if os.sep in word and not word.startswith("-") else word for word in arguments.command_line)
