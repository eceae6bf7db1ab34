"""An exported model does what the estimator does, says what a program must know, and is written whole or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_files import SUBSET_FIGURES
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty
from imu_emg_estimator.model.onnx_export import bundle_to_onnx
from imu_emg_estimator.model.onnx_streaming_step import state_shapes
from imu_emg_estimator.streaming import checked_export as export
from imu_emg_estimator.streaming.checked_export import export_bundle, run_model
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.utils.shipped_files import shipped_bundle

TOLERANCE = 1e-4

onnx = pytest.importorskip("onnx", reason="onnx is not installed; pip install onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install onnxruntime")

SCALE = DeviationScale((1.5, 2.0), (0.5, 0.0), (0.3, 1.0), ((0.7, 0.7),))


def metadata(path: Path) -> dict[str, Any]:
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}


@pytest.mark.parametrize("shape", [{}, {"dilation": 4, "band": 6, "look_ahead": 3}, {"look_ahead": 0}], ids=str)
def test_exported_model_equals_estimator_on_raw_rows(
    make_bundle: BundleFactory, make_recording: RecordingFactory, shape: dict[str, int]
) -> None:
    """A gyroscope that never works, sensors that come and go, values beyond what the network was shown."""
    bundle = replace(make_bundle(**shape), uncertainty=Uncertainty("made up", (0.5,), SCALE))
    imu = make_recording([("walking", 3.0)]).imu
    imu[:, 5, 3:], imu[40:90, 0], imu[60:62], imu[100, 2, 1], imu[110:120] = np.nan, np.nan, np.nan, np.inf, 1e4
    estimator = StreamingEstimator(bundle, engine="numpy")
    expected = [
        np.concatenate([estimate.activation, estimate.deviation]) for row in imu if (estimate := estimator.step(row))
    ]
    outputs = run_model(bundle_to_onnx(bundle), bundle, imu.astype(np.float32), start=0)
    np.testing.assert_allclose(outputs[bundle.config.look_ahead :], expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.slow
def test_export_of_shipped_bundle(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    written = export_bundle(Bundle.load(shipped_bundle()), path)
    onnx.checker.check_model(path, full_check=True)
    assert {node.domain for node in onnx.load(path).graph.node} == {""}
    assert path.stat().st_size == written.size
    assert 0 < written.largest_difference < TOLERANCE


def test_export_holds_metadata_for_other_programs(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_bundle(bundle, path)
    content = metadata(path)
    assert content["model_id"] == bundle.model_id
    assert content["rig"] == bundle.rig.to_dict()
    assert content["sensors"] == list(bundle.rig.sensor_names)
    assert content["muscles"] == list(bundle.rig.muscle_names)
    assert content["rate_hz"] == bundle.rig.rate
    assert (content["look_ahead"], content["context"]) == (bundle.config.look_ahead, bundle.config.context)
    assert content["channels"][:2] + content["channels"][-1:] == ["acceleration_x", "acceleration_y", "angular_rate_z"]
    assert content["units"] == ["m/s^2"] * 3 + ["rad/s"] * 3
    assert content["reference"]["unit"] == "count"
    np.testing.assert_array_equal(content["normalisation"]["mean"], bundle.normalisation.mean)
    assert {name: tuple(shape) for name, shape in content["states"].items()} == state_shapes(bundle.config)


@pytest.mark.slow
def test_export_leaves_factor_for_missing_sensors_to_the_program(bundle: Bundle, tmp_path: Path) -> None:
    known = replace(bundle, subset_figures=SUBSET_FIGURES)
    export_bundle(known, tmp_path / "model.onnx")
    rows = metadata(tmp_path / "model.onnx")["subsets"]["rows"]
    assert rows[1] == {"missing": [0], "r": 0.74, "spread": 0.1, "coverage": [0.78, 0.8], "factor": [1.25, 1.5]}


def test_export_refuses_deviating_model(
    make_bundle: BundleFactory, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the one before")
    wrong = bundle_to_onnx(make_bundle(seed=7))
    monkeypatch.setattr(export, "bundle_to_onnx", lambda _: wrong)
    with refusal(bundle.model_id, "nothing was written"):
        export_bundle(bundle, path)
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


def test_export_refuses_nan_output(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "run_model", lambda *_: np.full((1, 4), np.nan))
    with refusal("nothing was written"):
        export_bundle(bundle, tmp_path / "model.onnx")


def test_export_needs_onnxruntime(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "available_engines", lambda: ["numpy"])
    with refusal("onnxruntime", "install"):
        export_bundle(bundle, tmp_path / "model.onnx")
