"""The report of a calibration: the same on both sides of a process, and readable."""

import json
import math
from dataclasses import replace

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.calibration.calibration_report import (
    ADAPTED,
    KEPT,
    SCALED,
    CalibrationReport,
    MuscleOutcome,
    mean_score,
    outcome_message,
    refusal_message,
)
from imu_emg_estimator.calibration.improvement import Improvement
from imu_emg_estimator.calibration.shrinkage import Amplitude
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.signals.accuracy_metrics import Scores

IMPROVEMENT = Improvement(change=0.1, low=0.02, high=0.18, at_least=0.03, blocks=10)


def outcome(decision: str = ADAPTED, before: float = 0.5, after: float = 0.7, r2: float = 0.1) -> MuscleOutcome:
    return MuscleOutcome(decision, Scores(before, r2, 0.2, 900), Scores(after, 0.4, 0.1, 900), IMPROVEMENT)


REPORT = CalibrationReport(
    success=True,
    message="adapted",
    muscles={"a": outcome(), "b": outcome(KEPT, 0.6, 0.6)},
    seconds=30.0,
    exchanged=("a",),
    quality={"verdicts": {"left_foot": "good"}, "left_out": ["right_foot"]},
    calibration={"id": "anna-1"},
    bags=({"bag": "monday"},),
    notes=("monday: late",),
)


def test_report_survives_json() -> None:
    read = CalibrationReport.from_json(REPORT.to_json())
    assert read == REPORT
    assert (read.calibration_id, read.verdicts, read.left_out) == ("anna-1", {"left_foot": "good"}, ["right_foot"])


def test_report_reads_undefined_figures_as_nan() -> None:
    unknown = Improvement(0.0, -math.inf, math.inf, -math.inf, 0)
    muscles = {"a": MuscleOutcome(KEPT, Scores(0.5, math.nan, math.nan, 9), Scores(0.5, 0.1, 0.1, 9), unknown)}
    (read,) = CalibrationReport.from_json(CalibrationReport(False, "", muscles=muscles).to_json()).muscles.values()
    assert math.isnan(read.before.r2)
    assert math.isnan(read.improvement.low)
    assert read.improvement_r2 is None


def test_report_of_a_failure_names_its_class() -> None:
    report = CalibrationReport.failed(InputError("no such bag"))
    assert CalibrationReport.from_json(report.to_json()) == report
    assert report.to_dict() == {"success": False, "error": "InputError", "message": "no such bag"}


def test_report_refuses_what_does_not_belong() -> None:
    content = json.loads(REPORT.to_json())
    with refusal("calibration report.seconds", "'soon'"):
        CalibrationReport.from_json(json.dumps(content | {"seconds": "soon"}))
    with refusal("calibration report", "'extra'"):
        CalibrationReport.from_json(json.dumps(content | {"extra": 1}))


def test_table_shows_undefined_figures_as_na() -> None:
    muscles = {"a": outcome(r2=math.nan), "b": outcome(KEPT, 0.6, 0.6)}
    lines = CalibrationReport(True, "", muscles=muscles).table().splitlines()
    assert lines[2] == "| a | 0.50 → 0.70 | n/a → 0.40 | 0.20 → 0.10 |"
    assert lines[3] == "| b | 0.60 → 0.60 | 0.10 → 0.40 | 0.20 → 0.10 |"


def test_mean_score_leaves_out_undefined_figures() -> None:
    scores = {"a": Scores(0.5, math.nan, 0.2, 9), "b": Scores(0.7, math.nan, 0.2, 9)}
    assert math.isclose(mean_score(scores, "r"), 0.6)
    assert math.isnan(mean_score(scores, "r2"))


def test_message_names_decision_on_every_muscle() -> None:
    adapted = outcome_message({"a": outcome(), "b": outcome()}, 30.0, (), ())
    assert adapted == (
        "adapted to 30 s, r 0.50 before, 0.70 after, R² 0.10 before, 0.40 after, on data that were held out in turn"
    )
    partly = outcome_message({"a": outcome(SCALED), "b": outcome(KEPT), "c": outcome()}, 30.0, (), ())
    assert partly.endswith("; of a only the amplitude was taken; b stays as it was")
    kept = {"a": outcome(), **{name: outcome(KEPT) for name in "bcd"}}
    assert outcome_message(kept, 30.0, (), ()).endswith("; b, c and d stay as they were")


def test_message_tells_amplitude_and_how_sure_it_is() -> None:
    amplitude = Amplitude(factor=2.4, low=1.6, high=3.6, measured=2.8, share=0.8)
    muscles = {"a": replace(outcome(SCALED), amplitude=amplitude), "b": outcome(KEPT)}
    message = outcome_message(muscles, 30.0, (), ())
    assert "EMG relative to the estimate before, with 95 % interval: a 2.40 times (1.60 to 3.60)" in message
    report = replace(REPORT, muscles=muscles)
    assert CalibrationReport.from_json(report.to_json()) == report
    assert report.to_dict()["amplitudes"]["a"]["factor"] == 2.4


def test_message_says_why_model_was_kept() -> None:
    kept = outcome_message({"a": outcome(KEPT)}, 30.0, (), ())
    assert "the old model was kept, no muscle improved significantly on 30 s (r 0.50)" in kept
    assert "the EMG hardly follows the movement" in outcome_message({"a": outcome(KEPT, 0.1)}, 30.0, (), ())
    assert refusal_message("too short") == "the recording was refused, the old model was kept: too short"


@pytest.mark.parametrize("decision", [SCALED, KEPT])
def test_message_asks_for_more_bags_where_a_better_shape_was_withheld(decision: str) -> None:
    message = outcome_message({"a": replace(outcome(decision), withheld=True), "b": outcome(KEPT)}, 30.0, (), ())
    assert "another shape of a fits better" in message
    assert "takes one only from 4 bags or more" in message
    assert "check the electrodes" not in message


def test_message_warns_of_exchanged_and_left_out_channels() -> None:
    warned = outcome_message({"a": outcome()}, 30.0, ("a", "b"), ("left_foot",))
    assert ". WARNING: the EMG of a and b goes with the movement of the other side" in warned
    assert "check the leads" in warned
    assert warned.endswith("; left_foot was left out, see the verdicts")
