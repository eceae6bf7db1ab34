"""What came of a calibration: what the command line, the service and the guide read and show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imu_emg_estimator.calibration.improvement import Improvement
from imu_emg_estimator.calibration.shrinkage import Amplitude
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves
from imu_emg_estimator.signals.accuracy_metrics import FIGURES, Scores
from imu_emg_estimator.utils.json_values import from_json, json_compatible, to_json

MIN_ESTIMATE_R = 0.2  # of an estimate; below, it does not follow the EMG, and "better" means nothing
MIN_BAGS = 4  # that show whether a better shape is better in others, too: each block of cross-fitting holds whole ones
ADAPTED, SCALED, KEPT = "adapted", "scaled", "kept"  # decision on a muscle


@dataclass(frozen=True)
class MuscleOutcome:
    """What came of one muscle.

    Attributes:
        decision: ``adapted``, ``scaled`` (only its amplitude was fitted) or ``kept`` (as it was).
        before, after: scores of the bundle in use and of the new one, both on data that they were not adapted to;
            R² and nRMSE are NaN where the units cannot be compared.
        improvement: in r, of what was tried last, whether it was taken or not.
        improvement_r2: the same in R²; None where the units cannot be compared.
        amplitude: of the subject's EMG relative to the estimate of the bundle in use; None = as it was.
        share: of the adapted estimate in the new bundle's.
        withheld: whether a better shape was not taken, since nothing tells that it is better in other recordings.
    """

    decision: str
    before: Scores
    after: Scores
    improvement: Improvement
    improvement_r2: Improvement | None = None
    amplitude: Amplitude | None = None
    share: float = 0.0
    withheld: bool = False


@dataclass(frozen=True)
class CalibrationReport:
    """What came of a calibration.

    Attributes:
        success: whether there is a new bundle; else the one in use stays.
        message: one sentence or two.
        error: class of the exception that ended it; empty = none.
        muscles: outcome by muscle, of those that were judged.
        seconds: that were adapted to, and judged, block by block.
        refusal: why nothing was adapted to the recordings; empty = something was.
        exchanged: muscles whose EMG goes with the movement of the other side; what was adapted follows it, unless
            they were left out.
        quality: verdicts on the recordings, see ``Quality.to_dict``; empty after an error.
        calibration: record of the new bundle, see ``model.bundle.Calibration``; None = no new bundle.
        bags: how each bag was read.
        notes: by bag, what was not as it should be, a sentence each.
        curves: measured and estimated envelopes of muscles that were judged; None = none were.
    """

    success: bool
    message: str
    error: str = ""
    muscles: Mapping[str, MuscleOutcome] = field(default_factory=dict)
    seconds: float = 0.0
    refusal: str = ""
    exchanged: tuple[str, ...] = ()
    quality: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    bags: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    curves: EnvelopeCurves | None = None

    @classmethod
    def failed(cls, error: Exception, message: str = "") -> CalibrationReport:
        """Make the report of a calibration that an exception ended."""
        return cls(False, message or str(error), error=type(error).__name__)

    @classmethod
    def from_json(cls, text: str | bytes) -> CalibrationReport:
        """Read what ``to_json`` wrote; raises InputError that names a field that does not belong there."""
        return from_json(cls, text, "calibration report")

    def to_json(self) -> bytes:
        """Serialise for the process that waits for it."""
        return to_json(self)

    @property
    def calibration_id(self) -> str:
        """Identity of the new calibration; empty = there is none."""
        return str(self.calibration["id"]) if self.calibration else ""

    @property
    def before(self) -> dict[str, Scores]:
        """Scores by muscle of the bundle in use."""
        return {name: outcome.before for name, outcome in self.muscles.items()}

    @property
    def after(self) -> dict[str, Scores]:
        """Scores by muscle of the new bundle; those before where there is none."""
        return {name: outcome.after for name, outcome in self.muscles.items()}

    @property
    def verdicts(self) -> dict[str, str]:
        """A verdict in words on every sensor and muscle."""
        return dict(self.quality.get("verdicts", {}))

    @property
    def left_out(self) -> list[str]:
        """Names of sensors and muscles that took no part."""
        return list(self.quality.get("left_out", []))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``imu-emg calibrate --json`` writes: before and after, figures are lists in order of muscles."""
        if self.error:
            return {"success": False, "error": self.error, "message": self.message}
        lists = {
            f"{figure}_{when}": [getattr(entry, figure) for entry in scores.values()]
            for when, scores in (("before", self.before), ("after", self.after))
            for figure in FIGURES
        }
        figures: dict[str, Any] = json_compatible(
            {
                "success": self.success,
                "message": self.message,
                "calibration": self.calibration,
                "seconds": self.seconds,
                "muscle_names": list(self.muscles),
                "decisions": {name: outcome.decision for name, outcome in self.muscles.items()},
                "gain_r": {name: outcome.improvement for name, outcome in self.muscles.items()},
                "amplitudes": {name: outcome.amplitude for name, outcome in self.muscles.items()},
                "adapted_share": {name: outcome.share for name, outcome in self.muscles.items()},
                "exchanged": self.exchanged,
                "refused": self.refusal,
                "quality": self.quality,
                **lists,
                "bags": self.bags,
            }
        )
        return figures

    def table(self) -> str:
        """Format the figures of each muscle before and after the calibration as Markdown."""
        lines = ["| muscle | r | R² | nRMSE |", "| --- | --- | --- | --- |"]
        for muscle, outcome in self.muscles.items():
            cells = (
                f"{_figure(getattr(outcome.before, figure))} → {_figure(getattr(outcome.after, figure))}"
                for figure in FIGURES
            )
            lines.append(f"| {muscle} | {' | '.join(cells)} |")
        return "\n".join(lines)


def mean_score(scores: Mapping[str, Scores], figure: str) -> float:
    """Mean of a figure over muscles, those left out where it is not defined; NaN if there is none."""
    known = [value for value in (getattr(entry, figure) for entry in scores.values()) if math.isfinite(value)]
    return math.fsum(known) / len(known) if known else math.nan


def refusal_message(refusal: str) -> str:
    """Say that the recordings were refused."""
    return f"the recording was refused, the old model was kept: {refusal}"


def outcome_message(
    muscles: Mapping[str, MuscleOutcome], seconds: float, exchanged: Sequence[str], left_out: Sequence[str]
) -> str:
    """Say in one or two sentences what came of recordings that were not refused."""
    adapted = any(outcome.decision != KEPT for outcome in muscles.values())
    message = _adapted_message(muscles, seconds) if adapted else _kept_message(muscles, seconds)
    return message + _withheld(muscles) + _warning([name for name in exchanged if name not in left_out], left_out)


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _adapted_message(muscles: Mapping[str, MuscleOutcome], seconds: float) -> str:
    before = {name: outcome.before for name, outcome in muscles.items()}
    after = {name: outcome.after for name, outcome in muscles.items()}
    figures = f"r {mean_score(before, 'r'):.2f} before, {mean_score(after, 'r'):.2f} after"
    if math.isfinite(mean_score(before, "r2")):
        figures += f", R² {mean_score(before, 'r2'):.2f} before, {mean_score(after, 'r2'):.2f} after"
    scaled, kept = (
        [name for name, outcome in muscles.items() if outcome.decision == decision] for decision in (SCALED, KEPT)
    )
    notes = [f"of {joined(scaled)} only the amplitude was taken"] if scaled else []
    if kept:
        notes.append(f"{joined(kept)} " + ("stays as it was" if len(kept) == 1 else "stay as they were"))
    if known := [f"{name} {outcome.amplitude}" for name, outcome in muscles.items() if outcome.amplitude]:
        notes.append(f"EMG relative to the estimate before, with 95 % interval: {joined(known)}")
    end = "".join(f"; {note}" for note in notes)
    return f"adapted to {seconds:.0f} s, {figures}, on data that were held out in turn{end}"


def _kept_message(muscles: Mapping[str, MuscleOutcome], seconds: float) -> str:
    before = {name: outcome.before for name, outcome in muscles.items()}
    if any(outcome.withheld for outcome in muscles.values()):
        return f"the old model was kept on {seconds:.0f} s (r {mean_score(before, 'r'):.2f})"
    weak = max((entry.r for entry in before.values()), default=0.0) < MIN_ESTIMATE_R
    why = "the EMG hardly follows the movement" if weak else "no muscle improved significantly"
    return (
        f"the old model was kept, {why} on {seconds:.0f} s (r {mean_score(before, 'r'):.2f}): "
        "check the electrodes and record again"
    )


def _withheld(muscles: Mapping[str, MuscleOutcome]) -> str:
    names = [name for name, outcome in muscles.items() if outcome.withheld]
    if not names:
        return ""
    return (
        f"; another shape of {joined(names)} fits better, but a model of few training subjects takes one only from "
        f"{MIN_BAGS} bags or more, which show whether it fits the next one, too"
    )


def _warning(exchanged: Sequence[str], left_out: Sequence[str]) -> str:
    parts = []
    if exchanged:
        parts.append(
            f"the EMG of {joined(exchanged)} goes with the movement of the other side, and so do the estimates "
            "now: check the leads, and calibrate again if they were exchanged"
        )
    if left_out:
        parts.append(f"{joined(left_out)} was left out, see the verdicts")
    return f". WARNING: {'; '.join(parts)}" if parts else ""


def _figure(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "n/a"
