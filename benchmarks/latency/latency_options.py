"""Options of ``python -m benchmarks latency``; light, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.command_options import add_report_options
from benchmarks.latency.measurement_settings import QUICK, SECTIONS, Settings, changed
from imu_emg_estimator.cli.argument_types import names
from imu_emg_estimator.cli.shared_options import add_bundle_option, add_data_options
from imu_emg_estimator.errors import InputError

REPORT_FOLDER = Path("benchmarks/results/latency")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_bundle_option(parser)
    subjects = parser.add_argument_group("subjects to calibrate", "Without --data they are simulated.")
    add_data_options(subjects, required=False)
    parser.add_argument(
        "--only", type=names, metavar="A,B", help=f"only these sections: {', '.join(SECTIONS)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny durations: shows that everything works, no figures")
    parser.add_argument("--repeats", type=int, help=f"of every ratio (default: {Settings.repeats})")
    parser.add_argument("--rate", type=float, help=f"of the end-to-end load [Hz] (default: {Settings.rate:g})")
    parser.add_argument("--engine", help="of the node (default: the fastest installed)")
    parser.add_argument("--cores", type=int, help="cores for the processes under test; the load uses the others")
    parser.add_argument("--memory-limit", type=int, metavar="MB", help="memory for the processes under test")
    durations = {
        "age": "one session of a node",
        "loss": "the run in which no message may be lost",
        "settle": "between the first estimate and a measurement",
        "calibration": "data in a bag to calibrate with",
    }
    for name, meaning in durations.items():
        default = getattr(Settings, _duration(name))
        parser.add_argument(
            f"--{name}-seconds", type=float, metavar="S", help=f"length of {meaning} (default: {default:g})"
        )
    parser.add_argument(
        "--growth-minutes",
        type=int,
        metavar="MIN",
        help=f"data of the accelerated replay (default: {Settings.growth_minutes})",
    )
    parser.add_argument(
        "--growth-repeats", type=int, metavar="N", help=f"of that replay (default: {Settings.growth_repeats})"
    )
    add_report_options(parser, REPORT_FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from benchmarks.latency import latency_command

    return latency_command.run(arguments)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings that the options ask for."""
    values = {
        "repeats": arguments.repeats,
        "rate": arguments.rate,
        "engine": arguments.engine,
        "cores": arguments.cores,
        "memory_limit": arguments.memory_limit,
        "age_seconds": arguments.age_seconds,
        "loss_seconds": arguments.loss_seconds,
        "settle": arguments.settle_seconds,
        "calibration_seconds": arguments.calibration_seconds,
        "growth_minutes": arguments.growth_minutes,
        "growth_repeats": arguments.growth_repeats,
    }
    for name, value in values.items():
        if isinstance(value, (int, float)) and not value > 0:
            raise InputError(f"--{name.replace('_', '-')} {value} is not a positive number; give one")
    return changed(QUICK if arguments.quick else Settings(), **values)


def _duration(name: str) -> str:
    return name if name == "settle" else f"{name}_seconds"
