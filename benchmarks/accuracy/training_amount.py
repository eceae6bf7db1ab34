"""``python -m benchmarks amount``: r on unseen people over what was recorded for the pre-training.

The subjects are dealt out to folds; whoever is in a fold is scored by networks that are trained on some of the
others: on few or many people, on few minutes of each, on one movement or on all.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.jobs import Job
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.cli.argument_types import positive_integer
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.checkpoints import fingerprint
from imu_emg_estimator.training.data_splits import folds_of
from imu_emg_estimator.utils.progress import ProgressBar

FOLDS = 4
PEOPLE = (1, 2, 4)
MINUTES = (1.0, 3.0)
ONE_MOVEMENT = "walking"
PIECE_S = (2.0, 10.0)  # shortest and longest piece of a movement that minutes are made of
AVERAGED_STEPS = 5.0  # share of the steps over which the weights are averaged, as its inverse: 1000 steps over 200
SHOWN = ("locomotion", "walking", "stairs_up", "stairs_down", "running")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    options.add_data_options(parser)
    options.add_gyroscopes_option(parser)
    parser.add_argument("--steps", type=positive_integer, default=1000, help="optimiser steps (default: 1000)")
    parser.add_argument("--draws", type=positive_integer, default=3, help="draws of few people (default: 3)")
    parser.add_argument(
        "--run",
        type=Path,
        dest="run_folder",
        required=True,
        metavar="DIR",
        help="folder of finished jobs to go on from",
    )
    options.add_workers_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train and score what is missing; print a row for every amount."""
    from benchmarks.accuracy.job_runner import run_jobs

    recordings = options.load_training_recordings(arguments)
    jobs = amount_jobs(recordings, arguments.steps, arguments.draws)
    folder = RunFolder(arguments.run_folder, fingerprint(recordings))
    run_jobs(folder, recordings, jobs, {"amount": train_and_score}, arguments.workers, progress=ProgressBar)
    summary = summarised([(job.model, outcome) for job in jobs if (outcome := folder.outcome(job))])
    print(table(summary))
    figures = {"steps": arguments.steps, "draws": arguments.draws, "folds": jobs_folds(jobs), "amounts": summary}
    options.write_json(arguments.json, figures)
    return 0


def amount_jobs(recordings: Sequence[Recording], steps: int, draws: int) -> list[Job]:
    """Make the jobs of all amounts and folds, the first draw of all first.

    Raises:
        InputError: too few subjects with trusted EMG.
    """
    trusted = {name: own[0].muscle_weight > 0 for name, own in by_subject(recordings).items()}
    subjects = [name for name, muscles in trusted.items() if muscles.any()]
    complete = [name for name, muscles in trusted.items() if muscles.all()]
    if len(subjects) < 2 * FOLDS:
        raise InputError(
            f"{len(subjects)} subjects with trusted EMG are too few to draw from; give {2 * FOLDS} or more"
        )
    jobs = []
    for fold, left_out in enumerate(folds_of(subjects, FOLDS)):
        others = [name for name in subjects if name not in left_out]
        own: list[tuple[str, int, dict[str, Any]]] = [(f"{len(others)} people", 0, {"people": others})]
        own += [
            (f"{count} people", draw, {"people": _drawn(others, complete, count, draw)})
            for draw in range(draws)
            for count in reversed(PEOPLE)
        ]
        own += [(f"{minutes:g} min of each", 0, {"people": others, "minutes": minutes}) for minutes in MINUTES]
        only = {"people": others, "minutes": MINUTES[-1], "movements": [ONE_MOVEMENT]}
        own.append((f"{MINUTES[-1]:g} min of each, {ONE_MOVEMENT} only", 0, only))
        jobs += [
            Job("amount", name, tuple(left_out), fold, draw, {"steps": steps, **settings})
            for name, draw, settings in own
        ]
    return sorted(jobs, key=lambda job: job.seed)


def _drawn(subjects: Sequence[str], complete: Sequence[str], count: int, draw: int) -> list[str]:
    """Draw people; the fewer of one draw are among the more, and the first has trusted EMG of every muscle."""
    order = [subjects[index] for index in np.random.default_rng(draw).permutation(len(subjects))]
    first = next((name for name in order if name in complete), order[0])
    return [first, *(name for name in order if name != first)][:count]


def jobs_folds(jobs: Sequence[Job]) -> list[list[str]]:
    """List the subjects of the folds."""
    return [list(part) for part in dict.fromkeys(job.left_out for job in jobs)]


def train_and_score(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> Mapping[str, Any]:
    """Train on the job's people, minutes and movements; score whom the fold leaves out, uncalibrated."""
    from imu_emg_estimator.model.offline_estimate import estimate_all
    from imu_emg_estimator.training.evaluation import score_envelopes
    from imu_emg_estimator.training.recipe import RECIPE, train_estimator

    groups, settings = by_subject(recordings), job.settings
    kept = [
        piece
        for name in settings["people"]
        for piece in pieces(groups[name], settings.get("minutes"), settings.get("movements"), job.seed)
    ]
    steps = settings["steps"]
    recipe = replace(RECIPE, steps=steps, seed=job.seed, averaging=1.0 - AVERAGED_STEPS / max(steps, AVERAGED_STEPS))
    estimator = train_estimator(kept, recipe)
    scores = {name: score_envelopes(estimate_all(estimator, groups[name]), groups[name]) for name in job.left_out}
    return {
        "subjects": {
            name: {
                condition: [asdict(figures) for figures in by_muscle.values()] for condition, by_muscle in own.items()
            }
            for name, own in scores.items()
        }
    }


def pieces(
    recordings: Sequence[Recording], minutes: float | None, movements: Sequence[str] | None, seed: int
) -> list[Recording]:
    """Draw pieces of one subject's movements until they last so many minutes; None = everything, of any movement."""
    if minutes is None:
        return list(recordings)
    rate = recordings[0].rig.rate
    shortest, longest = (round(seconds * rate) for seconds in PIECE_S)
    found = [
        recording.slice(at, min(at + longest, stop))
        for recording in recordings
        for start, stop in true_runs(np.isin(recording.condition, movements or recording.rig.movement_names), shortest)
        for at in range(start, stop - shortest + 1, longest)
    ]
    order = np.random.default_rng(seed).permutation(len(found))
    ends = np.cumsum([len(found[index]) for index in order])
    return [found[index] for index in order[: int(np.searchsorted(ends, 60.0 * minutes * rate)) + 1]]


def summarised(outcomes: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Average r and R² by amount and condition: over muscles and draws of a subject, then over subjects."""
    gathered: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for amount, outcome in outcomes:
        for subject, by_condition in outcome["subjects"].items():
            for condition, muscles in by_condition.items():
                gathered[amount, condition, subject] += [
                    [np.nan if own[figure] is None else own[figure] for figure in ("r", "r2")] for own in muscles
                ]
    result: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for amount, condition in dict.fromkeys(key[:2] for key in gathered):
        means = np.array([np.nanmean(own, axis=0) for key, own in gathered.items() if key[:2] == (amount, condition)])
        r, r2 = np.nanmean(means, axis=0)
        result[amount][condition] = {
            "r": round(float(r), 3),
            "r_low": round(float(np.nanmin(means[:, 0])), 3),
            "r2": round(float(r2), 3),
            "subjects": len(means),
        }
    return dict(result)


def table(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Format r by amount and condition as Markdown."""
    shown = [name for name in SHOWN if any(name in own for own in summary.values())]
    lines = [f"| recorded | {' | '.join(shown)} |", f"| --- |{' ---: |' * len(shown)}"]
    for amount, own in summary.items():
        cells = [f"{own[name]['r']:.2f}" if name in own else "n/a" for name in shown]
        lines.append(f"| {amount} | {' | '.join(cells)} |")
    return "\n".join(lines)
