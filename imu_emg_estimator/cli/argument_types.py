"""Argument types of the command line: each turns one word into a value, or refuses it with argparse's own error."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

MAX_DURATION_S = 3600.0
LONGEST_FORECAST_MS, LONGEST_LOOK_AHEAD_MS = 100.0, 200.0
MAX_SEED = (1 << 32) - 1
MAX_PORT = 65535
AUTO = "auto"
EVERY_SUBJECT = "subjects"  # as many folds as there are subjects


def names(text: str) -> tuple[str, ...]:
    """Split names at commas; at least one."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise argparse.ArgumentTypeError("no name was given")
    return found


def numbers(text: str, what: str = "numbers such as 0,0,0,1") -> tuple[float, ...]:
    """Split numbers at commas."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of {what}") from None


def durations(text: str) -> list[float]:
    """Split durations [s] at commas; in ascending order, each once."""
    seconds = numbers(text, "seconds such as 0,30,60")
    if not all(0 <= value <= MAX_DURATION_S for value in seconds):
        raise argparse.ArgumentTypeError(f"'{text}' has a value outside 0 to {MAX_DURATION_S:g} s")
    return sorted(set(seconds))


def folds(text: str) -> int | str:
    """Read a number of folds, or ``EVERY_SUBJECT``."""
    return text if text == EVERY_SUBJECT else positive_integer(text)


def seed(text: str) -> int:
    """Read a whole number that NumPy and torch take as a seed."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 2^32 - 1")
    return int(text)


def integer(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0")
    return int(text)


def port(text: str) -> int:
    """Read the number of a TCP port; 0 = any."""
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 0 to {MAX_PORT}")
    return int(text)


def positive_integer(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return int(text)


def number(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return value


def number_or_auto(text: str) -> float | str:
    """Read a finite number, or ``AUTO``."""
    try:
        return text if text == AUTO else number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; give one such as 0.1, or {AUTO}") from None


def look_ahead(text: str) -> float:
    """Read a look-ahead [ms]; negative = a forecast."""
    if not -LONGEST_FORECAST_MS <= (value := number(text)) <= LONGEST_LOOK_AHEAD_MS:
        raise argparse.ArgumentTypeError(
            f"'{text}' ms is outside -{LONGEST_FORECAST_MS:g} (a forecast) to {LONGEST_LOOK_AHEAD_MS:g} ms"
        )
    return value


def nonnegative_number(text: str) -> float:
    """Read a finite number from 0."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is negative")
    return value


def positive_number(text: str) -> float:
    """Read a finite number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def markdown_file(text: str) -> Path:
    """Read the name of a Markdown file.

    Nothing else is taken: `inspect --card BUNDLE` must not replace the bundle that was meant to be inspected.
    """
    if Path(text).suffix != ".md":
        raise argparse.ArgumentTypeError(f"'{text}' is not a Markdown file; give a name that ends in .md")
    return Path(text)


def report_file(text: str) -> Path:
    """Read the name of an HTML page; an earlier report may be there, and nothing else is replaced."""
    path = Path(text)
    if path.suffix not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"'{text}' is not an HTML file; give a name that ends in .html")
    if path.is_file() and not _is_report(path):
        raise argparse.ArgumentTypeError(f"{path} exists and is not a report; give another name")
    return path


def _is_report(path: Path) -> bool:
    from imu_emg_estimator.report.html_page import GENERATOR

    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(1024)
    except OSError:
        return False
