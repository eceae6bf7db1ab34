"""`imu-emg export`."""

import json
from pathlib import Path

import pytest
from fixtures.command_line import run, strict_json

from imu_emg_estimator.model.bundle import Bundle


def test_export_writes_the_model_of_the_bundle(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert run("export", "--bundle", tiny, "--out", tmp_path / "a.onnx", "--json", tmp_path / "a.json") == 0
    model_id = Bundle.load(tiny).model_id
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["model_id"]) == model_id
    written = strict_json(tmp_path / "a.json")
    assert written["model_id"] == model_id
    assert written["largest_difference"] < 1e-4
    assert model_id in capsys.readouterr().out
