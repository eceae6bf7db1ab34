"""What is timed does the same work: the whole window gives what a streaming step gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import BundleFactory

from benchmarks.latency import step_timing as stepping
from benchmarks.latency.random_bundles import made_up_motion
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.streaming.engine import make_engine


@pytest.mark.parametrize("newest_sequence", [False, True], ids=["window", "sequence"])
@pytest.mark.parametrize("dilation", [1, 3])
def test_whole_window_equals_streaming_step(make_bundle: BundleFactory, newest_sequence: bool, dilation: int) -> None:
    bundle = make_bundle(dilation=dilation)
    rows = bundle.config.receptive_field
    engine = make_engine(bundle.config, bundle.weights, "numpy")
    inputs = features(made_up_motion(bundle, stepping.ROWS + rows), bundle.normalisation)
    streamed = [np.concatenate(engine.step(row)) for row in inputs[: rows + 10]]
    whole = stepping._whole_window(bundle, rows, newest_sequence)
    for index in range(10):
        np.testing.assert_allclose(np.concatenate(whole(index)), streamed[rows - 1 + index], atol=1e-4)


@pytest.mark.slow
def test_job_gives_figures_for_every_case(make_bundle: BundleFactory, tmp_path: Path) -> None:
    """As the benchmark calls it: in a process of its own."""
    cases = []
    for band in (4, 8):
        make_bundle(band=band).save(tmp_path / f"{band}.safetensors")
        cases.append({"bundle": str(tmp_path / f"{band}.safetensors"), "rows": 30})
    job = {"engine": "numpy", "seconds": 0.01, "cases": cases}
    run = subprocess.run(
        [sys.executable, "-m", stepping.__name__, json.dumps(job)], capture_output=True, text=True, check=True
    )
    outcome = json.loads(run.stdout)
    assert outcome["memory"]["rss"] > 0
    for case in outcome["cases"]:
        for kind in ("step", "estimate"):
            assert 0 < case[kind]["p50"] <= case[kind]["p99"]
            assert case[kind]["calls"] >= stepping.MIN_CALLS
