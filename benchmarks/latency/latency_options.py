"""Options of ``python -m benchmarks latency``, without heavy imports, so that ``--help`` is fast."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from benchmarks.command_options import add_report_options
from benchmarks.latency.measurement_settings import QUICK, SECTIONS, Settings, changed
from imu_emg_estimator.cli.argument_types import names
from imu_emg_estimator.cli.shared_options import add_bundle_option, add_data_options
from imu_emg_estimator.errors import InputError

REPORT_FOLDER = Path("benchmarks/results/latency")


class NumberOption(NamedTuple):
    """Declare an option for a positive number in ``Settings``."""

    flag: str
    field: str
    metavar: str
    purpose: str
    absent: str = "all"  # shown where the default is None


NUMBERS = (
    NumberOption("--repeats", "repeats", "N", "measurements that a ratio is made of"),
    NumberOption("--rate", "rate", "HZ", "rate of the end-to-end load [Hz]"),
    NumberOption("--cores", "cores", "N", "cores for the processes under test; the load uses the others"),
    NumberOption("--memory-limit", "memory_limit", "MB", "memory for the processes under test [MB]"),
    NumberOption("--age-seconds", "age_seconds", "S", "duration of one session of a node [s]"),
    NumberOption("--loss-seconds", "loss_seconds", "S", "duration of the run in which no message may be lost [s]"),
    NumberOption("--settle-seconds", "settle", "S", "pause between the first estimate and a measurement [s]"),
    NumberOption("--calibration-seconds", "calibration_seconds", "S", "data in a bag to calibrate with [s]"),
    NumberOption("--burners", "burners", "N", "processes that keep processors busy during calibrations", "none"),
    NumberOption("--growth-minutes", "growth_minutes", "MIN", "data of the accelerated replay [min]"),
    NumberOption("--growth-repeats", "growth_repeats", "N", "runs of the accelerated replay"),
)
FRACTIONAL = ("HZ", "S")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_bundle_option(parser)
    subjects = parser.add_argument_group("subjects to calibrate", "Without --data they are simulated.")
    add_data_options(subjects, required=False)
    parser.add_argument(
        "--only", type=names, metavar="A,B", help=f"only these sections: {', '.join(SECTIONS)} (default: all)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny durations: shows that everything works; figures mean nothing"
    )
    parser.add_argument("--engine", metavar="NAME", help="engine of the node (default: the fastest installed)")
    for option in NUMBERS:
        kind = float if option.metavar in FRACTIONAL else int
        default = getattr(Settings, option.field)
        text = option.absent if default is None else f"{default:g}"
        parser.add_argument(
            option.flag, type=kind, dest=option.field, metavar=option.metavar,
            help=f"{option.purpose} (default: {text})",
        )  # fmt: skip
    add_report_options(parser, REPORT_FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from benchmarks.latency import latency_command

    return latency_command.run(arguments)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings of the options; raise InputError for a number that is not positive."""
    values = {option.field: getattr(arguments, option.field) for option in NUMBERS}
    for option in NUMBERS:
        value = values[option.field]
        if value is not None and not value > 0:
            raise InputError(f"{option.flag} {value} is not a positive number; give one")
    return changed(QUICK if arguments.quick else Settings(), engine=arguments.engine, **values)
