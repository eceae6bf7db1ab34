"""Calibration: a subject's recordings, judged, into a better bundle for that subject; never into a worse one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from imu_emg_estimator.bags import BagTooShort
from imu_emg_estimator.calibration.adaptation import (
    MIN_STEPS,
    AdaptationSettings,
    adapt_estimator,
    adapted_share,
    check_rig,
)
from imu_emg_estimator.calibration.calibration_decision import (
    AMPLITUDES,
    HEADS,
    WHOLE,
    carries_over,
    compose_bundle,
    decide,
    without_units,
)
from imu_emg_estimator.calibration.calibration_report import (
    KEPT,
    SCALED,
    CalibrationReport,
    MuscleOutcome,
    joined,
    outcome_message,
    refusal_message,
)
from imu_emg_estimator.calibration.cross_fitting import FOLDS, Adapt, CrossFit, cross_fit
from imu_emg_estimator.calibration.recording_quality import Quality, assess
from imu_emg_estimator.calibration.request import METHOD
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import CURVES, Calibration
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves, Envelopes, curves_of, in_unit, interval_half_width
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, estimator_of, published_estimate
from imu_emg_estimator.model.sensor_drift import MOTION, motion_profile
from imu_emg_estimator.model.told_by_motion import little_told
from imu_emg_estimator.recording import FloatArray, Recording, trusted_envelope
from imu_emg_estimator.signals.accuracy_metrics import Scores, score
from imu_emg_estimator.signals.signal_quality import Stream
from imu_emg_estimator.utils.json_values import json_compatible
from imu_emg_estimator.utils.progress import Progress, Work

MIN_CALIBRATION_S = 14.0  # of synchronised IMU and EMG: less can be adapted to, but not judged
TRIAL_SHARE = 0.5  # of the optimiser steps, in models that only judge
CHECKING, JUDGING, ADAPTING = "checking", "judging", "adapting"
PHASES = {CHECKING: 0.1, JUDGING: 0.6, ADAPTING: 0.3}  # share of the time that each takes


@dataclass(frozen=True)
class CalibrationResult:
    """What came of a calibration.

    Attributes:
        bundle: the new bundle, or None if no muscle got better.
        report: figures and words.
        quality: verdicts on the recordings.
    """

    bundle: Bundle | None
    report: CalibrationReport
    quality: Quality


def calibrate(
    base: Bundle,
    recordings: Recording | Sequence[Recording],
    subject: str,
    running: Bundle | None = None,
    settings: AdaptationSettings = AdaptationSettings(),
    progress: Callable[[Progress], None] | None = None,
    stream: Stream = Stream(),
    stop: Callable[[], bool] | None = None,
    accept_exchanged: bool = False,
) -> CalibrationResult:
    """Adapt a bundle to a subject and judge the result on data that it was not adapted to.

    The recordings are cut into blocks, and each is estimated by models adapted to the others. What is significantly
    better so, muscle by muscle, is then adapted to all of them; all else stays as it is.

    Args:
        base: the bundle to adapt; a calibration starts from the subject-independent one.
        recordings: of the subject: one, or several of different days, loads and activities, which then all count; of
            one name, parts of one.
        running: the bundle in use, that the result must not be worse than; None = ``base``.
        progress: called at every optimiser step; its phases are ``PHASES``, then ``done``.
        stream: what the reader of the bag knows of its channels.
        stop: called as often; whether to end without a result.
        accept_exchanged: see ``assess``.

    Raises:
        InputError: too short, or another rig or unit.
        Stopped: ``stop`` said so.
    """
    recordings = [recordings] if isinstance(recordings, Recording) else list(recordings)
    running = running or base
    seconds = _check(base, recordings)
    work = Work(PHASES, progress, stop)
    work.begin(CHECKING)
    quality = assess(base, recordings, stream, accept_exchanged)
    if quality.refusal:
        work.done()
        return CalibrationResult(None, _with_worth(base, _refused(quality, seconds)), quality)
    usable = quality.usable(recordings)
    trials = _Trials(base, settings, adapted_share(seconds), work)
    work.begin(JUDGING)
    measured = np.isfinite(trusted_envelope(usable)).any(axis=0)
    ways: dict[str, Adapt] = {HEADS: partial(trials.final, HEADS)} | (
        {WHOLE: trials.whole} if measured.all() else {}
    )  # no muscle may change unseen
    found = cross_fit(estimator_of(running), ways, usable, quality.turned_back(recordings))
    unit = recordings[0].envelope_unit
    way, muscles = decide(found, base, running, unit, carries_over(base, len({own.name for own in recordings})))
    bundle = None
    if any(outcome.decision != KEPT for outcome in muscles.values()):
        work.begin(ADAPTING)
        adapted = trials.final(way, usable) if way in ways else None
        bundle = compose_bundle(base, running, adapted, way, muscles, unit)
    curves = _held_out_curves(found, muscles, way, bundle or running, running, usable)
    if bundle:
        figures = {
            "running": running.model_id,
            "judged_seconds": seconds,
            "way": way if way in ways else SCALED,
            "left_out": quality.left_out,
            "verdicts": quality.verdicts(),
            CURVES: curves,
            "muscles": {name: _recorded(outcome) for name, outcome in muscles.items()},
            **_motion(base, np.concatenate([recording.imu for recording in usable])),
        }
        bag = ", ".join(recording.name for recording in recordings)
        bundle = replace(
            bundle,
            normalisation=bundle.normalisation if way == AMPLITUDES else quality.normalisation(bundle.normalisation),
            calibration=Calibration.made_now(subject, METHOD, bag, seconds, asdict(settings), figures),
        )
    work.done()
    report = _report(bundle, muscles, seconds, quality, curves)
    return CalibrationResult(bundle, _with_worth(base, report), quality)


def _with_worth(base: Bundle, report: CalibrationReport) -> CalibrationReport:
    """Say, too, of which muscles motion tells little: no calibration changes that much."""
    sentence = little_told(base.scores)
    return replace(report, message=f"{report.message}; {sentence}") if sentence else report


def _refused(quality: Quality, seconds: float) -> CalibrationReport:
    return CalibrationReport(
        False,
        refusal_message(quality.refusal),
        seconds=seconds,
        refusal=quality.refusal,
        exchanged=quality.exchanged,
        quality=quality.to_dict(),
    )


def _report(
    bundle: Bundle | None,
    muscles: Mapping[str, MuscleOutcome],
    seconds: float,
    quality: Quality,
    curves: EnvelopeCurves,
) -> CalibrationReport:
    return CalibrationReport(
        success=bundle is not None,
        message=outcome_message(muscles, seconds, quality.exchanged, quality.left_out),
        muscles=muscles,
        seconds=seconds,
        exchanged=quality.exchanged,
        quality=quality.to_dict(),
        calibration=asdict(bundle.calibration) if bundle and bundle.calibration else None,
        curves=curves,
    )


def judge(bundle: Bundle, recording: Recording) -> dict[str, Scores]:
    """Score every measured muscle; R² and nRMSE are NaN where the units cannot be compared."""
    estimated = estimate_envelopes(bundle, [recording])
    result = {}
    for index, muscle in enumerate(bundle.rig.muscle_names):
        if recording.muscle_weight[index] > 0:
            entry = score(recording.envelope[:, index], estimated[:, index])
            comparable = bundle.reference.unit_of(index) == recording.envelope_unit
            result[muscle] = entry if comparable else without_units(entry)
    return result


def _check(base: Bundle, recordings: Sequence[Recording]) -> float:
    """Return the seconds with the EMG of a muscle; raises InputError where they cannot be calibrated on."""
    for recording in recordings:
        check_rig(base, recording)
        if recording.envelope_unit != recordings[0].envelope_unit:
            raise InputError(
                f"the EMG of {recording.name} is in {recording.envelope_unit}, that of {recordings[0].name} in "
                f"{recordings[0].envelope_unit}; calibrate on recordings of one unit"
            )
    known = np.isfinite(trusted_envelope(recordings)).any(axis=1)
    seconds = float(known.sum()) / recordings[0].rig.rate
    if seconds < MIN_CALIBRATION_S:
        names = joined([recording.name for recording in recordings])
        raise BagTooShort(
            f"bag {names} has {seconds:.1f} s of synchronised IMU and EMG, at least {MIN_CALIBRATION_S:.0f} s are "
            "needed to adapt and to judge; record 30 to 60 s of walking"
        )
    return seconds


class _Trials:
    """The ways to adapt a bundle to a subject, on trial and in the end."""

    def __init__(self, base: Bundle, settings: AdaptationSettings, share: float, work: Work) -> None:
        self._given, self._settings, self._share, self._work = estimator_of(base), settings, share, work
        self._folds_done = 0

    def whole(self, recordings: Sequence[Recording]) -> Estimator:
        """Adapt all weights, in fewer steps than in the end: what is judged is no better than what is given."""
        begun, self._folds_done = self._folds_done, self._folds_done + 1
        trial = replace(self._settings, steps=max(MIN_STEPS, round(TRIAL_SHARE * self._settings.steps)))
        return self._adapt(recordings, trial, begun, FOLDS)

    def final(self, way: str, recordings: Sequence[Recording]) -> Estimator:
        """Adapt all weights, or the heads alone, in closed form: a muscle's head does not depend on the others'."""
        return self._adapt(recordings, self._settings, heads_only=way == HEADS)

    def _adapt(
        self,
        recordings: Sequence[Recording],
        settings: AdaptationSettings,
        begun: int = 0,
        total: int = 1,
        heads_only: bool = False,
    ) -> Estimator:
        """Adapt for one of so many times in a phase, some of which have begun before."""

        def advance(step: int, steps: int, loss: float) -> None:
            self._work.advance((begun + step / steps) / total, loss)

        return adapt_estimator(self._given, recordings, settings, advance, self._share, heads_only)


def _recorded(outcome: MuscleOutcome) -> dict[str, Any]:
    """Give what the bundle's record holds of a muscle."""
    return {
        "before": asdict(outcome.before),
        "after": asdict(outcome.after),
        "decision": outcome.decision,
        "gain": json_compatible(outcome.improvement),
        "amplitude": json_compatible(outcome.amplitude),
        "share": outcome.share,
    }


def _motion(base: Bundle, imu: FloatArray) -> dict[str, Any]:
    """Give what the subject's movement was like, so that drift is noticed later, see ``model.sensor_drift``."""
    if base.distribution is None:
        return {}
    return {MOTION: motion_profile(imu, base.rig.rate, base.distribution).to_dict()}


def _held_out_curves(
    found: CrossFit, muscles: Mapping[str, MuscleOutcome], way: str | None, bundle: Bundle, running: Bundle,
    recordings: Sequence[Recording],
) -> EnvelopeCurves:  # fmt: skip
    """Give the curves of a typical stretch: every estimate by models that had not seen the EMG beside it.

    Args:
        muscles, way: what was decided.
        bundle: the new one, whose intervals are shown; the one in use where there is none.
        running: the one in use.
        recordings: what was judged, as the new bundle sees it.
    """
    rig, unit = bundle.rig, recordings[0].envelope_unit
    deviation = np.concatenate([published_estimate(bundle, own.imu)[1] for own in recordings])
    half_width = interval_half_width(bundle, deviation)
    changed = [name in muscles and muscles[name].decision != KEPT for name in rig.muscle_names]
    envelopes = Envelopes(
        found.measured,
        np.where(in_unit(bundle, unit), _estimate(found, muscles, way, rig.muscle_names), np.nan),
        np.where(in_unit(bundle, unit), half_width, np.nan),
        np.where(in_unit(running, unit) & np.array(changed), found.before, np.nan),
    )
    return curves_of(envelopes, rig.muscle_names, rig.rate, unit)


def _estimate(
    found: CrossFit, muscles: Mapping[str, MuscleOutcome], way: str | None, names: Sequence[str]
) -> FloatArray:
    """Take each muscle's estimate [samples, muscles] by what was decided on it."""
    columns = [_column(found, muscles.get(name), way, index) for index, name in enumerate(names)]
    return np.stack(columns, axis=1)


def _column(found: CrossFit, outcome: MuscleOutcome | None, way: str | None, muscle: int) -> FloatArray:
    if outcome is None or outcome.decision == KEPT:
        return found.before[:, muscle]
    if outcome.decision == SCALED or way is None:
        return found.scaled[:, muscle]
    return found.mixed(way, muscle, outcome.share)[1]
