"""Tables show every figure once, and a bundle carries the scores of either kind of file."""

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.factories import refusal, subject_scores

from imu_emg_estimator.training.evaluation import summarise
from imu_emg_estimator.training.evaluation_report import read_evaluation, read_scores, scores_table, subjects_table


def test_scores_table_has_a_row_for_every_condition(summary: dict[str, Any]) -> None:
    table = scores_table(summary)
    assert table.startswith("made up; mean over subjects, look-ahead 51 ms\n")
    assert "| 0 | locomotion | 2 | 0.500 | 0.250 | 0.500 |" in table.splitlines()
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in table.splitlines()


def test_subjects_table_has_a_row_per_subject_and_columns_per_calibration(summary: dict[str, Any]) -> None:
    assert subjects_table(summary).splitlines()[2:] == [
        "| subject | r (0 s) | R² (0 s) | nRMSE (0 s) | r (30 s) | R² (30 s) | nRMSE (30 s) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 1 | 0.400 | 0.200 | 0.600 | 0.800 | 0.400 | 0.200 |",
        "| 2 | 0.600 | 0.300 | 0.400 | n/a | n/a | n/a |",
    ]


def test_subjects_table_shows_na_without_locomotion() -> None:
    summary = summarise({"1": subject_scores(0.4, "sitting"), "2": subject_scores(0.6)})
    assert "| 1 | n/a | n/a | n/a |" in subjects_table(summary)


def test_read_scores_of_an_evaluation(summary: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(summary))
    expected = {key: summary[key] for key in ("protocol", "look_ahead_s", "mean")}
    assert read_scores(path) == expected
    told = {"muscle_r": {"vastus": 0.7}}
    path.write_text(json.dumps(summary | told))
    assert read_scores(path) == expected | told


def test_read_scores_of_the_accuracy_benchmark(tmp_path: Path) -> None:
    figures = {
        figure: {"mean": value, "sd": 0.1, "subjects": 3} for figure, value in (("a", 0.5), ("b", 0.2), ("c", 0.1))
    }
    row = {"mean": {"0": {"locomotion": figures}}}
    setup = {"folds": [["1"], ["2"], ["3"]], "dataset": "d", "look_ahead_s": 0.05}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"streaming": {"rows": {"ridge": {}, "geglu_transformer": row}, "setup": setup}}))
    scores = read_scores(path)
    assert scores["mean"] == {"0": {"locomotion": {"a": 0.5, "b": 0.2, "c": 0.1, "subjects": 3}}}
    assert scores["protocol"] == "3 leave-subjects-out folds of d, recipe retrained for each"
    assert scores["look_ahead_s"] == 0.05


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"[]",
        b'{"mean": {}}',
        b'{"streaming": {}}',
        b'{"streaming": {"rows": {"ridge": {}}, "setup": {}}}',
        b'{"streaming": {"rows": {"geglu_transformer": {"mean": {"0": {"all": {}}}}}, "setup": {}}}',
    ],
)
def test_read_scores_refuses_other_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with refusal(path, "evaluate --folds", "accuracy benchmark"):
        read_scores(path)


def test_read_scores_refuses_a_missing_file(tmp_path: Path) -> None:
    with refusal(tmp_path / "none"):
        read_scores(tmp_path / "none")


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"protocol": "a"}', "[" * 100_000])
def test_read_evaluation_refuses_other_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with refusal(path, "is not the JSON that `imu-emg evaluate --json` writes"):
        read_evaluation(path)
    with refusal("none.json cannot be read"):
        read_evaluation(tmp_path / "none.json")
