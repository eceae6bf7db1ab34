"""Decide which muscles are adapted, scaled or kept, by what cross-fitting says of them, and compose the new bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.adaptation import adapted_reference
from imu_emg_estimator.calibration.calibration_report import ADAPTED, KEPT, MIN_ESTIMATE_R, SCALED, MuscleOutcome
from imu_emg_estimator.calibration.cross_fitting import CrossFit, scale_of
from imu_emg_estimator.calibration.improvement import Improvement, improvement_in_r, improvement_in_r2
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.geglu_transformer import weights_of
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.accuracy_metrics import Scores, score

WHOLE, HEADS = "whole", "heads"  # ways to adapt: all weights, or the heads of some muscles
MIN_IMPROVEMENT = 0.005  # in r, or of an amplitude in R²; below, nothing is changed, however significant it is


def decide(found: CrossFit, base: Bundle, running: Bundle, unit: str) -> tuple[str | None, dict[str, MuscleOutcome]]:
    """Decide which way to adapt, if any, and what becomes of every measured muscle.

    Args:
        found: estimates by ``HEADS`` and, where every muscle was measured, by ``WHOLE``.
        unit: of the EMG.
    """
    names, rate = base.rig.muscle_names, base.rig.rate
    trials = {
        int(muscle): _Trial(found, int(muscle), rate, running.reference.unit_of(int(muscle)) == unit)
        for muscle in np.flatnonzero(np.isfinite(found.measured).any(axis=0))
    }
    whole = found.adapted.get(WHOLE)
    if whole is not None and all(trial.is_better(whole) for trial in trials.values()):
        return WHOLE, {names[muscle]: trial.outcome(ADAPTED, whole) for muscle, trial in trials.items()}
    heads = found.adapted[HEADS]
    better = [muscle for muscle, trial in trials.items() if trial.is_better(heads)]
    if len(better) < len(names) and not _share_all_but_heads(base, running):
        better = []  # a head of one network means nothing to another
    outcomes = {
        muscle: trial.outcome(ADAPTED, heads) if muscle in better else trial.rest(heads)
        for muscle, trial in trials.items()
    }
    if any(outcome.after.r < outcome.before.r for outcome in outcomes.values() if outcome.decision != ADAPTED):
        return None, {names[muscle]: trial.unchanged(heads) for muscle, trial in trials.items()}
    return HEADS if better else None, {names[muscle]: outcome for muscle, outcome in outcomes.items()}


def without_units(entry: Scores) -> Scores:
    """Return the scores without those that need a common unit."""
    return replace(entry, r2=float("nan"), nrmse=float("nan"))


def _is_head(name: str) -> bool:
    """Whether a weight belongs to a head, and its rows to muscles."""
    return name.partition(".")[0] in ("head", "deviation_head")


@dataclass(frozen=True)
class _Trial:
    """What cross-fitting says of one muscle.

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
        """Whether an estimate [samples, muscles] is significantly better in r, follows the EMG, and keeps R²."""
        after, improvement = estimate[:, self.muscle], self._improvement(estimate)
        if score(self.measured, after).r < MIN_ESTIMATE_R or not _is_worth_it(improvement):
            return False
        return not self.comparable or self._improvement_r2(estimate).change >= 0.0

    def outcome(self, decision: str, estimate: FloatArray) -> MuscleOutcome:
        """Give the outcome of taking an estimate [samples, muscles]."""
        before = score(self.measured, self.before)
        return MuscleOutcome(
            decision,
            before=before if self.comparable else without_units(before),
            after=score(self.measured, estimate[:, self.muscle]),
            improvement=self._improvement(estimate),
            improvement_r2=self._improvement_r2(estimate) if self.comparable else None,
        )

    def rest(self, tried: FloatArray) -> MuscleOutcome:
        """Give the outcome where the shape stays: the amplitude is fitted if that is significantly better."""
        scaled = self.found.scaled[:, self.muscle]
        follows = score(self.measured, self.before).r >= MIN_ESTIMATE_R
        if self.comparable:
            good = _is_worth_it(self._improvement_r2(self.found.scaled))
        else:
            good = score(self.measured, scaled).r2 > 0.0
        if follows and good:  # an amplitude does not touch r
            fitted, shape = (self.outcome(SCALED, part) for part in (self.found.scaled, self.found.kept))
            return replace(fitted, after=replace(fitted.after, r=shape.after.r), improvement=shape.improvement)
        return replace(self.outcome(KEPT, self.found.kept), improvement=self._improvement(tried))

    def unchanged(self, tried: FloatArray) -> MuscleOutcome:
        """Give the outcome where the bundle in use stays in use."""
        kept = self.outcome(KEPT, self.found.before)
        return replace(kept, after=kept.before, improvement=self._improvement(tried))

    def _improvement(self, estimate: FloatArray) -> Improvement:
        return improvement_in_r(self.measured, self.before, estimate[:, self.muscle], self.rate)

    def _improvement_r2(self, estimate: FloatArray) -> Improvement:
        return improvement_in_r2(self.measured, self.before, estimate[:, self.muscle], self.rate)


def _is_worth_it(improvement: Improvement) -> bool:
    return improvement.significant and improvement.change >= MIN_IMPROVEMENT


def _share_all_but_heads(base: Bundle, other: Bundle) -> bool:
    """Whether the heads of one bundle can be put into the other."""
    same_input = np.array_equal(base.normalisation.used, other.normalisation.used)
    return same_input and all(
        np.array_equal(value, other.weights[name]) for name, value in base.weights.items() if not _is_head(name)
    )


def compose_bundle(
    base: Bundle,
    running: Bundle,
    adapted: Estimator | None,
    way: str | None,
    muscles: Mapping[str, MuscleOutcome],
    found: CrossFit,
    unit: str,
) -> Bundle:
    """Join the adapted weights where they were taken with those in use in all other places.

    Args:
        adapted: by the way that was chosen; None = none was.
        muscles: outcomes; those that were not measured are kept.
        unit: of the EMG.
    """
    decisions = [muscles[name].decision if name in muscles else KEPT for name in base.rig.muscle_names]
    own = base if set(decisions) == {ADAPTED} else running
    if way == WHOLE:
        assert adapted is not None
        weights, reference = weights_of(adapted.network), adapted_reference(base.reference, adapted.amplitude, unit)
    else:
        weights, amplitude = _muscle_by_muscle(own, running, adapted, decisions, scale_of(found.measured, found.kept))
        reference = adapted_reference(running.reference, amplitude, unit)
    return replace(
        base,
        weights=weights,
        normalisation=own.normalisation,
        reference=reference,
        parent_id=base.model_id,
        scores={},
    )


def _muscle_by_muscle(
    own: Bundle, running: Bundle, adapted: Estimator | None, decisions: Sequence[str], scale: FloatArray
) -> tuple[dict[str, NDArray[np.float32]], FloatArray]:
    """Give weights and amplitudes [muscles], each muscle's as was decided; all but the heads are those of ``own``."""
    weights = {name: value.copy() for name, value in own.weights.items()}
    amplitude = np.array(running.reference.amplitude)
    taken = weights_of(adapted.network) if adapted else {}
    for index, decision in enumerate(decisions):
        if decision == SCALED:
            amplitude[index] *= scale[index]
        elif decision == ADAPTED:
            assert adapted is not None
            amplitude[index] = adapted.amplitude[index]
            for weight in filter(_is_head, weights):
                weights[weight][index] = taken[weight][index]
    return weights, amplitude
