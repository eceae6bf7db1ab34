"""The report of a training: the evaluation of its folds, and what the model is."""

from dataclasses import replace

from fixtures.html_pages import read_page

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_subsets import SensorSubsets, Subset, SubsetFigures
from imu_emg_estimator.report.training_page import training_page

FIGURES = {
    "protocol": "3 leave-subjects-out folds of csv, recipe retrained for each",
    "look_ahead_s": 0.051,
    "movement_group": "locomotion",
    "mean": {"0": {"locomotion": {"r": 0.7, "r2": 0.2, "nrmse": 0.1, "subjects": 1}}},
    "subjects": {"anna": {"0": {"locomotion": {"mean": {"r": 0.7, "r2": 0.2, "nrmse": 0.1}, "muscles": {}}}}},
    "left_out": {"eva": "neither trained on nor scored, by --leave-out", "ben": "3 s of walking"},
}


def trained(bundle: Bundle) -> Bundle:
    return replace(bundle, training={"dataset": "csv", "subjects": ["anna", "ben"]})


def test_page_tells_accuracy_model_and_who_was_left_out(bundle: Bundle) -> None:
    read = read_page(training_page(trained(bundle), FIGURES).html())
    assert f"Model {trained(bundle).model_id} was trained on 2 subjects. On 1 subject," in read.text
    assert "each by a network that never saw them" in read.text
    assert read.row("anna") == ["anna", "0.70", "0.20"]
    assert read.row("eva") == ["eva", "neither trained on nor scored, by --leave-out"]
    assert read.row("ben") == ["ben", "3 s of walking"]
    assert "csv, subjects anna, ben" in read.text
    assert "which IMUs cannot measure" in read.text


def test_page_shows_what_is_left_without_sensors(bundle: Bundle) -> None:
    muscles = (1.0,) * len(bundle.rig.muscles)
    rows = (Subset((), 0.7, 0.1, (0.8, 0.8), muscles), Subset((0,), 0.31, 0.1, (0.8, 0.8), muscles))
    figures = SubsetFigures("made up", SensorSubsets(len(bundle.rig.sensors), rows))
    read = read_page(training_page(replace(trained(bundle), subset_figures=figures), FIGURES).html())
    assert read.row("all") == ["all", "0.70 ± 0.10", "yes"]


def test_page_without_folds_says_that_nothing_was_measured(bundle: Bundle) -> None:
    read = read_page(training_page(trained(bundle), None).html())
    assert "How accurate it is was not measured" in read.text
    assert "Limitations" in read.text
