"""``python -m benchmarks accuracy``: run a protocol, resuming where it was stopped, and write the report."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.command_options import add_data_options, add_report_options, durations, folds, names, positive
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording

PROTOCOLS = ("streaming", "gait-cycle", "adaptation", "ablation", "uncertainty", "ill-posedness", "calibration")
REPORT_FOLDER = Path("benchmarks/results/accuracy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_data_options(parser, "folder that holds the data set")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help="what is run (default: streaming)")
    parser.add_argument("--models", type=names, metavar="A,B", help="models or ablations (default: the protocol's)")
    parser.add_argument("--methods", type=names, metavar="A,B", help="of the adaptation protocol (default: all)")
    parser.add_argument(
        "--meta", type=names, metavar="A,B", help="meta-learning stages of the adaptation protocol, or 'none'"
    )
    parser.add_argument(
        "--folds", type=folds, default="5", help="subject-disjoint folds, or 'subjects' to leave out one at a time"
    )
    parser.add_argument("--seeds", type=positive, default=1, help="trainings of every model and fold (default: 1)")
    parser.add_argument("--steps", type=positive, help="optimiser steps of every training (default: the recipe's)")
    parser.add_argument("--tune", action="store_true", help="choose hyperparameters on other subjects first")
    parser.add_argument(
        "--without-gyroscopes", action="store_true", help="train on accelerometers alone, as is best on HuGaDB"
    )
    parser.add_argument(
        "--calibration-seconds", type=durations, metavar="0,30,60", help="amounts of calibration [s of locomotion]"
    )
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="jobs side by side")
    parser.add_argument("--backend", choices=("loky", "ray", "dask"), default="loky", help="of joblib (default: loky)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Ray or Dask cluster (default: start a local one)")
    add_report_options(parser, REPORT_FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Run the protocol, unless only the report is wanted, and write the report."""
    from benchmarks.accuracy.accuracy_report import markdown, write_report
    from imu_emg_estimator.utils.atomic_files import write_atomically
    from imu_emg_estimator.utils.json_values import to_json

    folder = arguments.run_folder or arguments.report_folder / "run"
    if not arguments.report:
        _run_protocol(arguments, folder)
    results = write_report(folder, arguments.report_folder)
    print(markdown(results))
    print(f"wrote {arguments.report_folder}")
    if arguments.json:
        write_atomically(arguments.json, to_json(results))
    return 0


def _run_protocol(arguments: argparse.Namespace, folder: Path) -> None:
    from benchmarks.accuracy import protocols
    from benchmarks.accuracy.jobs import RunFolder, fingerprint
    from benchmarks.accuracy.protocol_run import Means, run_protocol
    from imu_emg_estimator.utils.progress import ProgressBar

    if arguments.data is None:
        raise InputError("no --data was given; name the folder of the data set, or --report what is done")
    recordings = load_recordings(arguments)
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
        meta=[] if arguments.meta == ["none"] else arguments.meta,
    )
    run_protocol(
        arguments.protocol,
        plan,
        recordings,
        RunFolder(folder, fingerprint(recordings)),
        arguments.dataset,
        Means(arguments.workers, arguments.backend, arguments.cluster),
        progress=ProgressBar,
    )


def load_recordings(arguments: argparse.Namespace) -> list[Recording]:
    """Read the data set that the options name."""
    from imu_emg_estimator.datasets.catalogue import load_dataset

    print(f"reading {arguments.dataset} from {arguments.data} ...", file=sys.stderr)
    workers = os.cpu_count() or 1
    return load_dataset(arguments.dataset, arguments.data, arguments.subjects or None, arguments.rig, workers)
