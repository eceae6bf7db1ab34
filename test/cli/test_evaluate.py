"""`imu-emg evaluate`."""

from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.bundle_files import UNCERTAINTY
from fixtures.command_line import refused, run, strict_json
from fixtures.html_pages import read_page

from imu_emg_estimator.model.bundle import Bundle

SUBJECTS = ("1", "2", "9")  # of the folder of data


@pytest.mark.slow
def test_evaluate_writes_means_by_calibration_and_condition(
    data: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "scores.json", tmp_path / "picture.png"
    arguments = ["--calibration-seconds", "8,0", "--json", path, "--picture", picture, "--workers", "1"]
    page, again = tmp_path / "a.html", tmp_path / "b.html"
    assert run("evaluate", "--bundle", tiny, "--data", data, *arguments, "--report", page) == 0
    scores = strict_json(path)
    assert run("report", path, "--out", again) == 0
    assert read_page(page.read_text()).cells == read_page(again.read_text()).cells
    assert len(read_page(again.read_text()).named("svg")) == 2 + 2  # figures of subjects, muscles of the example
    for seconds in ("0", "8"):
        for condition in ("all", "locomotion", "walking", "running"):
            for figure in ("r", "r2", "nrmse"):
                assert isinstance(scores["mean"][seconds][condition][figure], float)
    assert scores["mean"]["0"]["locomotion"]["r"] > 0.9  # in counts and 8 bits, still the synthetic subjects
    assert set(scores["subjects"]) == set(SUBJECTS)
    assert scores["not_scored"] == []
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert set(scores["verdicts"]) == set(SUBJECTS)
    assert all(len(verdicts) == 8 for verdicts in scores["verdicts"].values())
    printed = capsys.readouterr().out
    assert printed.count(", sensors and muscles: ") == len(SUBJECTS)
    assert "| 8 | walking | 3 |" in printed
    assert "| subject | r (0 s) | R² (0 s) | nRMSE (0 s) | r (8 s) |" in printed
    for subject in SUBJECTS:
        own = scores["subjects"][subject]["0"]["locomotion"]["mean"]
        assert f"| {subject} | {own['r']:.3f} | {own['r2']:.3f} | {own['nrmse']:.3f} |" in printed


@pytest.mark.slow
def test_evaluate_measures_missing_sensors_and_writes_them_into_the_bundle(
    data: Path, trained_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out, path = tmp_path / "given.safetensors", tmp_path / "out.safetensors", tmp_path / "a.json"
    replace(trained_bundle, uncertainty=UNCERTAINTY).save(given)
    arguments = ("--bundle", given, "--data", data, "--sensor-subsets", "--out", out, "--json", path)
    assert run("evaluate", *arguments) == 0
    bundle = Bundle.load(out)
    assert bundle.subset_figures is not None
    assert replace(bundle, subset_figures=None).content_hash == Bundle.load(given).content_hash
    assert len(strict_json(path)["uncalibrated"]["rows"]) == 63
    whole = bundle.subset_figures.uncalibrated.whole
    assert f"| all | {whole.r:.2f} ± {whole.spread:.2f} |" in capsys.readouterr().out
    assert f"bundle {Bundle.load(given).model_id} that had not seen them" in bundle.subset_figures.definition


def test_evaluate_refuses_missing_sensors_without_intervals(
    data: Path, tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "--interval-folds" in refused(capfd, "evaluate", "--bundle", tiny, "--data", data, "--sensor-subsets")


@pytest.mark.slow
def test_train_stores_the_scores_of_evaluate_folds(data: Path, tmp_path: Path, small_recipe: None) -> None:
    path, keep = tmp_path / "scores.json", tmp_path / "folds"
    assert run("evaluate", "--data", data, "--folds", 3, "--keep", keep, "--json", path, "--workers", 1) == 0
    scores = strict_json(path)
    assert set(scores["subjects"]) == set(SUBJECTS)
    trained = sorted(Bundle.load(file).training["subjects"] for file in keep.iterdir())
    assert trained == [["1", "2"], ["1", "9"], ["2", "9"]]
    out = tmp_path / "a.safetensors"
    assert run("train", "--data", data, "--out", out, "--steps", 1, "--interval-folds", 0, "--scores", path) == 0
    assert Bundle.load(out).scores["mean"] == scores["mean"]


def test_evaluate_refuses_to_write_what_it_does_not_measure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(capfd, "evaluate", "--data", tmp_path, "--out", tmp_path / "new.safetensors")
    assert "--out goes with --sensor-subsets" in said
    said = refused(capfd, "evaluate", "--data", tmp_path, "--sensor-subsets", "--calibration-seconds", "30")
    assert "leave --calibration-seconds out" in said


@pytest.mark.slow
def test_evaluate_leaves_out_one_subject_at_a_time(data: Path, tmp_path: Path, small_recipe: None) -> None:
    path, keep = tmp_path / "scores.json", tmp_path / "folds"
    assert run("evaluate", "--data", data, "--folds", "subjects", "--keep", keep, "--json", path, "--workers", 1) == 0
    assert strict_json(path)["protocol"].startswith("3 leave-subjects-out folds of hugadb")
    assert set(strict_json(path)["verdicts"]) == set(SUBJECTS)
    trained = sorted(Bundle.load(file).training["subjects"] for file in keep.iterdir())
    assert trained == [["1", "2"], ["1", "9"], ["2", "9"]]


def test_evaluate_leaves_out_subjects_of_the_training(
    data: Path, tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = replace(Bundle.load(tiny), training={"dataset": "hugadb", "subjects": ["1", "9"]})
    trained.save(tiny)
    path = tmp_path / "scores.json"
    assert run("evaluate", "--bundle", tiny, "--data", data, "--json", path, "--workers", 1) == 0
    assert set(strict_json(path)["subjects"]) == {"2"}
    assert "subject 9" in refused(capfd, "evaluate", "--bundle", tiny, "--data", data, "--subjects", "2,9")
    replace(trained, training={"dataset": "hugadb", "subjects": list(SUBJECTS)}).save(tiny)
    assert "every subject" in refused(capfd, "evaluate", "--bundle", tiny, "--data", data)


def test_evaluate_refuses_impossible_folds(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folds in (1, 4):
        assert f"{folds} folds" in refused(capfd, "evaluate", "--data", data, "--folds", folds)


def test_evaluate_refuses_more_calibration_than_any_subject_has(
    data: Path, tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    message = refused(
        capfd, "evaluate", "--bundle", tiny, "--data", data, "--calibration-seconds", "600", "--workers", 1
    )
    assert "calibrate on less" in message
