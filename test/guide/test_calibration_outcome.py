"""The judgement in words and bars."""

import math

import pytest

from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.calibration_report import MuscleOutcome as Judged
from imu_emg_estimator.calibration.improvement import Improvement
from imu_emg_estimator.guide.calibration_outcome import MuscleOutcome, Outcome, improvement_in_words, picture, summary
from imu_emg_estimator.signals.accuracy_metrics import Scores


@pytest.mark.parametrize(
    ("muscle", "words"),
    [
        (MuscleOutcome("adapted", 0.5, 0.6), "clearly better"),
        (MuscleOutcome("adapted", 0.5, 0.52), "a little better"),
        (MuscleOutcome("adapted", 0.5, 0.5), "as good as before"),
        (MuscleOutcome("adapted", 0.5, 0.5, True), "follows as before, its strength fits better"),
        (MuscleOutcome("adapted", 0.5, 0.4), "a little worse"),
        (MuscleOutcome("scaled", 0.5, 0.5), "follows as before, its strength was fitted"),
        (MuscleOutcome("kept", 0.5, 0.5), "left as it was"),
        (MuscleOutcome("adapted", math.nan, 0.5), "cannot be compared"),
    ],
)
def test_gain(muscle: MuscleOutcome, words: str) -> None:
    assert improvement_in_words(muscle) == words


def test_bars_are_as_long_as_the_figures() -> None:
    lines = picture(
        Outcome(True, "", "", {"a_b": MuscleOutcome("adapted", 0.0, 1.0), "c": MuscleOutcome("", math.nan, -0.5)})
    )
    assert lines[0].strip() == "a b"
    assert ("█" in lines[1], "░" in lines[1]) == (False, True)
    assert ("█" in lines[2], "░" in lines[2]) == (True, False)
    assert "not known" in lines[4]
    assert "█" not in lines[5]


def test_summary() -> None:
    good = {"a": MuscleOutcome("adapted", 0.5, 0.8), "b": MuscleOutcome("adapted", 0.5, math.nan)}
    assert "well (0.80" in summary(Outcome(True, "", "", good))
    assert "nothing was changed" in summary(Outcome(False, "", "", good))
    assert "cannot be compared" in summary(Outcome(True, ""))


def test_outcome_from_report_of_a_calibration() -> None:
    improvement = Improvement(0.1, 0.0, 0.2, 0.0, 9)

    def muscle(decision: str, before: float, after: float) -> Judged:
        scores = (Scores(r, math.nan, math.nan, 9) for r in (before, after))
        return Judged(decision, *scores, improvement)

    report = CalibrationReport(
        success=True,
        message="adapted",
        muscles={"a": muscle("adapted", 0.5, 0.6), "b": muscle("kept", math.nan, math.nan)},
        quality={"verdicts": {"left_foot": "good", "a": "used, but check it: powerline"}},
        calibration={"id": "anna-1"},
    )
    outcome = Outcome.from_report(report)
    assert outcome.calibration_id == "anna-1"
    assert outcome.muscles["a"] == MuscleOutcome("adapted", 0.5, 0.6)
    assert math.isnan(outcome.muscles["b"].after)
    assert outcome.findings == ("a: used, but check it: powerline",)
