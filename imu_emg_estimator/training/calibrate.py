"""Calibration: adapt on the first part of a bag, judge on the rest, keep only what is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from imu_emg_estimator.datasets.bag import BagTooShort
from imu_emg_estimator.model.bundle import Bundle, Calibration
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.adapt import SHORTEST, AdaptationSettings, adapt, exchanged_muscles
from imu_emg_estimator.training.evaluate import estimate_envelopes
from imu_emg_estimator.training.metrics import FIGURES, Scores, score

JUDGED_SHARE = 0.3  # of the recording, at its end
SHORTEST_JUDGED = 3.0  # s
GAP = 1.0  # s between the two parts: the envelope's filter reaches that far
TOLERATED_LOSS = 0.01  # of r
LEAST_R = 0.2  # below, the EMG does not go with the movement: anything "betters" an estimate of noise

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class CalibrationResult:
    """What came of a calibration.

    Attributes:
        bundle: the adapted bundle, or None if it was not better on the judged part.
        before, after: scores by muscle on the judged part, of the running and of the adapted bundle.
        adapted_seconds, judged_seconds: lengths of the two parts [s].
        exchanged: muscles whose EMG goes with the movement of the other side; the result follows it.
    """

    bundle: Bundle | None
    before: dict[str, Scores]
    after: dict[str, Scores]
    adapted_seconds: float
    judged_seconds: float
    exchanged: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The outcome in one sentence, and a warning where leads seem to be exchanged."""
        if not self.exchanged:
            return self._outcome
        return (
            f"{self._outcome}; WARNING: the EMG of {', '.join(self.exchanged)} goes with the movement of the other "
            "side, and so do the estimates now: check the leads, and calibrate again if they were exchanged"
        )

    @property
    def _outcome(self) -> str:
        figures = f"r {mean(self.before, 'r'):.2f} before, {mean(self.after, 'r'):.2f} after"
        if np.isfinite(mean(self.before, "r2")):
            figures += f", R² {mean(self.before, 'r2'):.2f} before, {mean(self.after, 'r2'):.2f} after"
        judged = f"on {self.judged_seconds:.0f} s that were not used to adapt"
        if self.bundle is None:
            reason = "not better" if mean(self.after, "r") >= LEAST_R else "the EMG hardly follows the movement"
            return f"{reason} {judged} ({figures}): the old model was kept; check the electrodes and record again"
        return f"adapted on {self.adapted_seconds:.0f} s, {figures} {judged}"

    def to_dict(self) -> dict[str, Any]:
        """Plain figures: muscle names, and every figure before and after as lists in their order."""
        lists = {
            f"{figure}_{when}": [getattr(entry, figure) for entry in scores.values()]
            for when, scores in (("before", self.before), ("after", self.after))
            for figure in FIGURES
        }
        calibration = self.bundle.calibration if self.bundle else None
        return {
            "success": self.bundle is not None,
            "message": self.message,
            "calibration": asdict(calibration) if calibration else None,
            "muscle_names": list(self.before),
            "exchanged": list(self.exchanged),
            **lists,
        }


def calibrate(
    base: Bundle,
    recording: Recording,
    subject: str,
    running: Bundle | None = None,
    settings: AdaptationSettings | None = None,
    progress: Progress | None = None,
) -> CalibrationResult:
    """Adapt a bundle to the wearer of a recording and judge the result on a part not used to adapt.

    Args:
        base: the bundle to adapt; a calibration starts from the wearer-independent one.
        running: the bundle in use, that the result must not be worse than; None = ``base``.

    Raises:
        InputError: too short, another rig, an unknown method.
    """
    settings = settings or AdaptationSettings()
    running = running or base
    adapting, judging = _split(recording)
    adapted = adapt(base, [adapting], settings, progress)
    before, after = judge(running, judging), judge(adapted, judging)
    better = _is_better(before, after)
    calibration = Calibration.made_now(
        subject=subject,
        method=settings.method,
        bag=recording.name,
        seconds=adapting.duration,
        settings=asdict(settings),
        figures={
            "running": running.model_id,
            "judged_seconds": judging.duration,
            "muscles": {muscle: {"before": before[muscle], "after": after[muscle]} for muscle in before},
        },
    )
    return CalibrationResult(
        bundle=replace(adapted, calibration=calibration) if better else None,
        before=before,
        after=after,
        adapted_seconds=adapting.duration,
        judged_seconds=judging.duration,
        exchanged=tuple(exchanged_muscles(base, [adapting])),
    )


def mean(scores: dict[str, Scores], figure: str) -> float:
    """Mean of a figure over muscles, those left out where it is not defined; NaN if there is none."""
    values = [getattr(entry, figure) for entry in scores.values()]
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _split(recording: Recording) -> tuple[Recording, Recording]:
    rate = recording.rig.rate
    end = round(len(recording) * (1 - JUDGED_SHARE))
    adapting = recording.slice(0, end)
    judging = recording.slice(min(end + round(GAP * rate), len(recording)), len(recording))
    needed = max(SHORTEST / (1 - JUDGED_SHARE), (SHORTEST_JUDGED + GAP) / JUDGED_SHARE)
    if recording.duration < needed:
        raise BagTooShort(
            f"bag {recording.name} has {recording.duration:.1f} s of synchronised IMU and EMG, "
            f"at least {np.ceil(needed):.0f} s are needed to adapt and to judge; record 30 to 60 s of walking"
        )
    return adapting, judging


def judge(bundle: Bundle, recording: Recording) -> dict[str, Scores]:
    """Scores of every measured muscle; R² and nRMSE are NaN where the units cannot be compared."""
    estimated = estimate_envelopes(bundle, [recording])
    result = {}
    for index, muscle in enumerate(bundle.rig.muscle_names):
        if recording.muscle_weight[index] > 0:
            entry = score(recording.envelope[:, index], estimated[:, index])
            comparable = bundle.reference.unit_of(index) == recording.envelope_unit
            result[muscle] = entry if comparable else replace(entry, r2=float("nan"), nrmse=float("nan"))
    return result


def _is_better(before: dict[str, Scores], after: dict[str, Scores]) -> bool:
    """Whether the mean r is one of a movement and did not fall, and the mean R² rose where it can be compared.

    Not where nothing has changed: no electrode was worth adapting to.
    """
    if after == before:
        return False
    if not mean(after, "r") >= max(mean(before, "r") - TOLERATED_LOSS, LEAST_R):
        return False
    old = mean(before, "r2")
    return bool(np.isnan(old) or mean(after, "r2") >= old)
