"""``imu-emg compress``: a smaller bundle that learns from a larger one, judged beside it on subjects new to both."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.evaluate import check_rig
from imu_emg_estimator.cli.train import begin_checkpoints, check_recordings, measured, turned_alike, write_bundle
from imu_emg_estimator.datasets.catalogue import DATASETS, DEFAULT_DATASET
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.model.causal_network import Estimator
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.training.fit_conformal_uncertainty import Networks


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "compress", run, "distil a bundle into a smaller one; after a kill, the same command goes on"
    )
    options.add_bundle_option(parser)
    options.add_data_options(parser)
    parser.set_defaults(dataset=None)
    parser.add_argument(
        "--width", type=types.positive_integer, metavar="W",
        help="size of a token (default: the largest with which a quarter of the weights suffices)",
    )  # fmt: skip
    parser.add_argument("--layers", type=types.positive_integer, metavar="N", help="encoder layers (default: 1)")
    parser.add_argument(
        "--int8", action="store_true", help="round the weights to 8 bits: a smaller file, no faster step"
    )
    options.add_steps_option(parser, "optimiser steps of each distillation")
    options.add_threads_option(parser)
    parser.add_argument(
        "--interval-folds", type=types.integer, default=3, metavar="N",
        help="folds in which original and small network are trained anew, to compare them on unseen subjects, and for "
        "intervals and missing sensors (default: 3; 0 = do not measure)",
    )  # fmt: skip
    options.add_new_bundle_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Distil, also in folds; measure, compare and save."""
    import torch

    from imu_emg_estimator.model.offline_estimate import estimator_of
    from imu_emg_estimator.model.subject_data import trusted_subjects
    from imu_emg_estimator.training.compression import recipe_of, small_bundle, with_int8_weights
    from imu_emg_estimator.training.distillation import distil, student_config
    from imu_emg_estimator.training.fit_conformal_uncertainty import retrain_folds
    from imu_emg_estimator.training.recipe import RECIPE

    torch.set_num_threads(arguments.threads)
    bundle, folds = options.load_bundle(arguments), arguments.interval_folds
    config = student_config(bundle.config, arguments.width, arguments.layers)
    recordings = _recordings(arguments, bundle)
    check_recordings(recordings, folds)
    settings = replace(RECIPE, steps=arguments.steps or RECIPE.steps, look_ahead_s=bundle.look_ahead_s)
    given = {"--bundle": bundle.model_id, "--interval-folds": folds, "--threads": arguments.threads, **asdict(config)}
    kept = begin_checkpoints(arguments.out.with_suffix(".training"), recordings, settings, given)

    def student_of(teacher: Estimator, unseen: Sequence[str], title: str) -> Estimator:
        subjects = trusted_subjects([recording for recording in recordings if recording.subject not in unseen])
        student = distil(
            teacher, list(subjects.values()), bundle.rig, config, settings, ProgressBar(title), kept.of(title)
        )
        return with_int8_weights(student) if arguments.int8 else student

    small = small_bundle(bundle, student_of(estimator_of(bundle), (), "student"), settings)
    teachers: Networks = []
    if folds:
        recipe, shape = recipe_of(bundle)
        teachers = retrain_folds(
            recordings,
            folds,
            recipe,
            lambda fold: ProgressBar(f"fold {fold}/{folds}"),
            lambda fold: kept.of(f"teacher_{fold}"),
            shape,
        )
    students: Networks = [
        (student_of(teacher, unseen, f"student_{fold}"), unseen)
        for fold, (teacher, unseen) in enumerate(teachers, start=1)
    ]
    small, figures = measured(small, recordings, students)
    write_bundle(small, arguments.out)
    comparison = _compared(bundle, recordings, teachers, figures)
    options.write_json(arguments.json, small.describe() | {"comparison": comparison})
    kept.remove()
    return 0


def _recordings(arguments: argparse.Namespace, bundle: Bundle) -> list[Recording]:
    """Read those that the bundle was trained on; raise InputError where they are others, or its rig is another."""
    from imu_emg_estimator.training.evaluation import trained_subjects

    if bundle.parent_id:
        raise InputError(f"bundle {bundle.model_id} is one subject's; compress {bundle.parent_id}, and calibrate that")
    dataset = bundle.training.get("dataset")
    arguments.dataset = arguments.dataset or (dataset if dataset in DATASETS else DEFAULT_DATASET)
    trained = trained_subjects(bundle, arguments.dataset)
    names = arguments.subjects or trained
    if not trained or not {*names} <= {*trained}:
        seen = f"{dataset} subjects {', '.join(trained or bundle.training.get('subjects', []))}"
        raise InputError(f"bundle {bundle.model_id} was trained on {seen} alone; give those data, or train it anew")
    recordings = options.load_recordings(arguments, names)
    check_rig(bundle, recordings[0].rig)
    if not bundle.normalisation.used[:, 3:].any():
        recordings = [recording.without_gyroscopes() for recording in recordings]
    return turned_alike(recordings)


def _compared(
    bundle: Bundle, recordings: Sequence[Recording], teachers: Networks, figures: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Score the original's recipe on the same subjects, and print both beside each other."""
    from imu_emg_estimator.training.compression import comparison_of
    from imu_emg_estimator.training.evaluation import evaluate_networks, summarise

    if figures is None:
        return {}
    scores, _ = evaluate_networks(bundle, recordings, teachers, ProgressBar("original"))
    comparison = comparison_of(summarise(scores)["subjects"], figures["subjects"], figures["movement_group"])
    print("\n| calibration [s] | r original | r small | difference | subject that loses most |\n" + "| ---: " * 5 + "|")
    for seconds, row in comparison.items():
        most, loss = min(row["subjects"].items(), key=lambda item: item[1])
        values = f"{row['original']:.3f} | {row['small']:.3f} | {row['difference']:+.3f}"
        print(f"| {seconds} | {values} | {most}: {loss:+.3f} |")
    return comparison
