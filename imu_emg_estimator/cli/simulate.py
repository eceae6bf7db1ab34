"""``imu-emg simulate``: write a bag of a simulated subject."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli.shared_options import QUIET_S, add_command, add_json_option, add_storage_option, write_json
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = add_command(commands, "simulate", run, "write a bag of a simulated subject")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to create")
    parser.add_argument(
        "--seconds", type=types.positive_number, default=120.0, metavar="S", help="duration (default: 120)"
    )
    parser.add_argument("--seed", type=types.seed, default=0, metavar="N", help="which simulated subject (default: 0)")
    add_storage_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the bag."""
    from imu_emg_estimator.bags import write_bag
    from imu_emg_estimator.datasets.simulated_subject import simulate
    from imu_emg_estimator.datasets.stride_statistics import shipped_statistics

    if arguments.out is None:
        raise InputError("no --out was given; name what to write")
    recording = simulate(shipped_statistics(), arguments.seconds, arguments.seed)
    write_bag(recording, arguments.out, arguments.storage, ProgressBar("writing", patience=QUIET_S))
    print(f"wrote {arguments.out}: SIMULATED subject {arguments.seed}, {recording.duration:.1f} s")
    figures = {"bag": str(arguments.out), "seed": arguments.seed, "duration_s": recording.duration}
    write_json(arguments.json, figures | {"storage": arguments.storage})
    return 0
