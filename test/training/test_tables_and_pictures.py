"""Tables say every figure once, and pictures show a subject by a bundle that never saw that subject."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.accuracy_metrics import Scores
from imu_emg_estimator.training import tables_and_pictures as report
from imu_emg_estimator.training.evaluation import SubjectScores, summarise


def subject(r: float, condition: str = "locomotion") -> SubjectScores:
    return {"0": {condition: {"vastus": Scores(r, r / 2, 1 - r, 100)}}}


@pytest.fixture
def summary() -> dict[str, Any]:
    scores = {"1": subject(0.4) | {"30": subject(0.8)["0"]}, "2": subject(0.6)}
    return {"protocol": "made up", "look_ahead_s": 0.051, **summarise(scores)}


def assert_is_picture(path: Path) -> None:
    import matplotlib.image

    pixels = matplotlib.image.imread(path)
    assert min(pixels.shape[:2]) > 100
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10


def test_scores_table_has_a_row_for_every_condition(summary: dict[str, Any]) -> None:
    table = report.scores_table(summary)
    assert table.startswith("made up; mean over subjects, look-ahead 51 ms\n")
    assert "| 0 | locomotion | 2 | 0.500 | 0.250 | 0.500 |" in table.splitlines()
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in table.splitlines()


def test_calibration_table_says_what_is_not_known() -> None:
    figures = {"r_before": [0.5, 0.1], "r_after": [0.75, 0.2], "r2_before": [np.nan] * 2, "r2_after": [0.5, -1.0]}
    figures |= {"nrmse_before": [np.nan] * 2, "nrmse_after": [0.1, 0.2]}
    lines = report.calibration_table({"muscle_names": ["a", "b"], **figures}).splitlines()
    assert lines[2:] == [
        "| a | 0.50 → 0.75 | n/a → 0.50 | n/a → 0.10 |",
        "| b | 0.10 → 0.20 | n/a → -1.00 | n/a → 0.20 |",
    ]


def test_model_card_tells_data_scores_and_limits(bundle: Bundle, summary: dict[str, Any]) -> None:
    card = report.model_card(replace(bundle, training={"dataset": "d", "subjects": ["10", "9", "x"]}, scores=summary))
    assert "d, subjects 9, 10, x |" in card
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in card
    assert "## Limits" in card
    assert "None were made" in report.model_card(bundle)


def test_picture_is_of_the_median_subject_by_a_bundle_that_never_saw_it(
    make_bundle: BundleFactory,
    make_recording: RecordingFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(report, "draw_conditions", lambda *arguments: drawn.extend(arguments))
    recordings = [make_recording(subject=name) for name in ("1", "2", "3", "2", "4")]
    folds = [replace(make_bundle(), training={"subjects": names}) for names in (["1", "2"], ["1", "3"], ["2", "3"])]
    scores = {"1": subject(0.1), "2": subject(0.5), "3": subject(0.9), "4": subject(0.7, "sitting")}
    report.picture_of_median_subject(tmp_path / "a.png", folds, recordings, scores)
    _, bundle, own, title = drawn
    assert bundle is folds[1]
    assert own == [recordings[1], recordings[3]]
    assert "subject 2" in title
    assert "0.50" in title
    drawn.clear()
    report.picture_of_median_subject(tmp_path / "a.png", folds[:1], recordings, scores)  # of another data set
    assert drawn[1] is folds[0]


def test_without_locomotion_there_is_nothing_to_draw(
    bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    sitting = make_recording([("sitting", 20.0)], subject="4")
    with refusal("nothing to draw"):
        report.picture_of_median_subject(tmp_path / "a.png", [bundle], [sitting], {"4": subject(0.5, "sitting")})
    brief = make_recording([("walking", 7.0)], subject="4")
    with refusal("8 s", "subject 4"):
        report.picture_of_median_subject(tmp_path / "a.png", [bundle], [brief], {"4": subject(0.5)})
    assert list(tmp_path.iterdir()) == []


def test_picture_of_conditions(bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path) -> None:
    recordings = [make_recording([("walking", 9.0), ("running", 12.0), ("stairs_up", 3.0)]), make_recording()]
    doubted = [replace(recording, muscle_weight=np.array([0.0, 1.0])) for recording in recordings]
    for name, given in (("two.png", recordings), ("one.png", doubted)):
        report.draw_conditions(tmp_path / "new" / name, bundle, given, "title")
        assert_is_picture(tmp_path / "new" / name)


def test_picture_before_and_after(tmp_path: Path) -> None:
    time = np.arange(100) / 50
    curves = np.sin(time)[:, None] + np.array([[0.0, 1.0]])
    report.draw_before_and_after(
        tmp_path / "a.png", "title", time, curves, curves + 0.1, curves * np.nan, ["a", "b_c"], "count"
    )
    assert_is_picture(tmp_path / "a.png")


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    time, curves = np.arange(10.0), np.zeros((10, 1))
    with refusal(tmp_path):
        report.draw_before_and_after(tmp_path, "title", time, curves, curves, curves, ["a"], "count")
