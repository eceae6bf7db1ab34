"""Who cannot be scored is named before anything is trained, and the lab's own words count as ours do."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Movement
from imu_emg_estimator.training.subject_checks import (
    check_muscles,
    check_scorable,
    conditions_of,
    left_out,
    unknown_labels,
)


@pytest.fixture(scope="module")
def curls(make_recording: RecordingFactory) -> list[Recording]:
    """Three subjects who curl and rest, in a rig that says so."""
    made = [make_recording([("walking", 20.0), ("standing", 10.0)], subject=name) for name in ("anna", "ben", "cem")]
    rig = replace(made[0].rig, movements=(Movement("curl"),))
    return [replace(own, rig=rig, condition=np.where(own.condition == "walking", "curl", "rest")) for own in made]


def test_conditions_are_those_of_the_rig(curls: list[Recording]) -> None:
    assert conditions_of(curls[0].rig) == {"all": None, "movements": ("curl",), "curl": ("curl",)}


def test_check_scorable_accepts_words_of_the_lab(curls: list[Recording]) -> None:
    assert check_scorable(curls, 10.0) == {}


def test_check_scorable_names_labels_that_the_rig_does_not_know(curls: list[Recording]) -> None:
    others = [replace(own, rig=replace(own.rig, movements=(Movement("lift"),))) for own in curls]
    with refusal("lift", "labelled curl, rest", "'movements'"):
        check_scorable(others, 10.0)
    assert check_scorable(others, 0.0) == {}  # the whole recordings can be scored
    assert "labelled curl, rest" in unknown_labels(others)
    assert unknown_labels(curls) == ""


def test_left_out_says_why(curls: list[Recording]) -> None:
    anna, ben, cem = curls
    short = ben.slice(0, round(5 * ben.rig.rate))
    weak = replace(cem, muscle_weight=np.zeros(2))
    reasons = left_out([anna, short, weak], 10.0)
    assert set(reasons) == {"ben", "cem"}
    assert "5 s of curl" in reasons["ben"]
    assert "10 s to calibrate" in reasons["ben"]
    assert "no trusted EMG" in reasons["cem"]


def test_left_out_needs_samples_to_score(curls: list[Recording]) -> None:
    brief = curls[0].slice(0, round(12 * curls[0].rig.rate))
    (reason,) = left_out([brief], 9.0).values()
    assert "2.0 s are left to score" in reason


def test_check_scorable_refuses_when_nobody_is_left(curls: list[Recording]) -> None:
    with refusal("anna", "ben", "cem", "calibrate on less"):
        check_scorable(curls, 60.0)


def test_check_muscles_names_the_only_subject_of_a_muscle(curls: list[Recording]) -> None:
    anna, ben, cem = curls
    one_sided = [replace(own, muscle_weight=np.array([1.0, 0.0])) for own in (ben, cem)]
    folds = [["anna"], ["ben"], ["cem"]]
    check_muscles(curls, folds)
    with refusal("anna", curls[0].rig.muscle_names[1]):
        check_muscles([anna, *one_sided], folds)
