"""Calibration: a subject's recordings, judged, into a better bundle for that subject; never into a worse one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from imu_emg_estimator.bags import BagTooShort
from imu_emg_estimator.calibration.adaptation import (
    METHOD,
    MIN_STEPS,
    AdaptationSettings,
    adapt_estimator,
    adapted_share,
)
from imu_emg_estimator.calibration.adapted_bundle import adapted_reference, check_rig
from imu_emg_estimator.calibration.calibration_limits import MIN_CALIBRATION_S, MIN_ESTIMATE_R
from imu_emg_estimator.calibration.cross_fitting import FOLDS, CrossFit, cross_fit, scale_of
from imu_emg_estimator.calibration.improvement import Gain, gain_in_r, gain_in_r2
from imu_emg_estimator.calibration.recording_quality import Quality, assess
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.geglu_transformer import weights_of
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, estimator_of
from imu_emg_estimator.model.sensor_drift import MOTION, motion_profile
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES, Scores, score
from imu_emg_estimator.signals.signal_quality import Stream
from imu_emg_estimator.utils.progress import Progress, StepProgress, Work

ADAPTED, SCALED, KEPT = "adapted", "scaled", "kept"  # what came of a muscle
TRIAL_SHARE = 0.5  # of the optimiser steps, in models that only judge
WORTH = 0.005  # gain in r, or of an amplitude in R², below which nothing is changed, however sure it is
WHOLE, HEADS = "whole", "heads"  # all weights, or the heads of some muscles
CHECKING, JUDGING, ADAPTING = "checking", "judging", "adapting"
PHASES = {CHECKING: 0.1, JUDGING: 0.6, ADAPTING: 0.3}  # share of the time that each takes


@dataclass(frozen=True)
class MuscleOutcome:
    """What came of one muscle.

    Attributes:
        decision: ``adapted``, ``scaled`` (only its amplitude was fitted) or ``kept`` (as it was).
        before, after: scores of the bundle in use and of the new one, both on data that they were not adapted to;
            R² and nRMSE are NaN where the units cannot be compared.
        gain: in r, of what was tried last, whether it was taken or not.
        gain_r2: the same in R²; None where the units cannot be compared.
    """

    decision: str
    before: Scores
    after: Scores
    gain: Gain
    gain_r2: Gain | None = None


@dataclass(frozen=True)
class CalibrationResult:
    """What came of a calibration.

    Attributes:
        bundle: the new bundle, or None if no muscle got better.
        muscles: outcome by muscle, of those that were judged.
        quality: verdicts on the recordings.
        seconds: that were adapted to, and judged, block by block.
    """

    bundle: Bundle | None
    muscles: Mapping[str, MuscleOutcome]
    quality: Quality
    seconds: float

    @property
    def before(self) -> dict[str, Scores]:
        """Scores by muscle of the bundle in use."""
        return {name: outcome.before for name, outcome in self.muscles.items()}

    @property
    def after(self) -> dict[str, Scores]:
        """Scores by muscle of the new bundle; those before where there is none."""
        return {name: outcome.after for name, outcome in self.muscles.items()}

    @property
    def exchanged(self) -> tuple[str, ...]:
        """Muscles whose EMG goes with the movement of the other side; what was adapted follows it."""
        return tuple(
            name for finding in self.quality.findings if finding.kind == "exchanged" for name in finding.channels
        )

    @property
    def message(self) -> str:
        """The outcome in one or two sentences."""
        if self.quality.refusal:
            return f"the recording was refused, the old model was kept: {self.quality.refusal}"
        return f"{self._outcome}{self._warning}"

    @property
    def _outcome(self) -> str:
        figures = f"r {mean(self.before, 'r'):.2f} before, {mean(self.after, 'r'):.2f} after"
        if np.isfinite(mean(self.before, "r2")):
            figures += f", R² {mean(self.before, 'r2'):.2f} before, {mean(self.after, 'r2'):.2f} after"
        if self.bundle is None:
            weak = max((entry.r for entry in self.before.values()), default=0.0) < MIN_ESTIMATE_R
            why = "the EMG hardly follows the movement" if weak else "no muscle is surely better"
            return (
                f"the old model was kept, {why} on {self.seconds:.0f} s (r {mean(self.before, 'r'):.2f}): "
                "check the electrodes and record again"
            )
        notes = {SCALED: "only the amplitude of {} was fitted", KEPT: "{} stays as it was"}
        aside = [
            note.format(_and([name for name, outcome in self.muscles.items() if outcome.decision == decision]))
            for decision, note in notes.items()
            if decision in {outcome.decision for outcome in self.muscles.values()}
        ]
        end = f"; {', '.join(aside)}, for want of a sure gain" if aside else ""
        return f"adapted to {self.seconds:.0f} s, {figures}, on data that were held out in turn{end}"

    @property
    def _warning(self) -> str:
        parts = []
        if self.exchanged:
            parts.append(
                f"the EMG of {_and(self.exchanged)} goes with the movement of the other side, and so do the estimates "
                "now: check the leads, and calibrate again if they were exchanged"
            )
        if self.quality.left_out:
            parts.append(f"{_and(self.quality.left_out)} was left out, see the verdicts")
        return f". WARNING: {'; '.join(parts)}" if parts else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain figures: muscle names, and every figure before and after as lists in their order; all else by name."""
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
            "seconds": self.seconds,
            "muscle_names": list(self.muscles),
            "decisions": {name: outcome.decision for name, outcome in self.muscles.items()},
            "gain_r": {name: _interval(outcome.gain) for name, outcome in self.muscles.items()},
            "exchanged": list(self.exchanged),
            "refused": self.quality.refusal,
            "quality": self.quality.to_dict(),
            **lists,
        }


def calibrate(
    base: Bundle,
    recordings: Recording | Sequence[Recording],
    subject: str,
    running: Bundle | None = None,
    settings: AdaptationSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
    stream: Stream | None = None,
    stop: Callable[[], bool] | None = None,
) -> CalibrationResult:
    """Adapt a bundle to a subject and judge the result on data that it was not adapted to.

    The recordings are cut into blocks, and each is estimated by models adapted to the others. What is surely better so,
    muscle by muscle, is then adapted to all of them; all else stays as it is.

    Args:
        base: the bundle to adapt; a calibration starts from the subject-independent one.
        recordings: of the subject: one, or several of different days, loads and activities, which then all count.
        running: the bundle in use, that the result must not be worse than; None = ``base``.
        progress: told at every optimiser step how far it is; its phases are ``PHASES``, then ``done``.
        stream: what the reader of the bag knows of its channels.
        stop: asked as often whether to end without a result.

    Raises:
        InputError: too short, another rig or unit, an unknown method.
        Stopped: ``stop`` said so.
    """
    recordings = [recordings] if isinstance(recordings, Recording) else list(recordings)
    settings, running = settings or AdaptationSettings(), running or base
    _check(base, recordings)
    work = Work(PHASES, progress, stop)
    work.begin(CHECKING)
    quality = assess(base, recordings, stream)
    seconds = _known_seconds(recordings)
    if quality.refusal:
        work.done()
        return CalibrationResult(None, {}, quality, seconds)
    usable = quality.usable(recordings)
    fits = _Fits(base, settings, share=adapted_share(seconds), work=work)
    work.begin(JUDGING)
    ways = {HEADS: fits.heads}
    if len(_judged(usable)) == len(base.rig.muscles):  # a muscle without EMG must not change unseen
        ways[WHOLE] = fits.whole_on_trial
    found = cross_fit(estimator_of(running), ways, usable, recordings)
    way, muscles = _decide(found, base, running, usable)
    bundle = None
    if any(outcome.decision != KEPT for outcome in muscles.values()):
        work.begin(ADAPTING)
        adapted = fits.finally_(way, usable) if way else None
        bundle = _composed(base, running, adapted, way, muscles, found, usable[0].envelope_unit)
        bundle = replace(bundle, normalisation=quality.normalisation(bundle.normalisation))
        calibration = _identity(subject, recordings, seconds, settings, running, way, quality, muscles)
        bundle = replace(bundle, calibration=_with_motion(calibration, base, usable))
    work.done()
    return CalibrationResult(bundle, muscles, quality, seconds)


def judge(bundle: Bundle, recording: Recording) -> dict[str, Scores]:
    """Scores of every measured muscle; R² and nRMSE are NaN where the units cannot be compared."""
    estimated = estimate_envelopes(bundle, [recording])
    result = {}
    for index, muscle in enumerate(bundle.rig.muscle_names):
        if recording.muscle_weight[index] > 0:
            entry = score(recording.envelope[:, index], estimated[:, index])
            result[muscle] = entry if _is_comparable(bundle, index, recording) else _without_units(entry)
    return result


def mean(scores: Mapping[str, Scores], figure: str) -> float:
    """Mean of a figure over muscles, those left out where it is not defined; NaN if there is none."""
    values = [getattr(entry, figure) for entry in scores.values()]
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _check(base: Bundle, recordings: Sequence[Recording]) -> None:
    for recording in recordings:
        check_rig(base, recording)
        if recording.envelope_unit != recordings[0].envelope_unit:
            raise InputError(
                f"the EMG of {recording.name} is in {recording.envelope_unit}, that of {recordings[0].name} in "
                f"{recordings[0].envelope_unit}; calibrate on recordings of one unit"
            )
    if (seconds := _known_seconds(recordings)) < MIN_CALIBRATION_S:
        names = _and([recording.name for recording in recordings])
        raise BagTooShort(
            f"bag {names} has {seconds:.1f} s of synchronised IMU and EMG, at least {MIN_CALIBRATION_S:.0f} s are "
            "needed to adapt and to judge; record 30 to 60 s of walking"
        )


def _known_seconds(recordings: Sequence[Recording]) -> float:
    """With the EMG of at least one muscle [s]."""
    rows = [np.isfinite(recording.envelope[:, recording.muscle_weight > 0]).any(axis=1) for recording in recordings]
    return float(np.concatenate(rows).sum()) / recordings[0].rig.rate


class _Fits:
    """The ways to adapt a bundle to a subject."""

    def __init__(self, base: Bundle, settings: AdaptationSettings, share: float, work: Work) -> None:
        self._given, self._share, self._work = estimator_of(base), share, work
        self._settings = settings
        self._trial = replace(settings, steps=max(MIN_STEPS, round(TRIAL_SHARE * settings.steps)))
        self._trials = 0

    def whole_on_trial(self, recordings: Sequence[Recording]) -> Estimator:
        """All weights, in fewer steps than in the end: what is judged is no better than what is given."""
        begun, self._trials = self._trials, self._trials + 1

        def told(step: int, steps: int, loss: float) -> None:
            self._work.advance((begun + step / steps) / FOLDS, loss)

        return self._adapted(recordings, self._trial, told)

    def heads(self, recordings: Sequence[Recording]) -> Estimator:
        """The heads alone, in closed form: a muscle's head does not depend on the others'."""
        return adapt_estimator(self._given, recordings, self._settings, share=self._share, heads_only=True)

    def finally_(self, way: str, recordings: Sequence[Recording]) -> Estimator:
        """The way that was chosen."""

        def told(step: int, steps: int, loss: float) -> None:
            self._work.advance(step / steps, loss)

        return self._adapted(recordings, self._settings, told) if way == WHOLE else self.heads(recordings)

    def _adapted(
        self,
        recordings: Sequence[Recording],
        settings: AdaptationSettings,
        told: StepProgress,
    ) -> Estimator:
        return adapt_estimator(self._given, recordings, settings, told, self._share)


# decisions


def _judged(recordings: Sequence[Recording]) -> list[int]:
    """Muscles with EMG that is trusted."""
    known = [np.isfinite(recording.envelope) & (recording.muscle_weight > 0) for recording in recordings]
    return [int(muscle) for muscle in np.flatnonzero(np.concatenate(known).any(axis=0))]


def _decide(
    found: CrossFit, base: Bundle, running: Bundle, recordings: Sequence[Recording]
) -> tuple[str | None, dict[str, MuscleOutcome]]:
    """What of it is taken: the way to adapt, if any, and the outcome of every judged muscle."""
    names = {muscle: base.rig.muscle_names[muscle] for muscle in _judged(recordings)}
    trials = {
        muscle: _Trial(found, muscle, base.rig.rate, _is_comparable(running, muscle, recordings[0])) for muscle in names
    }
    whole = found.adapted.get(WHOLE)
    if whole is not None and all(trial.is_better(whole) for trial in trials.values()):
        return WHOLE, {names[muscle]: trial.outcome(ADAPTED, whole) for muscle, trial in trials.items()}
    heads = found.adapted[HEADS]
    better = [muscle for muscle, trial in trials.items() if trial.is_better(heads)]
    if len(better) < len(base.rig.muscles) and not _share_all_but_heads(base, running):
        better = []  # a head of one network means nothing to another
    outcomes = {
        names[muscle]: trial.outcome(ADAPTED, heads) if muscle in better else trial.rest(heads)
        for muscle, trial in trials.items()
    }
    if any(outcome.after.r < outcome.before.r for name, outcome in outcomes.items() if outcome.decision != ADAPTED):
        return None, {names[muscle]: trial.unchanged(heads) for muscle, trial in trials.items()}
    return HEADS if better else None, outcomes


@dataclass(frozen=True)
class _Trial:
    """What is known of one muscle.

    Attributes:
        comparable: whether the bundle in use estimates in the unit of the EMG.
    """

    found: CrossFit
    muscle: int
    rate: float
    comparable: bool

    @property
    def measured(self) -> FloatArray:
        return self.found.measured[:, self.muscle]

    @property
    def before(self) -> FloatArray:
        return self.found.before[:, self.muscle]

    def is_better(self, estimate: FloatArray) -> bool:
        """Whether an estimate [samples, muscles] is surely better in r, one of a movement, and not worse in R²."""
        after, gain = estimate[:, self.muscle], self._gain(estimate)
        if score(self.measured, after).r < MIN_ESTIMATE_R or not gain.sure or gain.change < WORTH:
            return False
        return not self.comparable or gain_in_r2(self.measured, self.before, after, self.rate).change >= 0.0

    def outcome(self, decision: str, estimate: FloatArray) -> MuscleOutcome:
        """With an estimate [samples, muscles] that was taken."""
        after = estimate[:, self.muscle]
        before = score(self.measured, self.before)
        return MuscleOutcome(
            decision,
            before=before if self.comparable else _without_units(before),
            after=score(self.measured, after),
            gain=gain_in_r(self.measured, self.before, after, self.rate),
            gain_r2=gain_in_r2(self.measured, self.before, after, self.rate) if self.comparable else None,
        )

    def rest(self, tried: FloatArray) -> MuscleOutcome:
        """Where the shape stays: with its amplitude fitted if that is surely better, else as it was."""
        scaled = self.found.scaled[:, self.muscle]
        follows = score(self.measured, self.before).r >= MIN_ESTIMATE_R
        if self.comparable:
            gain = gain_in_r2(self.measured, self.before, scaled, self.rate)
            good = gain.sure and gain.change >= WORTH
        else:
            good = score(self.measured, scaled).r2 > 0.0
        if follows and good:  # an amplitude does not touch r
            fitted, shape = (self.outcome(SCALED, part) for part in (self.found.scaled, self.found.kept))
            return replace(fitted, after=replace(fitted.after, r=shape.after.r), gain=shape.gain)
        return replace(self.outcome(KEPT, self.found.kept), gain=self._gain(tried))

    def unchanged(self, tried: FloatArray) -> MuscleOutcome:
        """Where the bundle in use stays in use."""
        kept = self.outcome(KEPT, self.found.before)
        return replace(kept, after=kept.before, gain=self._gain(tried))

    def _gain(self, estimate: FloatArray) -> Gain:
        return gain_in_r(self.measured, self.before, estimate[:, self.muscle], self.rate)


def _is_comparable(bundle: Bundle, muscle: int, recording: Recording) -> bool:
    return bundle.reference.unit_of(muscle) == recording.envelope_unit


def _without_units(entry: Scores) -> Scores:
    return replace(entry, r2=float("nan"), nrmse=float("nan"))


def _share_all_but_heads(base: Bundle, other: Bundle) -> bool:
    """Whether the heads of one bundle can be put into the other."""
    same_input = np.array_equal(base.normalisation.used, other.normalisation.used)
    return same_input and all(
        np.array_equal(value, other.weights[name]) for name, value in base.weights.items() if not _is_head(name)
    )


def _is_head(name: str) -> bool:
    return name.partition(".")[0] in ("head", "deviation_head")


# the new bundle


def _composed(
    base: Bundle,
    running: Bundle,
    adapted: Estimator | None,
    way: str | None,
    muscles: Mapping[str, MuscleOutcome],
    found: CrossFit,
    unit: str,
) -> Bundle:
    """The adapted weights where they were taken, those in use in all other places."""
    decisions = [muscles[name].decision if name in muscles else KEPT for name in base.rig.muscle_names]
    own = base if set(decisions) == {ADAPTED} else running
    if way == WHOLE:
        assert adapted is not None
        weights, reference = weights_of(adapted.network), adapted_reference(base.reference, adapted.amplitude, unit)
    else:
        weights = {name: value.copy() for name, value in own.weights.items()}
        amplitude = np.array(running.reference.amplitude)
        scale = scale_of(found.measured, found.kept)
        taken = weights_of(adapted.network) if adapted else {}
        for index, decision in enumerate(decisions):
            if decision == SCALED:
                amplitude[index] *= scale[index]
            elif decision == ADAPTED:
                assert adapted is not None
                amplitude[index] = adapted.amplitude[index]
                for weight in filter(_is_head, weights):
                    weights[weight][index] = taken[weight][index]
        reference = adapted_reference(running.reference, amplitude, unit)
    return replace(
        base,
        weights=weights,
        normalisation=own.normalisation,
        reference=reference,
        parent_id=base.model_id,
        scores={},
    )


def _identity(
    subject: str,
    recordings: Sequence[Recording],
    seconds: float,
    settings: AdaptationSettings,
    running: Bundle,
    way: str | None,
    quality: Quality,
    muscles: Mapping[str, MuscleOutcome],
) -> Calibration:
    return Calibration.made_now(
        subject=subject,
        method=METHOD,
        bag=", ".join(recording.name for recording in recordings),
        seconds=seconds,
        settings=asdict(settings),
        figures={
            "running": running.model_id,
            "judged_seconds": seconds,
            "way": way or SCALED,
            "left_out": quality.left_out,
            "muscles": {
                name: {
                    "before": asdict(outcome.before),
                    "after": asdict(outcome.after),
                    "decision": outcome.decision,
                    "gain": _interval(outcome.gain),
                }
                for name, outcome in muscles.items()
            },
        },
    )


def _with_motion(calibration: Calibration, base: Bundle, recordings: Sequence[Recording]) -> Calibration:
    """With what the subject's movement was like, so that drift is noticed later, see ``model.drift``."""
    if base.distribution is None:
        return calibration
    profile = motion_profile(
        np.concatenate([recording.imu for recording in recordings]), base.rig.rate, base.distribution
    )
    return replace(calibration, figures={**calibration.figures, MOTION: profile.to_dict()})


def _interval(gain: Gain) -> dict[str, Any]:
    known = {name: value for name, value in asdict(gain).items() if np.isfinite(value)}
    return {name: known.get(name) for name in asdict(gain)}


def _and(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
