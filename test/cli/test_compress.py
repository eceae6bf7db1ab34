"""`imu-emg compress`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.command_line import refused, run, strict_json

from imu_emg_estimator.cli import compress
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.int8_weights import rounded
from imu_emg_estimator.training import recipe

SMALL = ("--width", 4, "--steps", 2)


@pytest.fixture
def large(trained_bundle: Bundle, tmp_path: Path) -> Path:
    """A bundle as trained on the folder of data, in two steps of the recipe."""
    training = {"dataset": "hugadb", "subjects": ["1", "2", "9"], "settings": {"steps": 2, "seed": 5}}
    replace(trained_bundle, training=training).save(tmp_path / "large.safetensors")
    return tmp_path / "large.safetensors"


def test_compress_writes_smaller_bundle_of_same_rig_and_tells_of_what(data: Path, large: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    arguments = ("--bundle", large, "--data", data, "--out", out, "--int8", "--interval-folds", 0)
    assert run("compress", *arguments, *SMALL) == 0
    before, small = Bundle.load(large), Bundle.load(out)
    assert (small.config.width, small.config.layers) == (4, 1)
    assert (small.rig, small.reference, small.name) == (before.rig, before.reference, "trained_small")
    assert small.distribution is not None
    assert small.training["subjects"] == before.training["subjects"]
    assert small.training["distilled_from"] == before.model_id
    assert small.training["distillation"]["look_ahead_s"] == small.config.look_ahead / small.rig.rate
    assert f"| distilled from | {before.model_id} |" in out.with_suffix(".md").read_text()
    for name, value in rounded(small.weights).items():
        np.testing.assert_array_equal(value, small.weights[name])
    assert not out.with_suffix(".training").exists()


@pytest.mark.slow
def test_compress_compares_both_on_unseen_subjects_and_refits_intervals(
    data: Path, large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network is judged on those whom neither it nor its teacher was trained on."""
    out, path = tmp_path / "small.safetensors", tmp_path / "a.json"
    arguments = ("compress", "--bundle", large, "--data", data, "--out", out, "--json", path, *SMALL)
    seen: list[set[str]] = []

    def trained(kept: Any, settings: Any, *_: Any, **__: Any) -> Any:
        seen.append({recording.subject for recording in kept})
        assert (settings.steps, settings.seed) == (2, 5)
        return original(kept, settings, *_, **__)

    original = recipe.train_estimator
    monkeypatch.setattr("imu_emg_estimator.training.fit_conformal_uncertainty.train_estimator", trained)
    assert run(*arguments) == 0
    assert seen == [{"2", "9"}, {"1", "9"}, {"1", "2"}]
    small = Bundle.load(out)
    assert small.uncertainty is not None
    assert small.subset_figures is not None
    assert "recipe retrained and distilled for each" in small.scores["protocol"]
    found = strict_json(path)["comparison"]
    assert set(found) == {"0"}
    assert set(found["0"]["subjects"]) == {"1", "2", "9"}
    assert found["0"]["small"] == pytest.approx(small.scores["mean"]["0"]["locomotion"]["r"])
    assert found["0"]["difference"] == pytest.approx(np.mean(list(found["0"]["subjects"].values())))
    assert f"| 0 | {found['0']['original']:.3f} | {found['0']['small']:.3f} |" in capsys.readouterr().out


def test_compress_refuses_other_data_larger_shapes_and_subjects_own_bundles(
    data: Path, large: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress, "begin_checkpoints", lambda *_: pytest.fail("the work was begun"))
    arguments = ("compress", "--data", data, "--out", tmp_path / "small.safetensors")
    assert "hugadb subjects 1, 2, 9 alone" in refused(capfd, *arguments, "--bundle", large, "--subjects", "1,3")
    assert "no smaller network" in refused(capfd, *arguments, "--bundle", large, "--width", 64)
    assert "width 3 does not split" in refused(capfd, *arguments, "--bundle", large, "--width", 3)
    assert "9 folds" in refused(capfd, *arguments, "--bundle", large, "--interval-folds", 9)
    own, other = tmp_path / "own.safetensors", tmp_path / "other.safetensors"
    replace(Bundle.load(large), parent_id="large-1").save(own)
    assert "compress large-1" in refused(capfd, *arguments, "--bundle", own)
    replace(Bundle.load(large), training={"dataset": "d", "subjects": ["7"]}).save(other)
    assert "trained on d subjects 7 alone" in refused(capfd, *arguments, "--bundle", other)
