"""``python -m benchmarks simulation``: how near simulated subjects are to the real ones whose statistics they are from.

A model that was trained on real subjects alone is scored on simulated ones, before and after a calibration, beside its
stored scores on real subjects that it was not trained on (part ``streaming`` of the accuracy report, HuGaDB only).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.datasets.movement_cycles import cycles_of, swing_of
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.evaluation import evaluate_bundle, summarise

STORED = Path(__file__).parents[1] / "results" / "accuracy" / "results.json"
RECIPE = "geglu_transformer"
SIMULATED_S = 400.0
SECONDS = (0.0, 60.0)  # of calibration
CONDITIONS = ("locomotion", "walking", "running", "stairs_up", "stairs_down")
FULL_PERCENTILE = 95
Figures = dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    options.add_bundle_option(parser)
    options.add_data_options(parser)
    parser.add_argument(
        "--count", type=types.positive_integer, default=24, metavar="N", help="simulated subjects (default: 24)"
    )
    options.add_workers_option(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print distributions and scores of real and simulated subjects beside each other."""
    statistics = shipped_statistics()
    simulated = [simulate(statistics, SIMULATED_S, seed) for seed in range(arguments.count)]
    real = distributions(list(by_subject(options.load_recordings(arguments)).values()))
    figures = {"real": real, "simulated": distributions([[recording] for recording in simulated])}
    print("| | real | simulated |\n| --- | ---: | ---: |")
    for name, value in real.items():
        print(f"| {name} | {value:.3g} | {figures['simulated'][name]:.3g} |")
    bundle = options.load_bundle(arguments)
    scores = summarise(evaluate_bundle(bundle, simulated, SECONDS, workers=arguments.workers))["mean"]
    stored = json.loads(STORED.read_text(encoding="utf-8"))["streaming"]["rows"][RECIPE]["mean"]
    print(
        f"\n| {bundle.model_id} | r real | r simulated | R² real | R² simulated |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for seconds in (f"{value:g}" for value in SECONDS):
        for name in CONDITIONS:
            cells = [f"{stored[seconds][name][f]['mean']:.2f} | {scores[seconds][name][f]:.2f}" for f in ("r", "r2")]
            print(f"| {name}, {seconds} s of calibration | {' | '.join(cells)} |")
    options.write_json(arguments.json, figures | {"model_id": bundle.model_id, "scores": scores})
    return 0


def distributions(subjects: Sequence[Sequence[Recording]]) -> Figures:
    """Return how full amplitudes, strides and accelerations differ between subjects and what they are on average."""
    muscles = np.concatenate([_log_amplitudes(own) for own in subjects])
    found: Mapping[str, list[float]] = {"time": [], "shape": [], "foot": [], "thigh": []}
    for own in subjects:
        strides = [cycles_of(recording, "walking", swing_of(own, "walking")) for recording in own]
        times = np.concatenate([duration for _, duration in strides])
        found["time"].append(float(np.median(times)))
        courses = np.concatenate([course for course, _ in strides])[..., 6 * len(own[0].rig.sensors) :]
        shares = 1 - ((courses - courses.mean(axis=0)) ** 2).mean(axis=(0, 1)) / courses.var(axis=(0, 1))
        found["shape"] += shares[np.isfinite(shares)].tolist()
        moving = np.concatenate([recording.imu[recording.condition == "walking"] for recording in own])
        for name, sensor in (("foot", 0), ("thigh", 2)):
            found[name].append(float(np.linalg.norm(moving[:, sensor, :3].std(axis=0))))
    return {
        "full amplitude, median (count)": float(np.exp(np.median(muscles))),
        "full amplitude, standard deviation of the logarithm": float(muscles.std(ddof=1)),
        "walking: duration of a stride (s)": float(np.mean(found["time"])),
        "its standard deviation between subjects (s)": float(np.std(found["time"], ddof=1)),
        "walking: share of the EMG's variance that every stride repeats": float(np.mean(found["shape"])),
        "walking: acceleration of the foot, standard deviation (m/s²)": float(np.mean(found["foot"])),
        "walking: acceleration of the thigh, standard deviation (m/s²)": float(np.mean(found["thigh"])),
    }


def _log_amplitudes(recordings: Sequence[Recording]) -> list[float]:
    moving = np.concatenate([recording.envelope[recording.is_movement()] for recording in recordings])
    trusted = recordings[0].muscle_weight > 0
    return np.log(np.nanpercentile(moving[:, trusted], FULL_PERCENTILE, axis=0)).tolist()  # type: ignore[no-any-return]
