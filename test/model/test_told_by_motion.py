"""A model of which motion tells little says so, and names the muscles; others say nothing."""

from typing import Any

import pytest

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.told_by_motion import MUSCLE_R, little_told
from imu_emg_estimator.utils.shipped_files import resource_file


def test_muscles_of_which_motion_tells_little_are_named_with_figures() -> None:
    sentence = little_told({MUSCLE_R: {"pod_1": 0.31, "pod_3": 0.36, "biceps": 0.7}})
    assert sentence.startswith("motion tells little of pod_1, pod_3:")
    assert "r is 0.31 to 0.36, at most 13 % of the variance" in sentence
    assert "biceps" not in sentence
    assert "r is -0.10, at most 0 %" in little_told({MUSCLE_R: {"pod_1": -0.1}})


@pytest.mark.parametrize("scores", [{}, {MUSCLE_R: {"a": 0.5, "b": 0.9}}, {MUSCLE_R: []}, {MUSCLE_R: {"a": "0.1"}}])
def test_nothing_is_said_where_motion_tells_enough_or_nothing_was_measured(scores: dict[str, Any]) -> None:
    assert little_told(scores) == ""


def test_nothing_is_said_of_the_small_bundle_that_is_shipped() -> None:
    scores = Bundle.load(resource_file("hugadb_small.safetensors")).scores
    assert len(scores[MUSCLE_R]) == 2
    assert little_told(scores) == ""
