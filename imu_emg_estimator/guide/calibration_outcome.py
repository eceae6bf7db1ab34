"""What came of a calibration, in words and bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.guide.console import bar
from imu_emg_estimator.guide.sensor_problems import display_name

GOODNESS = ((0.85, "very well"), (0.7, "well"), (0.5, "fairly well"), (0.3, "weakly"), (-1.0, "poorly"))  # r
CLEARLY, NOTICEABLY = 0.05, 0.01  # of r or R²
NOT_ADAPTED = {"scaled": "follows as before, its strength was fitted", "kept": "left as it was"}


@dataclass(frozen=True)
class MuscleOutcome:
    """One muscle, on data that was not adapted on.

    Attributes:
        decision: adapted, scaled or kept.
        before, after: r between estimate and EMG; NaN = not known.
        fits_strength: whether the estimate's strength fits better than before, by R².
    """

    decision: str
    before: float
    after: float
    fits_strength: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a calibration.

    Attributes:
        success: whether something is better; else the model stayed as it was.
        message: one sentence or two.
        calibration_id: of what was stored; empty = nothing.
        muscles: by name.
        findings: what was wrong with channels, a sentence each.
    """

    success: bool
    message: str
    calibration_id: str = ""
    muscles: Mapping[str, MuscleOutcome] = field(default_factory=dict)
    findings: Sequence[str] = ()

    @classmethod
    def from_report(cls, report: CalibrationReport) -> Outcome:
        """Take from a calibration's report what the guide shows."""
        muscles = {
            name: MuscleOutcome(
                muscle.decision, muscle.before.r, muscle.after.r, muscle.after.r2 - muscle.before.r2 >= NOTICEABLY
            )
            for name, muscle in report.muscles.items()
        }
        findings = findings_of(report.verdicts.items())
        return cls(report.success, report.message, report.calibration_id, muscles, findings)


def findings_of(verdicts: Any) -> tuple[str, ...]:
    """Sentences for (name, verdict) pairs that are not "good"."""
    return tuple(f"{display_name(name)}: {verdict}" for name, verdict in verdicts if verdict != "good")


def picture(outcome: Outcome) -> list[str]:
    """Bars of how well the estimate follows each muscle, before and after."""
    lines: list[str] = []
    for name, muscle in outcome.muscles.items():
        lines.append(f"  {display_name(name)}")
        lines.append(f"    before  {_bar(muscle.before)}")
        lines.append(f"    now     {_bar(muscle.after)}   {improvement_in_words(muscle)}")
    return lines


def improvement_in_words(muscle: MuscleOutcome) -> str:
    """How much better it got."""
    improvement = muscle.after - muscle.before
    if muscle.decision in NOT_ADAPTED:
        return NOT_ADAPTED[muscle.decision]
    if math.isnan(improvement):
        return "cannot be compared"
    if improvement >= CLEARLY:
        return "clearly better"
    if improvement >= NOTICEABLY:
        return "a little better"
    if improvement <= -NOTICEABLY:
        return "a little worse"
    return "follows as before, its strength fits better" if muscle.fits_strength else "as good as before"


def summary(outcome: Outcome) -> str:
    """The judgement in a sentence."""
    known = [muscle.after for muscle in outcome.muscles.values() if not math.isnan(muscle.after)]
    if not outcome.success:
        return "The calibration made nothing better, so nothing was changed."
    if not known:
        return "The calibration helped, but the new estimates cannot be compared in figures."
    mean = sum(known) / len(known)
    return f"The calibration helped. The estimates now follow the muscles {goodness(mean)} ({mean:.2f} of at most 1)."


def goodness(r: float) -> str:
    """How an estimate follows the EMG, in words."""
    return next(words for least, words in GOODNESS if r >= least)


def _bar(r: float) -> str:
    return f"{bar(r)} {r:.2f}" if not math.isnan(r) else "not known"
