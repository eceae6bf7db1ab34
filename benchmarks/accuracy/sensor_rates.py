"""``python -m benchmarks rates``: how an estimate changes where the sensors are slower than the rig's grid.

A spline through a clean recording is sampled at the sensors' rate, each sensor with a phase of its own, and
interpolated linearly to the grid again, as the node does. The estimates are compared with those of the recording
itself, whose samples lie on the grid. What the recording's own rate does not hold, faster sensors do not show here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.offline_estimate import estimate_activations, estimator_of
from imu_emg_estimator.model.subject_data import REFERENCE_PERCENTILE, by_subject
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.training.measure_subsets import locomotion_stretches

RATES_HZ = (100.0, 60.0, 50.0, 40.0, 30.0, 25.0, 20.0, 15.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    options.add_bundle_option(parser)
    options.add_data_options(parser)
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare every rate; print a row each."""
    bundle = options.load_bundle(arguments)
    estimator = estimator_of(bundle)
    groups = by_subject(options.load_recordings(arguments))
    stretches = [found for group in groups.values() if (found := locomotion_stretches(group))]
    if not stretches:
        raise InputError(f"{arguments.data} has no 20 s of locomotion in a row; give other subjects")
    whole = [estimate(estimator, own) for own in stretches]
    figures = {}
    print(f"{bundle.model_id}, locomotion of {len(stretches)} subjects: mean (lowest) over subjects and muscles\n")
    print("| sensors' rate | r | amplitude |\n| ---: | ---: | ---: |")
    for rate in RATES_HZ:
        generator = np.random.default_rng(0)
        slow = [estimate(estimator, [slowed(each, rate, generator) for each in own]) for own in stretches]
        row = figures[f"{rate:g}"] = comparison(whole, slow)
        cells = f"{row['r']:.3f} ({row['r_low']:.3f}) | {row['amplitude']:.2f} ({row['amplitude_low']:.2f})"
        print(f"| {rate:g} Hz | {cells} |")
    options.write_json(arguments.json, {"model_id": bundle.model_id, "subjects": list(groups), "rates": figures})
    return 0


def slowed(recording: Recording, rate: float, generator: np.random.Generator) -> Recording:
    """Sample every sensor at this rate [Hz], each from a random instant on, and interpolate to the grid again."""
    grid, imu = recording.time, np.full_like(recording.imu, np.nan)
    for sensor in range(imu.shape[1]):
        instants = np.arange(grid[0] + generator.random() / rate - 1 / rate, grid[-1] + 1 / rate, 1 / rate)
        for channel in range(imu.shape[2]):
            values = recording.imu[:, sensor, channel]
            if np.isfinite(values).all():
                imu[:, sensor, channel] = np.interp(grid, instants, CubicSpline(grid, values)(instants))
    return replace(recording, imu=imu)


def estimate(estimator: Estimator, recordings: Sequence[Recording]) -> FloatArray:
    """Estimate the activations [samples, muscles] of one subject, where they are known."""
    activations = estimate_activations(estimator, recordings)
    return activations[np.isfinite(activations).all(axis=1)]


def comparison(whole: Sequence[FloatArray], slow: Sequence[FloatArray]) -> dict[str, float]:
    """Return r and amplitude of the subjects' slow estimates against the others: mean and lowest."""
    pairs = [(a, b) for one, other in zip(whole, slow, strict=True) for a, b in zip(one.T, other.T, strict=True)]
    r = [float(np.corrcoef(*pair)[0, 1]) for pair in pairs]
    high = [np.percentile(pair, REFERENCE_PERCENTILE, axis=1) for pair in pairs]
    ratios = [float(after / before) for before, after in high]
    return {
        "r": float(np.mean(r)),
        "r_low": min(r),
        "amplitude": float(np.mean(ratios)),
        "amplitude_low": min(ratios),
    }
