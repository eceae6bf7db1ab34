"""``--report FILE.html``, which commands take that do long work, and the file that it names."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.cli import argument_types as types

if TYPE_CHECKING:
    from imu_emg_estimator.report.html_page import Page


def add_report_option(parser: argparse.ArgumentParser) -> None:
    """Declare the page that takes what was done and found."""
    parser.add_argument(
        "--report", type=types.report_file, metavar="FILE.html", help="also write an HTML page to hand over"
    )


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command as it was typed."""
    return shlex.join(["imu-emg", *getattr(arguments, "words", ())])


def write_report(path: Path, page: Page) -> None:
    """Write a page, and say so."""
    from imu_emg_estimator.utils.atomic_files import write_atomically

    write_atomically(path, page.html().encode())
    print(f"wrote {path}")
