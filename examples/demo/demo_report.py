"""The demo's report: estimates of the node while parts of a recording were played, compared with measured EMG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.calibration_report import mean_score
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import Scores, score
from imu_emg_estimator.signals.grid_alignment import SECOND

FIGURES = ("r", "r2")


@dataclass
class PlayedEstimates:
    """Estimates that arrived while a part of a recording was played.

    Attributes:
        arrivals: time of arrival of each estimate, by a monotonic clock [s].
        timestamps: instant that each estimate is for [ns].
        activations: [muscles] of each estimate.
        ages: of each estimate [s].
        first_emg: timestamp of the first EMG message, where the part begins [ns]; None = none has arrived.
    """

    arrivals: list[float] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    activations: list[Sequence[float]] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    first_emg: int | None = None

    def add(self, arrival: float, timestamp: int, activation: Sequence[float], age: float) -> None:
        """Append one estimate."""
        self.arrivals.append(arrival)
        self.timestamps.append(timestamp)
        self.activations.append(activation)
        self.ages.append(age)

    def rows(self, rate: float) -> NDArray[np.int64]:
        """Return the index [estimates] of the played sample that each estimate is for."""
        since_start = np.array(self.timestamps, dtype=np.int64) - (self.first_emg or 0)
        return np.round(since_start * rate / SECOND).astype(np.int64)

    def on_grid(self, samples: int, muscles: int, rate: float) -> NDArray[np.float64]:
        """Return the activation [samples, muscles] of the played part; NaN where no estimate arrived."""
        result = np.full((samples, muscles), np.nan)
        for row, activation in zip(self.rows(rate), self.activations, strict=True):
            if 0 <= row < samples:
                result[row] = activation
        return result

    def envelopes(self, part: Recording, running: Bundle) -> NDArray[np.float64]:
        """Return the activation in the unit of the EMG: times the running model's reference amplitude."""
        return self.on_grid(len(part), len(part.rig.muscles), part.rig.rate) * running.reference.amplitude

    def publish_rate(self) -> float:
        """Return the mean rate of arrivals [Hz]."""
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])

    def longest_gap(self) -> float:
        """Return the longest time between two arrivals [s]."""
        return float(np.diff(self.arrivals).max())


@dataclass(frozen=True)
class CalibrationAnswer:
    """Answer of the calibrate service; see Calibrate.srv."""

    success: bool
    calibration_id: str
    message: str
    wall_s: float


@dataclass(frozen=True)
class DemoRun:
    """Everything played and published in the demo.

    Attributes:
        part: of the recording that was played twice and is judged.
        base, running: bundle before and after the calibration.
        before, during, calibrated: estimates of each act; ``during`` = while the node calibrated.
    """

    recording: Recording
    part: Recording
    base: Bundle
    running: Bundle
    before: PlayedEstimates
    during: PlayedEstimates
    calibrated: PlayedEstimates
    answer: CalibrationAnswer

    def messages_lost(self) -> int:
        """Count the estimates of the played parts that did not arrive."""
        expected = 2 * (len(self.part) - self.base.config.look_ahead)
        rate = self.part.rig.rate
        return expected - len(set(self.before.rows(rate))) - len(set(self.calibrated.rows(rate)))

    def scores(self) -> dict[str, dict[str, Scores]]:
        """Return the scores of the trusted muscles, before and after the calibration."""
        envelopes = {
            "before": self.before.envelopes(self.part, self.base),
            "after": self.calibrated.envelopes(self.part, self.running),
        }
        trusted = np.flatnonzero(self.part.muscle_weight > 0)
        names = self.part.rig.muscle_names
        return {
            when: {names[index]: score(self.part.envelope[:, index], estimated[:, index]) for index in trusted}
            for when, estimated in envelopes.items()
        }


def make_report(run: DemoRun) -> dict[str, Any]:
    """Return the report for JSON."""
    scores, played = run.scores(), (run.before, run.calibrated)
    ages = np.concatenate([estimates.ages for estimates in played])
    return {
        "source": "simulated" if run.recording.is_simulated else "recorded",
        "recording": run.recording.name,
        "model_id": run.base.model_id,
        "calibrated": run.answer.success,
        "calibration_id": run.answer.calibration_id,
        "calibration_message": run.answer.message,
        "publish_rate_hz": float(np.mean([estimates.publish_rate() for estimates in played])),
        "age_s": {"p50": float(np.percentile(ages, 50)), "p99": float(np.percentile(ages, 99))},
        "messages_lost": run.messages_lost(),
        **{f"{name}_{when}": mean_score(by_muscle, name) for when, by_muscle in scores.items() for name in FIGURES},
        **{f"{name}_by_muscle": _by_muscle(scores, name) for name in FIGURES},
        "calibration_wall_s": run.answer.wall_s,
        "largest_gap_s": {
            "playing": max(estimates.longest_gap() for estimates in played),
            "calibrating": run.during.longest_gap(),
        },
    }


def report_table(report: Mapping[str, Any]) -> str:
    """Format the report for the screen."""
    is_simulated = report["source"] == "simulated"
    outcome = "calibrated estimates" if report["calibrated"] else "its end, NOT CALIBRATED: the old model was kept"
    rows = [
        ("source", "SIMULATED" if is_simulated else report["source"]),
        ("recording", report["recording"]),
        ("publish rate", f"{report['publish_rate_hz']:.1f} Hz"),
        ("age p50, p99", f"{1000 * report['age_s']['p50']:.1f} ms, {1000 * report['age_s']['p99']:.1f} ms"),
        ("messages lost", str(report["messages_lost"])),
        ("longest gap, playing", f"{1000 * report['largest_gap_s']['playing']:.0f} ms"),
        ("longest gap, calibrating", f"{1000 * report['largest_gap_s']['calibrating']:.0f} ms"),
        ("calibration", f"{report['calibration_wall_s']:.1f} s from call to {outcome}"),
        ("r before, after", f"{report['r_before']:.3f}, {report['r_after']:.3f}"),
        ("R² before, after", f"{report['r2_before']:.3f}, {report['r2_after']:.3f}"),
    ]
    return "\n".join(f"  {name:<26}{value}" for name, value in rows)


def _by_muscle(scores: Mapping[str, Mapping[str, Scores]], figure: str) -> dict[str, dict[str, float]]:
    return {
        when: {muscle: getattr(entry, figure) for muscle, entry in by_muscle.items()}
        for when, by_muscle in scores.items()
    }
