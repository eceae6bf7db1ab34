"""``imu-emg evaluate``: score subjects that the model never saw, with and without calibration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.report_pages import add_report_option, write_report
from imu_emg_estimator.cli.verdict_table import verdict_table
from imu_emg_estimator.datasets.catalogue import dataset_rig, list_subjects
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.progress import ProgressBar

if TYPE_CHECKING:
    from imu_emg_estimator.model.bundle import Bundle
    from imu_emg_estimator.recording import Recording
    from imu_emg_estimator.rig import Rig
    from imu_emg_estimator.training.evaluation import SubjectScores

    Evaluation = tuple[str, list[Bundle], list[Recording], dict[str, SubjectScores]]


def add_parser(commands: Any) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "evaluate", run, "score subjects that the model never saw, with and without calibration"
    )
    options.add_bundle_option(parser)
    options.add_data_options(parser)
    parser.add_argument(
        "--calibration-seconds", type=types.durations, default=[0.0], metavar="0,30,60",
        help="calibration durations to compare [s of the rig's movements], each adapted to as the service would, which "
        "refuses less than 14 s (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=types.folds, metavar="N",
        help="instead of a bundle, retrain the recipe without each of N groups of subjects and score that group; "
        f"'{types.EVERY_SUBJECT}' leaves out one subject at a time",
    )  # fmt: skip
    options.add_steps_option(parser, "with --folds: optimiser steps")
    options.add_look_ahead_option(parser, "with --folds: ")
    options.add_gyroscopes_option(parser)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="with --folds: keep the bundle of every fold here")
    options.add_workers_option(parser)
    options.add_cluster_options(parser)
    parser.add_argument(
        "--picture", type=Path, metavar="PNG", help="draw estimate and measured envelope of the median subject"
    )
    parser.add_argument(
        "--sensor-subsets", action="store_true",
        help="instead, measure accuracy and intervals of the bundle without each combination of sensors; with --folds "
        "on retrained networks",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="with --sensor-subsets: write the bundle with what was measured"
    )
    add_report_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score the subjects; print the means, a row per subject, and who was left out and why."""
    from imu_emg_estimator.training.envelope_pictures import example_of_median_subject
    from imu_emg_estimator.training.evaluation import figures_of

    if arguments.look_ahead is not None and (arguments.sensor_subsets or not arguments.folds):
        raise InputError(
            "a bundle has a look-ahead of its own; give --look-ahead with --folds, without --sensor-subsets"
        )
    if arguments.sensor_subsets:
        if arguments.report:
            raise InputError("--sensor-subsets has no report; remove --report")
        if any(arguments.calibration_seconds):
            raise InputError("--sensor-subsets measures the uncalibrated model; leave --calibration-seconds out")
        return _measure_subsets(arguments)
    if arguments.out:
        raise InputError("--out goes with --sensor-subsets, which measures what it writes; give both or neither")
    protocol, bundles, recordings, scores = (_evaluate_folds if arguments.folds else _evaluate_bundle)(arguments)
    summary = figures_of(protocol, bundles[0], recordings, scores, max(arguments.calibration_seconds))
    summary["verdicts"] = _verdicts(bundles, recordings, arguments.dataset)
    _print_tables(summary)
    if arguments.json or arguments.report:
        summary["example"] = example_of_median_subject(bundles, recordings, scores)
    options.write_json(arguments.json, summary)
    if arguments.report:
        from imu_emg_estimator.report.evaluation_page import evaluation_page
        from imu_emg_estimator.utils.json_values import json_compatible

        write_report(arguments.report, evaluation_page(json_compatible(summary)), arguments)
    if arguments.picture:
        _draw(arguments.picture, bundles, recordings, scores)
    return 0


def _draw(
    path: Path, bundles: Sequence[Bundle], recordings: Sequence[Recording], scores: Mapping[str, SubjectScores]
) -> None:
    """Draw the median subject; figures that took hours are printed by now, so that a fault is only told."""
    from imu_emg_estimator.training.envelope_pictures import draw_median_subject

    try:
        draw_median_subject(path, bundles, recordings, scores)
        print(f"wrote {path}")
    except InputError as error:
        print(f"no picture: {error}", file=sys.stderr)


def _measure_subsets(arguments: argparse.Namespace) -> int:
    """Measure what is left without some sensors; print the table and write the bundle if asked."""
    from imu_emg_estimator.model.offline_estimate import estimator_of, worn_as_trained
    from imu_emg_estimator.model.subject_data import by_subject
    from imu_emg_estimator.training.evaluation_report import subsets_table
    from imu_emg_estimator.training.fit_conformal_uncertainty import retrain_folds
    from imu_emg_estimator.training.measure_subsets import with_subsets
    from imu_emg_estimator.training.recipe import RECIPE

    bundle = options.load_bundle(arguments)
    if arguments.folds:
        recordings = options.load_training_recordings(arguments)
        check_rig(bundle, recordings[0].rig)
        recordings = worn_as_trained(bundle, recordings)
        folds = len(by_subject(recordings)) if arguments.folds == types.EVERY_SUBJECT else arguments.folds
        settings = replace(RECIPE, look_ahead_s=bundle.look_ahead_s)
        networks = retrain_folds(recordings, folds, settings, lambda fold: ProgressBar(f"fold {fold}/{folds}"))
        measured_on = f"{folds} networks of the same recipe that had not seen them"
    else:
        unseen = _unseen_subjects(arguments, bundle)
        recordings = worn_as_trained(bundle, options.load_recordings(arguments, unseen))
        networks, measured_on = [(estimator_of(bundle), unseen)], f"bundle {bundle.model_id} that had not seen them"
    bundle = with_subsets(bundle, recordings, networks, measured_on, ProgressBar("missing sensors"))
    assert bundle.subset_figures is not None
    print(subsets_table(bundle.rig, bundle.subset_figures))
    options.write_json(arguments.json, bundle.subset_figures.to_dict())
    if arguments.out:
        bundle.save(arguments.out)
        print(f"wrote {arguments.out}: {bundle.model_id}")
    return 0


def _evaluate_folds(arguments: argparse.Namespace) -> Evaluation:
    """Retrain the recipe for every fold, and keep the bundles if asked."""
    from imu_emg_estimator.model.subject_data import by_subject
    from imu_emg_estimator.training.evaluation import evaluate_folds
    from imu_emg_estimator.training.parallel_trainings import job_backend

    recordings = options.load_training_recordings(arguments)
    _check_recordings(arguments, recordings)
    settings = options.training_settings(arguments)
    folds = len(by_subject(recordings)) if arguments.folds == types.EVERY_SUBJECT else arguments.folds
    with job_backend(arguments.backend, arguments.workers, arguments.cluster):
        scores, bundles = evaluate_folds(
            recordings,
            folds,
            arguments.dataset,
            arguments.calibration_seconds,
            settings,
            workers=arguments.workers,
            progress=ProgressBar(f"steps of {folds} folds"),
        )
    if arguments.keep:
        for bundle in bundles:
            bundle.save(arguments.keep / f"{bundle.name}.safetensors")
    protocol = f"{folds} leave-subjects-out folds of {arguments.dataset}, recipe retrained for each"
    return protocol, bundles, recordings, scores


def _evaluate_bundle(arguments: argparse.Namespace) -> Evaluation:
    from imu_emg_estimator.training.evaluation import evaluate_bundle
    from imu_emg_estimator.training.parallel_trainings import job_backend

    bundle = options.load_bundle(arguments)
    recordings = options.load_recordings(arguments, _unseen_subjects(arguments, bundle))
    _check_recordings(arguments, recordings)
    with job_backend(arguments.backend, arguments.workers, arguments.cluster):
        scores = evaluate_bundle(
            bundle,
            recordings,
            arguments.calibration_seconds,
            workers=arguments.workers,
            progress=ProgressBar("subjects"),
        )
    return f"bundle {bundle.model_id} on unseen subjects of {arguments.dataset}", [bundle], recordings, scores


def _check_recordings(arguments: argparse.Namespace, recordings: Sequence[Recording]) -> None:
    """Say before the work whom it leaves out and who wears a sensor reversed; raise InputError if nobody is left."""
    from imu_emg_estimator.datasets.odd_mounting import odd_mountings_of
    from imu_emg_estimator.training.subject_checks import check_scorable, unknown_labels

    for subject, reason in check_scorable(recordings, max(arguments.calibration_seconds)).items():
        print(f"subject {subject} will not be scored: {reason}", file=sys.stderr)
    for sentence in odd_mountings_of(recordings):
        print(f"look: {sentence}", file=sys.stderr)
    if unknown := unknown_labels(recordings):
        print(f"only the whole recordings are scored: {unknown}", file=sys.stderr)


def _unseen_subjects(arguments: argparse.Namespace, bundle: Bundle) -> list[str]:
    """List the subjects to score; raise InputError where the bundle knows one of them, or has another rig."""
    from imu_emg_estimator.training.evaluation import check_unseen, trained_subjects

    trained = trained_subjects(bundle, arguments.dataset)
    present = list_subjects(arguments.dataset, arguments.data, arguments.rig)
    names = arguments.subjects or [name for name in present if name not in trained]
    if not names:
        raise InputError(
            f"bundle {bundle.model_id} was trained on every subject in {arguments.data}; "
            "give other data, or use --folds to retrain without some of them"
        )
    check_unseen(bundle, arguments.dataset, names)
    if not arguments.subjects and (seen := sorted(set(present) & set(trained))):
        print(f"not scored, as the bundle was trained on them: {', '.join(seen)}", file=sys.stderr)
    check_rig(bundle, dataset_rig(arguments.dataset, arguments.rig))
    return names


def check_rig(bundle: Bundle, rig: Rig) -> None:
    """Check that the data have the bundle's sensors and muscles, in their order and at their rate."""
    for what in ("sensor_names", "muscle_names", "rate"):
        ours, theirs = getattr(bundle.rig, what), getattr(rig, what)
        if ours != theirs:
            raise InputError(
                f"bundle {bundle.model_id} is for rig '{bundle.rig.name}' with {what} {ours}, "
                f"the data for rig '{rig.name}' with {theirs}; give a bundle of that rig, or --folds to train some"
            )


def _verdicts(bundles: Sequence[Bundle], recordings: Sequence[Recording], dataset: str) -> dict[str, dict[str, str]]:
    """Judge the sensors and muscles of every subject as a calibration does, by a bundle that is new to the subject."""
    from imu_emg_estimator.calibration.recording_quality import assess
    from imu_emg_estimator.model.subject_data import by_subject
    from imu_emg_estimator.training.evaluation import trained_subjects

    subjects, verdicts, bar = by_subject(recordings), {}, ProgressBar("checking", patience=options.QUIET_S)
    for index, (subject, own) in enumerate(subjects.items()):
        unseen = next(bundle for bundle in bundles if subject not in trained_subjects(bundle, dataset))
        verdicts[subject] = assess(unseen, own).verdicts()
        bar(index + 1, len(subjects))
    return verdicts


def _print_tables(summary: Mapping[str, Any]) -> None:
    from imu_emg_estimator.model.told_by_motion import little_told
    from imu_emg_estimator.training.evaluation_report import scores_table, subjects_table

    print(f"{scores_table(summary)}\n\n{subjects_table(summary)}")
    if sentence := little_told(summary):
        print(f"\nlook: {sentence}")
    for subject, verdicts in summary["verdicts"].items():
        print(f"\nsubject {subject}, {verdict_table(verdicts)}")
    for subject, reason in summary["left_out"].items():
        print(f"\nnot scored: subject {subject}: {reason}")
