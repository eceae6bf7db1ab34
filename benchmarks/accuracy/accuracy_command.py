"""``python -m benchmarks accuracy``: run a protocol, resuming where it was stopped, and write the report."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.command_options import add_report_options, run_folder_of, shown_command
from imu_emg_estimator.cli.argument_types import EVERY_SUBJECT, durations, names, positive_integer
from imu_emg_estimator.cli.shared_options import (
    add_cluster_options,
    add_data_options,
    add_gyroscopes_option,
    add_workers_option,
    load_recordings,
    write_json,
)
from imu_emg_estimator.errors import InputError

PROTOCOLS = ("streaming", "gait-cycle", "adaptation", "ablation", "uncertainty", "ill-posedness", "calibration")
REPORT_FOLDER = Path("benchmarks/results/accuracy")
MAX_FOLDS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_data_options(parser, required=False)
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help="protocol to run (default: streaming)"
    )
    parser.add_argument("--part", metavar="NAME", help="part of the report to write (default: the protocol's)")
    parser.add_argument(
        "--models", type=names, metavar="A,B", help="models or ablations to run (default: the protocol's)"
    )
    parser.add_argument(
        "--methods", type=names, metavar="A,B", help="methods of the adaptation protocol (default: all)"
    )
    parser.add_argument(
        "--meta", type=names, metavar="A,B", help="meta-learning stages of the adaptation protocol, or 'none'"
    )
    parser.add_argument(
        "--folds",
        type=folds,
        default="5",
        help="subject-disjoint folds, or 'subjects' to leave out one at a time (default: 5)",
    )
    parser.add_argument(
        "--seeds", type=positive_integer, default=1, help="trainings of each model and fold (default: 1)"
    )
    parser.add_argument(
        "--steps", type=positive_integer, help="optimiser steps of each training (default: the recipe's)"
    )
    parser.add_argument("--tune", action="store_true", help="choose hyperparameters on other subjects first")
    add_gyroscopes_option(parser)
    parser.add_argument(
        "--calibration-seconds", type=durations, metavar="0,30,60", help="calibration durations [s of locomotion]"
    )
    add_workers_option(parser)
    add_cluster_options(parser)
    add_report_options(parser, REPORT_FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Run the protocol, unless only the report is wanted, and write the report."""
    from benchmarks.accuracy.accuracy_report import markdown, write_report

    folder = run_folder_of(arguments)
    if not arguments.report_only:
        _run_protocol(arguments, folder)
    results = write_report(folder, arguments.report_folder)
    print(markdown(results))
    print(f"wrote {arguments.report_folder}")
    write_json(arguments.json, results)
    return 0


def _run_protocol(arguments: argparse.Namespace, folder: Path) -> None:
    from benchmarks.accuracy import protocols
    from benchmarks.accuracy.protocol_run import Means, Part, run_protocol
    from benchmarks.run_folder import RunFolder
    from imu_emg_estimator.training.checkpoints import fingerprint
    from imu_emg_estimator.training.worn_alike import worn_alike
    from imu_emg_estimator.utils.progress import ProgressBar

    if arguments.data is None:
        raise InputError("no --data was given; name the folder of the data set, or --report what is done")
    recordings = worn_alike(load_recordings(arguments))
    plan = protocols.make_plan(
        arguments.protocol,
        recordings,
        folds=arguments.folds,
        models=arguments.models,
        methods=arguments.methods,
        seeds=arguments.seeds,
        steps=arguments.steps,
        seconds=arguments.calibration_seconds,
        tune=arguments.tune,
        gyroscopes=not arguments.without_gyroscopes,
        meta=[] if arguments.meta == ("none",) else arguments.meta,
    )
    command = shown_command(arguments)
    run_protocol(
        Part(arguments.part or arguments.protocol, arguments.protocol, arguments.dataset, command),
        plan,
        recordings,
        RunFolder(folder, fingerprint(recordings)),
        Means(arguments.workers, arguments.backend, arguments.cluster),
        progress=ProgressBar,
    )


def folds(text: str) -> str:
    """Read a number of folds from 2, or ``EVERY_SUBJECT``."""
    if text != EVERY_SUBJECT and not (text.isdecimal() and 2 <= int(text) <= MAX_FOLDS):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of folds from 2 on nor '{EVERY_SUBJECT}'")
    return text
