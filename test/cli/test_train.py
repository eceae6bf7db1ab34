"""`imu-emg train`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.command_line import refused, run, strict_json
from fixtures.html_pages import read_page

from imu_emg_estimator.cli import train
from imu_emg_estimator.cli.shared_options import DEFAULT_LOOK_AHEAD_MS, DEFAULT_STEPS
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.training import recipe
from imu_emg_estimator.training.episodic_training import EpisodeSampler
from imu_emg_estimator.utils.progress import ProgressBar


def test_train_leaves_subjects_out(data: Path, tmp_path: Path, small_recipe: None) -> None:
    out, path = tmp_path / "new" / "a.safetensors", tmp_path / "a.json"
    options = ("--leave-out", "2", "--steps", 2, "--name", "own", "--interval-folds", 0)
    assert run("train", "--data", data, "--out", out, "--json", path, *options) == 0
    bundle = Bundle.load(out)
    assert bundle.name == "own"
    assert bundle.training["dataset"] == "hugadb"
    assert bundle.training["subjects"] == ["1", "9"]
    assert bundle.training["settings"]["steps"] == 2
    assert strict_json(path)["model_id"] == bundle.model_id


@pytest.mark.parametrize("milliseconds", [-100, 0, 200])
def test_train_looks_ahead_as_asked(data: Path, tmp_path: Path, small_recipe: None, milliseconds: int) -> None:
    out = tmp_path / "a.safetensors"
    assert (
        run("train", "--data", data, "--out", out, "--look-ahead", milliseconds, "--steps", 2, "--interval-folds", 0)
        == 0
    )
    bundle = Bundle.load(out)
    assert bundle.config.look_ahead == round(milliseconds / 1000 * bundle.rig.rate)
    assert (
        f"{1000 * bundle.config.look_ahead / bundle.rig.rate:.0f} ms: estimates are for"
        in out.with_suffix(".md").read_text()
    )


def test_look_ahead_has_bounds(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for given in ("-101", "201", "soon"):
        refused(capfd, "train", "--data", data, "--out", tmp_path / "a.safetensors", "--look-ahead", given)
    for clash in ((), ("--folds", 3, "--sensor-subsets")):
        said = refused(capfd, "evaluate", "--data", data, "--look-ahead", 0, *clash)
        assert "a bundle has a look-ahead of its own; give --look-ahead with --folds, without --sensor-subsets" in said


@pytest.mark.slow
def test_train_ignores_gyroscopes_when_asked(data: Path, tmp_path: Path, small_recipe: None) -> None:
    out = tmp_path / "blind.safetensors"
    arguments = ("train", "--data", data, "--out", out, "--steps", 2, "--interval-folds", 0)
    assert run(*arguments) == 0
    assert Bundle.load(out).normalisation.used.all()
    assert run(*arguments, "--without-gyroscopes") == 0
    used = Bundle.load(out).normalisation.used
    assert used[:, :3].all()
    assert not used[:, 3:].any()


@pytest.mark.slow
def test_train_measures_uncertainty_and_missing_sensors_by_folds(
    data: Path, tmp_path: Path, small_recipe: None
) -> None:
    out = tmp_path / "a.safetensors"
    report = tmp_path / "a.html"
    assert run("train", "--data", data, "--out", out, "--steps", 2, "--report", report) == 0
    page = read_page(report.read_text())
    assert page.named("svg")
    assert {"1", "2", "9"} <= {row[0] for row in page.cells}
    bundle = Bundle.load(out)
    assert bundle.uncertainty is not None
    assert "3 subjects" in bundle.uncertainty.definition
    assert bundle.subset_figures is not None
    assert "3 subjects (1, 2, 9) by 3 networks" in bundle.subset_figures.definition
    assert bundle.ranges is not None
    assert (bundle.ranges > 1).all()
    assert bundle.scores["mean"]["0"]["walking"]["subjects"] == 3
    assert list(bundle.scores["muscle_r"]) == list(bundle.rig.muscle_names)
    card = out.with_suffix(".md").read_text()
    assert card.startswith(f"# Model card: {bundle.model_id}")
    assert "3 leave-subjects-out folds of hugadb" in card
    assert not out.with_suffix(".training").exists()


def test_train_refuses_impossible_interval_folds_before_training(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "train_bundle", lambda *_, **__: pytest.fail("the work was begun"))
    out = tmp_path / "a.safetensors"
    assert "9 folds" in refused(capfd, "train", "--data", data, "--out", out, "--interval-folds", 9)
    assert "there are 2" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "2")


def test_train_refuses_unknown_subjects_to_leave_out(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A misspelt subject must not end up in the training data."""
    out = tmp_path / "a.safetensors"
    assert "subject 22" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "22")
    assert "there are 0" in refused(capfd, "train", "--data", data, "--out", out, "--leave-out", "1,2,9")
    assert not out.exists()


def test_train_refuses_other_files_as_scores(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "scores.json"
    for content in (None, b"\xff", b"[]", b'{"mean": {}}'):
        if content is not None:
            scores.write_bytes(content)
        arguments = ["--data", data, "--out", tmp_path / "a", "--scores", scores]
        assert str(scores) in refused(capfd, "train", *arguments)


@pytest.mark.slow
def test_train_goes_on_after_an_interruption_with_the_same_result(
    data: Path, tmp_path: Path, small_recipe: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted in the second of three folds."""
    out, whole = tmp_path / "a.safetensors", tmp_path / "whole.safetensors"
    arguments = ("train", data, "--interval-folds", 3)
    assert run(*arguments, "--out", whole) == 0
    trained: list[str] = []

    def bar(title: str, stop: bool) -> ProgressBar:
        trained.append(title)
        if stop and title == "fold 2/3":
            raise KeyboardInterrupt
        return ProgressBar(title)

    monkeypatch.setattr(train, "ProgressBar", lambda title: bar(title, True))
    assert run(*arguments, "--out", out) == 130
    monkeypatch.setattr(train, "ProgressBar", lambda title: bar(title, False))
    assert "begun with --steps 2, not 3" in refused(capfd, *arguments, "--out", out, "--steps", 3)
    assert "begun with other data" in refused(capfd, *arguments, "--out", out, "--without-gyroscopes")
    assert not out.exists()
    monkeypatch.setattr(EpisodeSampler, "draw", counted(EpisodeSampler.draw, drawn := []))
    assert run(*arguments, "--out", out) == 0
    assert Bundle.load(out).content_hash == Bundle.load(whole).content_hash
    assert len(drawn) == 2 * 2 * 3  # of two folds two steps, each of three episodes


def counted(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    return call


def test_train_wants_one_folder_before_it_reads(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = ("--out", tmp_path / "a.safetensors")
    assert "name one folder" in refused(capfd, "train", *out)
    assert "name one folder" in refused(capfd, "train", data, "--data", data, *out)
    (tmp_path / "empty").mkdir()
    assert "files needs a rig" in refused(capfd, "train", tmp_path / "empty", *out)
    assert "csv needs a rig" in refused(capfd, "train", tmp_path / "empty", "--dataset", "csv", *out)


def test_help_shows_the_steps_and_look_ahead_of_the_recipe() -> None:
    assert recipe.RECIPE.steps == DEFAULT_STEPS
    assert recipe.RECIPE.look_ahead_s == DEFAULT_LOOK_AHEAD_MS / 1000
