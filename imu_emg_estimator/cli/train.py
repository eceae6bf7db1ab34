"""``imu-emg train``: from a folder of recordings to a bundle with intervals, scores and a model card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator import __version__
from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.report_pages import add_report_option, write_report
from imu_emg_estimator.datasets.catalogue import DEFAULT_DATASET
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.training.checkpoints import CheckpointFolder
    from imu_emg_estimator.training.fit_conformal_uncertainty import Networks
    from imu_emg_estimator.training.pretraining import TrainingSettings


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "train", run, "pre-train a bundle on many subjects; after a kill, the same command goes on"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER",
        help="folder of bags, tables or files to train on, in place of --data; without --dataset, files tell the kind",
    )  # fmt: skip
    options.add_data_options(parser, required=False)
    parser.set_defaults(dataset=None)
    options.add_new_bundle_option(parser)
    parser.add_argument("--name", help="name of the model (default: that of the data set)")
    parser.add_argument(
        "--leave-out", type=types.names, default=[], metavar="A,B", help="subjects to leave out of the training"
    )
    options.add_steps_option(parser)
    options.add_look_ahead_option(parser)
    parser.add_argument(
        "--seed", type=types.seed, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    options.add_gyroscopes_option(parser)
    options.add_threads_option(parser)
    parser.add_argument(
        "--interval-folds", type=types.integer, default=3, metavar="N",
        help="folds retrained to measure accuracy and standard deviation, and what is left without some sensors, on "
        "unseen subjects (default: 3; 0 = do not measure)",
    )  # fmt: skip
    parser.add_argument(
        "--scores", type=Path, metavar="FILE",
        help="JSON of `evaluate --folds` or of the accuracy benchmark, whose means the bundle is to carry in place of "
        "those of --interval-folds",
    )  # fmt: skip
    add_report_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train in this process, or with those that ``torchrun`` has started."""
    from imu_emg_estimator.training.distributed_training import process_group

    with process_group():
        return _train(arguments)


def _train(arguments: argparse.Namespace) -> int:
    """Check everything; train the network and those of the folds; measure, and save the bundle."""
    import torch

    from imu_emg_estimator.training.distributed_training import rank
    from imu_emg_estimator.training.evaluation_report import read_scores
    from imu_emg_estimator.training.fit_conformal_uncertainty import retrain_folds
    from imu_emg_estimator.training.recipe import train_bundle

    torch.set_num_threads(arguments.threads)
    settings = replace(options.training_settings(arguments), seed=arguments.seed)
    scores = read_scores(arguments.scores) if arguments.scores else {}
    _settle_data(arguments)
    recordings = turned_alike(_without(arguments, options.load_training_recordings(arguments)))
    folds, dataset = arguments.interval_folds, arguments.dataset
    check_recordings(recordings, folds)
    given = {"--interval-folds": folds, "--threads": arguments.threads}
    kept = begin_checkpoints(arguments.out.with_suffix(".training"), recordings, settings, given)
    name = arguments.name or dataset
    progress = ProgressBar("training")
    bundle = train_bundle(recordings, name, dataset, settings, progress=progress, checkpoint=kept.of("model"))
    networks: Networks = []
    if folds:
        networks = retrain_folds(
            recordings,
            folds,
            settings,
            lambda fold: ProgressBar(f"fold {fold}/{folds}"),
            lambda fold: kept.of(f"fold_{fold}"),
        )
    if rank() > 0:  # the first process measures and writes
        return 0
    bundle, figures = measured(replace(bundle, scores=scores), recordings, networks)
    write_bundle(bundle, arguments.out)
    options.write_json(arguments.json, bundle.describe())
    kept.remove()
    if arguments.report:
        from imu_emg_estimator.report.training_page import training_page

        write_report(arguments.report, training_page(bundle, _with_left_out(figures, arguments)), arguments)
    return 0


def _settle_data(arguments: argparse.Namespace) -> None:
    """Settle where the data are and of which kind; raises InputError where that is open."""
    if (arguments.folder is None) == (arguments.data is None):
        raise InputError("the data are open: name one folder, train FOLDER or train --dataset KIND --data FOLDER")
    if arguments.folder is not None:
        from imu_emg_estimator.datasets.dataset_kind import kind_of

        arguments.data, arguments.dataset = arguments.folder, arguments.dataset or kind_of(arguments.folder)
    arguments.dataset = arguments.dataset or DEFAULT_DATASET


def _without(arguments: argparse.Namespace, recordings: list[Recording]) -> list[Recording]:
    """Drop the subjects of ``--leave-out``; a misspelt one must not end up in the training data."""
    if unknown := sorted(set(arguments.leave_out) - {recording.subject for recording in recordings}):
        raise InputError(f"{arguments.data} has no subject {unknown[0]} to leave out; correct --leave-out")
    return [recording for recording in recordings if recording.subject not in arguments.leave_out]


def turned_alike(recordings: list[Recording]) -> list[Recording]:
    """Turn back sensors that are worn the other way round, and say of how many recordings."""
    from imu_emg_estimator.training.worn_alike import worn_alike

    alike = worn_alike(recordings)
    if turned := sum(own is not given for own, given in zip(alike, recordings, strict=True)):
        print(f"a sensor worn the other way round is turned back in {turned} recordings", file=sys.stderr)
    return alike


def check_recordings(recordings: Sequence[Recording], folds: int) -> None:
    """Say before the training what is odd about the data; raise InputError for what would fail after it."""
    from imu_emg_estimator.datasets.odd_mounting import odd_mountings_of
    from imu_emg_estimator.training.data_splits import folds_of
    from imu_emg_estimator.training.fit_conformal_uncertainty import check_folds, trusted_groups
    from imu_emg_estimator.training.subject_checks import check_muscles, unknown_labels

    if folds:
        check_folds(recordings, folds)
        check_muscles(recordings, folds_of(list(trusted_groups(recordings)), folds))
    for sentence in (*odd_mountings_of(recordings), unknown_labels(recordings)):
        if sentence:
            print(f"look: {sentence}", file=sys.stderr)


def begin_checkpoints(
    path: Path, recordings: Sequence[Recording], settings: TrainingSettings, given: Mapping[str, Any]
) -> CheckpointFolder:
    """Begin the checkpoints beside a bundle, or go on from them; say which, and on what is trained.

    Args:
        given: what else the weights depend on, by the words that an error names it with.
    """
    from imu_emg_estimator.training.checkpoints import CheckpointFolder, fingerprint
    from imu_emg_estimator.training.distributed_training import processes
    from imu_emg_estimator.training.pretraining import training_device

    goes_on = path.is_dir()
    conditions = {
        "version": __version__,
        "data": fingerprint(recordings),
        **given,
        "processes": processes(),
        **{f"--{name}" if name in ("steps", "seed") else name: value for name, value in settings.to_dict().items()},
    }
    kept = CheckpointFolder.begin(path, conditions)
    how = "going on from" if goes_on else "checkpoints in"
    print(f"training on {processes()} x {training_device()}, {how} {path}", file=sys.stderr)
    return kept


def measured(
    bundle: Bundle, recordings: Sequence[Recording], networks: Networks
) -> tuple[Bundle, dict[str, Any] | None]:
    """Add intervals, what is left without some sensors and, unless the bundle has them, scores.

    Returns:
        The bundle, and all figures behind its scores; None where they were not measured.
    """
    from imu_emg_estimator.model.told_by_motion import MUSCLE_R
    from imu_emg_estimator.training.envelope_pictures import example_of_median_subject
    from imu_emg_estimator.training.evaluation import evaluate_networks, figures_of
    from imu_emg_estimator.training.evaluation_report import SCORES
    from imu_emg_estimator.training.fit_conformal_uncertainty import with_uncertainty
    from imu_emg_estimator.training.measure_subsets import with_subsets

    if not networks:
        return bundle, None
    bundle = with_uncertainty(bundle, recordings, networks)
    measured_on = f"{len(networks)} networks of the same recipe that had not seen them"
    bundle = with_subsets(bundle, recordings, networks, measured_on, ProgressBar("missing sensors"))
    if bundle.scores:
        return bundle, None
    scores, bundles = evaluate_networks(bundle, recordings, networks, ProgressBar("scores"))
    how = "retrained and distilled" if "distilled_from" in bundle.training else "retrained"
    protocol = f"{len(networks)} leave-subjects-out folds of {bundle.training['dataset']}, recipe {how} for each"
    seconds = max((float(amount) for own in scores.values() for amount in own), default=0.0)
    figures = figures_of(protocol, bundle, recordings, scores, seconds)
    bundle = replace(bundle, scores={key: figures[key] for key in (*SCORES, MUSCLE_R)})
    return bundle, figures | {"example": example_of_median_subject(bundles, recordings, scores)}


def _with_left_out(figures: dict[str, Any] | None, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Name those whom --leave-out has kept out of the training, too."""
    from imu_emg_estimator.utils.json_values import json_compatible

    if figures is None:
        return None
    kept_out = dict.fromkeys(arguments.leave_out, "neither trained on nor scored, by --leave-out")
    decoded: dict[str, Any] = json_compatible(figures | {"left_out": kept_out | figures["left_out"]})
    return decoded


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Write the bundle and its model card; print the scores."""
    from imu_emg_estimator.model.told_by_motion import little_told
    from imu_emg_estimator.training.evaluation_report import scores_table
    from imu_emg_estimator.training.model_card import model_card

    card = path.with_suffix(".md")
    bundle.save(path)
    write_atomically(card, model_card(bundle).encode())
    if bundle.scores:
        print(scores_table(bundle.scores))
    if sentence := little_told(bundle.scores):
        print(f"look: {sentence}")
    count = len(bundle.training["subjects"])
    print(f"wrote {path}: {bundle.model_id}, trained on {count} subjects, and its model card {card}")
