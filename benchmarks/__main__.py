"""``python -m benchmarks``: measure accuracy, latency, reliability, and the equality of the engines.

Heavy libraries are imported by the command that needs them, so that ``--help`` answers at once.
Exit status 2 and one line on standard error mean bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.accuracy import accuracy_command, sensor_rates, simulation_realism, training_amount
from benchmarks.command_options import RUN_FOLDER_OPTIONS
from benchmarks.latency import engine_equality, latency_options
from benchmarks.reliability import assistance_limits, reliability_options
from imu_emg_estimator.cli.shared_options import run_command

PROGRAM = "python -m benchmarks"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(argv)
    arguments.command_line = [PROGRAM, *argv]
    return run_command(f"benchmarks {arguments.benchmark}", arguments, RUN_FOLDER_OPTIONS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Measure accuracy, latency and reliability; run from a checkout."
    )
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, module, purpose in (
        ("accuracy", accuracy_command, "compare models on subjects that they were not trained on; resumable"),
        ("rates", sensor_rates, "compare the estimates of sensors at lower rates with those of all samples"),
        ("simulation", simulation_realism, "compare simulated subjects with the real ones that they are drawn from"),
        ("amount", training_amount, "compare pre-trainings on few and many people, minutes and movements; resumable"),
        ("latency", latency_options, "time the live node beside a baseline node; resumable"),
        (
            "reliability",
            reliability_options,
            "put faults into the input of the live path, and see what it says; resumable",
        ),
        (
            "assistance",
            assistance_limits,
            "put random messages, faults and clock jumps into the assistance, and see whether it leaves its limits",
        ),
        ("engines", engine_equality, "compare the streaming engines with the network's forward pass"),
    ):
        own = benchmarks.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        module.add_arguments(own)
        own.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
