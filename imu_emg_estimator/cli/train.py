"""``imu-emg train``: pre-train a bundle on many subjects."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.recording import Recording


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(commands, "train", run, "pre-train a bundle on many subjects")
    options.add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="bundle to write (.safetensors)")
    parser.add_argument("--name", help="name of the model (default: that of the data set)")
    parser.add_argument(
        "--leave-out", type=types.names, default=[], metavar="A,B", help="subjects to leave out of the training"
    )
    parser.add_argument(
        "--steps", type=types.positive_integer, metavar="N", help="optimiser steps (default: the recipe's)"
    )
    parser.add_argument(
        "--seed", type=types.seed, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    options.add_gyroscopes_option(parser)
    options.add_threads_option(parser)
    parser.add_argument(
        "--interval-folds", type=types.integer, default=3, metavar="N",
        help="folds retrained to measure the standard deviation, and what is left without some sensors, on unseen "
        "subjects (default: 3; 0 = do not measure)",
    )  # fmt: skip
    parser.add_argument(
        "--scores", type=Path, metavar="FILE",
        help="JSON of `evaluate --folds` or of the accuracy benchmark; its means are stored in the bundle",
    )  # fmt: skip
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train the bundle and save it."""
    import torch

    from imu_emg_estimator.training.evaluation_report import read_scores
    from imu_emg_estimator.training.fit_conformal_uncertainty import check_folds, retrain_folds, with_uncertainty
    from imu_emg_estimator.training.measure_subsets import with_subsets
    from imu_emg_estimator.training.recipe import RECIPE, train_bundle
    from imu_emg_estimator.training.worn_otherwise import worn_otherwise

    torch.set_num_threads(arguments.threads)
    settings = replace(RECIPE, seed=arguments.seed, steps=arguments.steps or RECIPE.steps)
    folds, dataset = arguments.interval_folds, arguments.dataset
    scores = read_scores(arguments.scores) if arguments.scores else {}
    recordings = _without(arguments, options.load_training_recordings(arguments))
    if folds:
        check_folds(recordings, folds)
    for sentence in worn_otherwise(recordings):
        print(f"look: {sentence}", file=sys.stderr)
    bundle = train_bundle(recordings, arguments.name or dataset, dataset, settings, progress=ProgressBar("training"))
    if folds:
        networks = retrain_folds(recordings, folds, settings, lambda fold: ProgressBar(f"intervals {fold}/{folds}"))
        bundle = with_uncertainty(bundle, recordings, networks)
        measured_on = f"{folds} networks of the same recipe that had not seen them"
        bundle = with_subsets(bundle, recordings, networks, measured_on, ProgressBar("missing sensors"))
    bundle = replace(bundle, scores=scores)
    bundle.save(arguments.out)
    print(f"wrote {arguments.out}: {bundle.model_id}, trained on {len(bundle.training['subjects'])} subjects")
    options.write_json(arguments.json, bundle.describe())
    return 0


def _without(arguments: argparse.Namespace, recordings: list[Recording]) -> list[Recording]:
    """Drop the subjects of ``--leave-out``; a misspelt one must not end up in the training data."""
    if unknown := sorted(set(arguments.leave_out) - {recording.subject for recording in recordings}):
        raise InputError(f"{arguments.data} has no subject {unknown[0]} to leave out; correct --leave-out")
    return [recording for recording in recordings if recording.subject not in arguments.leave_out]
