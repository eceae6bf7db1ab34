"""``python -m benchmarks engines``: difference of the engines from the network's banded forward pass.

The input is hours of a simulated subject whose sensors come and go.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.cli.argument_types import positive_number
from imu_emg_estimator.cli.shared_options import add_bundle_option, add_json_option, write_json
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.streaming.engine import Engine, available_engines, make_engine
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import shipped_bundle

Float32 = NDArray[np.float32]
MAX_DIFFERENCE = 1e-4  # references
GAPS_PER_HOUR, GAP_ROWS = 100, 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--hours", type=positive_number, default=1.0, help="of simulated data (default: 1)")
    add_bundle_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare every installed engine; exit status 1 if one differs by more than the bound."""
    bundle = Bundle.load(arguments.bundle or shipped_bundle())
    rows = simulated_rows(bundle, arguments.hours)
    expected = forward(bundle, rows)
    differences = {}
    for name in available_engines():
        engine = make_engine(bundle.config, bundle.weights, name)
        differences[name] = largest_difference(engine, rows, expected, ProgressBar(name))
        print(f"{name}: {differences[name]:.1e}")
    figures: dict[str, Any] = {
        "model_id": bundle.model_id,
        "data": "simulated",
        "hours": arguments.hours,
        "rows": len(rows),
        "largest_output": float(np.abs(expected).max()),
        "largest_difference": differences,
        "bound": MAX_DIFFERENCE,
    }
    write_json(arguments.json, figures)
    return int(not max(differences.values()) <= MAX_DIFFERENCE)


def simulated_rows(bundle: Bundle, hours: float) -> Float32:
    """Simulate feature rows [rows, inputs] with sensors that come and go."""
    imu = simulate(shipped_statistics(), 3600 * hours, seed=0).imu
    generator = np.random.default_rng(0)
    for _ in range(round(GAPS_PER_HOUR * hours)):
        start, sensor = generator.integers(len(imu)), generator.integers(imu.shape[1])
        imu[start : start + GAP_ROWS, sensor] = np.nan
    return features(imu, bundle.normalisation)


def forward(bundle: Bundle, rows: Float32) -> Float32:
    """Compute mean and log standard deviation [rows, 2 muscles] by the network over all rows at once."""
    import torch

    from imu_emg_estimator.model.causal_network import network_of

    with torch.inference_mode():
        return torch.cat(network_of(bundle)(torch.from_numpy(rows)[None]), dim=2)[0].numpy()


def largest_difference(engine: Engine, rows: Float32, expected: Float32, progress: ProgressBar) -> float:
    """Return the largest absolute difference of an engine's outputs from the expected ones, over all rows."""
    largest = 0.0
    for index, (row, outputs) in enumerate(zip(rows, expected, strict=True), 1):
        largest = max(largest, float(np.abs(np.concatenate(engine.step(row)) - outputs).max()))
        progress(index, len(rows))
    return largest
