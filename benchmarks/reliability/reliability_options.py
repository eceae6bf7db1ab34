"""``python -m benchmarks reliability``: its options."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.command_options import add_report_options
from imu_emg_estimator.cli.argument_types import names, positive_integer, positive_number, seed
from imu_emg_estimator.cli.shared_options import add_bundle_option, add_data_options, add_workers_option

REPORT_FOLDER = Path("benchmarks/results/reliability")
PARTS = ("faults", "placement", "clean", "random", "bytes", "soak", "live")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_bundle_option(parser)
    subjects = parser.add_argument_group("subjects", "Without --data they are simulated.")
    add_data_options(subjects, required=False)
    parser.add_argument(
        "--only", type=names, metavar="A,B", help=f"only these parts: {', '.join(PARTS)} (default: all but live)"
    )
    parser.add_argument("--cases", type=names, metavar="A,B", help="only faults whose names begin so (default: all)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of all random choices (default: 0)")
    parser.add_argument(
        "--repeats",
        type=positive_integer,
        default=1,
        metavar="N",
        help="trials of a fault on a subject; four of a placement error (default: 1)",
    )
    parser.add_argument(
        "--clean-minutes", type=positive_number, default=10.0, metavar="N",
        help="of each subject without a fault (default: 10; 1000 = all)",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=positive_integer, default=20, metavar="N", help="of random faults (default: 20)"
    )
    parser.add_argument(
        "--soak-hours", type=positive_number, default=0.1, metavar="H", help="of accelerated soak (default: 0.1)"
    )
    parser.add_argument(
        "--buffers", type=positive_integer, default=100_000, metavar="N",
        help="random and mutated messages to decode (default: 100000)",
    )  # fmt: skip
    parser.add_argument(
        "--before", type=Path, metavar="FILE", help="results.json of earlier code, for a column beside the figures"
    )
    add_workers_option(parser)
    add_report_options(parser, REPORT_FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from benchmarks.reliability import reliability_command

    return reliability_command.run(arguments)
