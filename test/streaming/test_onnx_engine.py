"""What the ONNX engine does beside what all engines do: states are written in place, the library is kept quiet."""

import subprocess
import sys

import numpy as np
import pytest
from fixtures.factories import BundleFactory

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.onnx_streaming_step import NEXT, state_shapes, step_model, step_weights

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install onnxruntime")

from imu_emg_estimator.streaming.onnx_engine import OnnxEngine, make_session


@pytest.mark.parametrize("shape", [{}, {"dilation": 4}, {"kernel": 1, "band": 1}], ids=str)
def test_onnx_engine_in_place_states_equal_separate_ones(make_bundle: BundleFactory, shape: dict[str, int]) -> None:
    """The engine binds one array as state and next state; ONNX itself knows separate ones alone."""
    bundle = make_bundle(**shape)
    rows = np.random.default_rng(3).standard_normal((80, bundle.config.inputs)).astype(np.float32)
    engine = OnnxEngine(bundle.config, bundle.weights)
    session = make_session(step_model(bundle.config), threads=1)
    states = {name: np.zeros(shape, dtype=np.float32) for name, shape in state_shapes(bundle.config).items()}
    names = ["mean", "log_deviation", *(name + NEXT for name in states)]
    for step, row in enumerate(rows):
        feeds = {
            "features": row[None],
            "step": np.array([step]),
            **states,
            **step_weights(bundle.config, bundle.weights),
        }
        mean, log_deviation, *following = session.run(names, feeds)
        states = dict(zip(states, following, strict=True))
        np.testing.assert_array_equal(engine.step(row), (mean[0], log_deviation[0]))


def test_onnx_engine_reuses_output_arrays(bundle: Bundle) -> None:
    """Nothing is allocated for them."""
    engine = OnnxEngine(bundle.config, bundle.weights)
    row = np.ones(bundle.config.inputs, dtype=np.float32)
    first, second = engine.step(row), engine.step(row)
    assert [array.ctypes.data for array in first] == [array.ctypes.data for array in second]


def test_onnx_engine_shares_session_between_equal_shapes(
    make_bundle: BundleFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibrated bundle takes over without the pause in which one is made."""
    bundle, calibrated = make_bundle(), make_bundle(seed=7)
    OnnxEngine(bundle.config, bundle.weights)
    monkeypatch.setattr("imu_emg_estimator.streaming.onnx_engine.make_session", None)
    OnnxEngine(calibrated.config, calibrated.weights)


def test_onnxruntime_telemetry_is_disabled() -> None:
    code = "import os, imu_emg_estimator.streaming.onnx_engine; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"
