"""Decide which muscles are adapted, scaled or kept, by what cross-fitting says of them, and compose the new bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.adaptation import adapted_reference
from imu_emg_estimator.calibration.calibration_report import (
    ADAPTED,
    KEPT,
    MIN_BAGS,
    MIN_ESTIMATE_R,
    SCALED,
    MuscleOutcome,
)
from imu_emg_estimator.calibration.cross_fitting import CrossFit
from imu_emg_estimator.calibration.improvement import Improvement, improvement_in_r, improvement_in_r2
from imu_emg_estimator.calibration.recording_quality import MANY_SUBJECTS
from imu_emg_estimator.calibration.shrinkage import USUAL, Amplitude, shrunk_amplitude, shrunk_share
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, weights_of
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.accuracy_metrics import Scores, score

WHOLE, HEADS = "whole", "heads"  # ways to adapt: all weights, or the heads of some muscles
AMPLITUDES = "amplitudes"  # way to leave all weights and sensors as they are, and scale some muscles
MIN_IMPROVEMENT = 0.005  # in r, or of an amplitude in R²; below, nothing is changed, however surely it is one


def carries_over(base: Bundle, recordings: int) -> bool:
    """Whether a better shape in so many recordings is one in others, too: recordings differ more than blocks of one do.

    Cross-fitting tells where its blocks hold whole recordings. From a single one, networks of many training subjects
    get better in others, those of few do not: that is measured, see docs/calibration.md.
    """
    return len(base.training.get("subjects", ())) >= MANY_SUBJECTS or recordings >= MIN_BAGS


def decide(
    found: CrossFit, base: Bundle, running: Bundle, unit: str, any_shape: bool = True
) -> tuple[str | None, dict[str, MuscleOutcome]]:
    """Decide which way to adapt, if any, and what becomes of every measured muscle.

    Args:
        found: estimates by ``HEADS`` and, where every muscle was measured, by ``WHOLE``.
        unit: of the EMG.
        any_shape: whether the shape of an estimate is adapted that follows the EMG already, see ``carries_over``.
    """
    names, rate = base.rig.muscle_names, base.rig.rate
    usual = 0.0 if running.calibration else USUAL  # the amplitude of a calibrated bundle is the subject's
    units = [running.reference.unit_of(muscle) for muscle in range(len(names))]
    trials = {
        int(muscle): _Trial(found, int(muscle), rate, usual if units[muscle] == unit else None, any_shape)
        for muscle in np.flatnonzero(np.isfinite(found.measured).any(axis=0))
    }
    if WHOLE in found.adapted and all(trial.is_better(WHOLE) for trial in trials.values()):
        return WHOLE, {names[muscle]: trial.adapted(WHOLE, 1.0) for muscle, trial in trials.items()}
    shares = _shares({muscle: trial.improvement_over_scaled(HEADS) for muscle, trial in trials.items()})
    if not _share_all_but_heads(base, running):  # a head of one network means nothing to another
        all_better = len(trials) == len(names) and all(trial.is_better(HEADS) for trial in trials.values())
        shares = dict.fromkeys(trials, float(all_better))
    outcomes = {
        muscle: trial.adapted(HEADS, shares[muscle]) if shares[muscle] else trial.rest()
        for muscle, trial in trials.items()
    }
    if any(outcome.after.r < outcome.before.r for outcome in outcomes.values() if outcome.decision != ADAPTED):
        return AMPLITUDES, {names[muscle]: trial.unmasked().rest() for muscle, trial in trials.items()}
    return HEADS if any(shares.values()) else None, {names[muscle]: outcome for muscle, outcome in outcomes.items()}


def _shares(improvements: Mapping[int, Improvement | None]) -> dict[int, float]:
    """Give the share of each muscle's adapted estimate: one for all that get better, which tell of one subject."""
    better = {muscle: found for muscle, found in improvements.items() if found and found.change > 0.0}
    return dict.fromkeys(improvements, 0.0) | dict.fromkeys(better, shrunk_share(list(better.values())))


def without_units(entry: Scores) -> Scores:
    """Return the scores without those that need a common unit."""
    return replace(entry, r2=float("nan"), nrmse=float("nan"))


def _is_head(name: str) -> bool:
    """Whether a weight belongs to a head, and its rows to muscles."""
    return name.partition(".")[0] in ("head", "deviation_head")


@dataclass(frozen=True)
class _Trial:
    """What cross-fitting says of one muscle.

    Amplitudes that differ between blocks of time would spoil r: the shape of an estimate is judged without them.

    Attributes:
        usual: logarithm of the amplitude over subjects, in amplitudes of the bundle in use; None = of another unit.
        any_shape: see ``decide``.
    """

    found: CrossFit
    muscle: int
    rate: float
    usual: float | None
    any_shape: bool

    @property
    def comparable(self) -> bool:
        """Whether the bundle in use estimates in the unit of the EMG."""
        return self.usual is not None

    @property
    def measured(self) -> FloatArray:
        return self.found.measured[:, self.muscle]

    @property
    def before(self) -> FloatArray:
        return self.found.before[:, self.muscle]

    @property
    def kept(self) -> FloatArray:
        return self.found.kept[:, self.muscle]

    @property
    def adaptable(self) -> bool:
        """Whether another shape is taken at all."""
        return self.any_shape or score(self.measured, self.before).r < MIN_ESTIMATE_R

    def is_better(self, way: str) -> bool:
        """Whether the estimate of a way is significantly better in r, follows the EMG, and keeps R²."""
        shape, estimate = self.found.mixed(way, self.muscle, 1.0)
        if not self.adaptable or not self._improvement(shape).significant or not self._follows_better(shape):
            return False
        return not self.comparable or self._improvement_r2(estimate).change >= 0.0

    def improvement_over_scaled(self, way: str) -> Improvement | None:
        """Return that in R² over the scaled estimate; None where a way's does not follow the EMG better than before."""
        _, scaled = self.found.mixed(way, self.muscle, 0.0)
        shape, estimate = self.found.mixed(way, self.muscle, 1.0)
        if not self.adaptable or not self._follows_better(shape):
            return None
        return improvement_in_r2(self.measured, scaled, estimate, self.rate)

    def adapted(self, way: str, share: float) -> MuscleOutcome:
        """Give the outcome of taking a share of a way's estimate."""
        found = self._amplitude()
        outcome = self._outcome(ADAPTED, *self.found.mixed(way, self.muscle, share))
        return replace(outcome, amplitude=found[0] if found else None, share=share)

    def rest(self) -> MuscleOutcome:
        """Give the outcome where the shape stays: the amplitude is taken as far as it is known."""
        tried, _ = self.found.mixed(HEADS, self.muscle, 1.0)
        withheld = not self.adaptable and self._follows_better(tried)
        found = self._amplitude()
        if found and score(self.measured, self.before).r >= MIN_ESTIMATE_R:
            amplitude, estimate = found
            if self._is_closer(estimate):
                scaled = self._outcome(SCALED, self.kept, estimate)
                return replace(scaled, amplitude=amplitude, withheld=withheld)
        kept = self._outcome(KEPT, self.kept, self.kept)
        return replace(kept, improvement=self._improvement(tried), withheld=withheld)

    def unmasked(self) -> _Trial:
        """Judge what the bundle in use makes of all sensors, also of those that were left out."""
        return replace(self, found=replace(self.found, kept=self.found.before))

    def _amplitude(self) -> tuple[Amplitude, FloatArray] | None:
        return shrunk_amplitude(self.measured, self.kept, self.rate, self.usual)

    def _outcome(self, decision: str, shape: FloatArray, estimate: FloatArray) -> MuscleOutcome:
        """Give the outcome of taking a shape and its estimate in the unit of the EMG [samples]."""
        before, improvement = score(self.measured, self.before), self._improvement(shape)
        return MuscleOutcome(
            decision,
            before=before if self.comparable else without_units(before),
            after=replace(score(self.measured, estimate), r=score(self.measured, shape).r),
            improvement=improvement,
            improvement_r2=self._improvement_r2(estimate) if self.comparable else None,
        )

    def _follows_better(self, shape: FloatArray) -> bool:
        better = self._improvement(shape).change >= MIN_IMPROVEMENT
        return better and score(self.measured, shape).r >= MIN_ESTIMATE_R

    def _is_closer(self, estimate: FloatArray) -> bool:
        if not self.comparable:
            return score(self.measured, estimate).r2 > 0.0
        return self._improvement_r2(estimate).change >= MIN_IMPROVEMENT

    def _improvement(self, shape: FloatArray) -> Improvement:
        return improvement_in_r(self.measured, self.before, shape, self.rate)

    def _improvement_r2(self, estimate: FloatArray) -> Improvement:
        return improvement_in_r2(self.measured, self.before, estimate, self.rate)


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
    unit: str,
) -> Bundle:
    """Join the adapted weights where they were taken with those in use in all other places.

    Args:
        adapted: by the way that was chosen; None = none was.
        muscles: outcomes; those that were not measured are kept.
        unit: of the EMG.
    """
    outcomes = [muscles.get(name) for name in base.rig.muscle_names]
    own = base if all(outcome and outcome.decision == ADAPTED for outcome in outcomes) else running
    if way == WHOLE:
        assert adapted is not None
        weights, reference = weights_of(adapted.network), adapted_reference(base.reference, adapted.amplitude, unit)
    else:
        weights, amplitude = _muscle_by_muscle(own, running, adapted, outcomes)
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
    own: Bundle, running: Bundle, adapted: Estimator | None, outcomes: Sequence[MuscleOutcome | None]
) -> tuple[dict[str, NDArray[np.float32]], FloatArray]:
    """Give weights and amplitudes [muscles], each muscle's as was decided; all but the heads are those of ``own``."""
    weights = {name: value.copy() for name, value in own.weights.items()}
    amplitude = np.array(running.reference.amplitude)
    taken = weights_of(adapted.network) if adapted else {}
    for index, outcome in enumerate(outcomes):
        factor = outcome.amplitude.factor if outcome and outcome.amplitude else 1.0
        if outcome and outcome.decision == SCALED:
            amplitude[index] *= factor
        elif outcome and outcome.decision == ADAPTED:
            assert adapted is not None
            scale = factor * amplitude[index] / adapted.amplitude[index]
            amplitude[index] = adapted.amplitude[index]
            for weight in filter(_is_head, weights):
                # The network's deviation is in fractions of the amplitude, and its head gives the logarithm.
                given = scale * running.weights[weight][index] if weight.startswith("head.") else taken[weight][index]
                weights[weight][index] = (1 - outcome.share) * given + outcome.share * taken[weight][index]
    return weights, amplitude
