"""How far the engines are from the network's banded forward pass, over hours of a simulated subject.

python benchmarks/engine_equality.py --hours 1 --json benchmarks/engine_equality.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.datasets.stride_statistics import shipped_statistics
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.geglu_transformer import network_of
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.streaming.engine import Engine, available_engines, make_engine
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json
from imu_emg_estimator.utils.progress import ProgressBar
from imu_emg_estimator.utils.shipped_files import shipped_bundle

Float32 = NDArray[np.float32]
BOUND = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0, help="of simulated data (default: 1)")
    parser.add_argument("--bundle", type=Path, default=shipped_bundle(), help="bundle (default: the shipped one)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle)
    rows = rows_of_a_simulated_subject(bundle, arguments.hours)
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
        "bound": BOUND,
    }
    if arguments.json:
        write_atomically(arguments.json, to_json(figures))
    return int(not max(differences.values()) <= BOUND)


def rows_of_a_simulated_subject(bundle: Bundle, hours: float) -> Float32:
    """Feature rows [rows, inputs], in which sensors come and go."""
    imu = simulate(shipped_statistics(), 3600 * hours, seed=0).imu
    generator = np.random.default_rng(0)
    for _ in range(round(100 * hours)):
        start, sensor = generator.integers(len(imu)), generator.integers(imu.shape[1])
        imu[start : start + 200, sensor] = np.nan
    return features(imu, bundle.normalisation)


@torch.inference_mode()
def forward(bundle: Bundle, rows: Float32) -> Float32:
    """Mean and log standard deviation [rows, 2 muscles] of the network over all rows at once."""
    return torch.cat(network_of(bundle)(torch.from_numpy(rows)[None]), dim=2)[0].numpy()


def largest_difference(engine: Engine, rows: Float32, expected: Float32, progress: ProgressBar) -> float:
    largest = 0.0
    for index, (row, outputs) in enumerate(zip(rows, expected, strict=True), 1):
        largest = max(largest, float(np.abs(np.concatenate(engine.step(row)) - outputs).max()))
        progress(index, len(rows))
    return largest


if __name__ == "__main__":
    sys.exit(main())
