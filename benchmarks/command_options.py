"""Argument types and options that the benchmarks' commands share."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from imu_emg_estimator.datasets.catalogue import DATASETS, WITHOUT_RIG
from imu_emg_estimator.errors import InputError


def add_data_options(parser: argparse.ArgumentParser, data_help: str) -> None:
    """Declare which data set is used, and which of its subjects."""
    parser.add_argument("--dataset", choices=DATASETS, default="hugadb", help="form of the data (default: hugadb)")
    parser.add_argument("--data", type=Path, help=data_help)
    parser.add_argument("--rig", type=Path, metavar="FILE", help=f"rig YAML, for {' and '.join(WITHOUT_RIG)}")
    parser.add_argument("--subjects", type=names, metavar="A,B", help="only these subjects")


def add_report_options(parser: argparse.ArgumentParser, report_folder: Path) -> None:
    """Declare where the run and its report are kept."""
    parser.add_argument("--run", type=Path, dest="run_folder", metavar="DIR", help="holds all jobs (default: OUT/run)")
    parser.add_argument(
        "--out", type=Path, dest="report_folder", default=report_folder, metavar="DIR", help="of the report"
    )
    parser.add_argument("--report", action="store_true", help="run nothing: write the report of what is done")
    add_json_option(parser)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare a second place for the figures."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON here, too")


def check_output_file(path: Path | None) -> None:
    """Refuse a file that cannot be written before hours of work, not after; raises InputError."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder that exists already; give another name")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{path} cannot be written: {folder} is no folder to write in; give another place")


def names(text: str) -> list[str]:
    """Names separated by commas, at least one."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("no name was given")
    return found


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(text)


def durations(text: str) -> list[float]:
    """Seconds separated by commas, in ascending order, each once."""
    try:
        seconds = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of seconds such as 0,30,60") from None
    if not all(0 <= value <= 3600 for value in seconds):
        raise argparse.ArgumentTypeError(f"'{text}' has an amount outside 0 to 3600 s")
    return sorted(set(seconds))


def folds(text: str) -> str:
    """A number of folds from 2 on, or ``subjects``."""
    if text != "subjects" and not (text.isdecimal() and 2 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of folds from 2 on nor 'subjects'")
    return text


def positive_number(text: str) -> float:
    """A finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value
