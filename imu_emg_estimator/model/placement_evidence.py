"""Evidence on how the sensors are worn: against the training subjects, and against the subject's own motion before.

The own motion is what was learned while everything was good, and the motion profile of a calibration. Torch-free, and
free of scipy: the live path uses it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.motion_hypotheses import Hypotheses, Whitening
from imu_emg_estimator.model.out_of_step import MARGIN, MIN_DEVIATION, RELEASE, OutOfStep, StepComparison
from imu_emg_estimator.model.placement_remedies import Remedy
from imu_emg_estimator.model.sensor_drift import MotionProfile, RunningProfile
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.motion_statistics import MotionStatistics

# Natural logarithm of the likelihood ratio with and without a remedy, from which it is believed; chosen on the 13
# development subjects of HuGaDB, each left out of the distribution once. How sensors are strapped on differs between
# subjects by as much as a slip: by the training subjects alone, a slip needs the most.
MIN_EVIDENCE = {"exchange": 12.0, "turn": 50.0, "inversion": 50.0, "axis": 75.0, "slip": 90.0}
MIN_EVIDENCE_OF_CHANGE = 30.0  # where the subject's own motion before is known, and says at least half of it
MAX_MENDED_SCORE = 2.0  # deviation of the whole rig after a remedy from the training subjects; with more, it is none
MAX_MENDED_CHANGE = 1.2  # the same, from the subject's own motion before
MAX_FAULTS = 3  # found at once
MAX_KEPT = 12  # combinations of sensors; of six, each takes 0.6 MB
MAX_REST = 0.05  # deviation of all but the correlations of a sensor out of step, relative to that of these
MIN_SENSORS_IN_STEP = 3  # of two, nobody knows which is out of step


@dataclass(frozen=True, eq=False)
class Motion:
    """Some seconds of motion.

    Attributes:
        moments: [moments] means of ``MotionStatistics.products``.
        statistics: [statistics] of them.
        available: [sensors] whether the sensor was there for long enough, and the network uses it.
    """

    moments: FloatArray
    statistics: FloatArray
    available: NDArray[np.bool_]

    @property
    def strength(self) -> float:
        """Standard deviation of the acceleration, mean over available sensors and axes [g]."""
        channels = 3 * len(self.available)
        deviation = np.exp(self.statistics[channels : 2 * channels]).reshape(-1, 3)
        return float(deviation[self.available].mean()) if self.available.any() else 0.0


@dataclass(frozen=True, eq=False)
class Finding:
    """What is wrong with sensors, and how much more likely the motion is with it put right (natural logarithm)."""

    remedy: Remedy | OutOfStep
    evidence: float


class PlacementEvidence:
    """Finds what is wrong with the placement in a motion.

    Args:
        known: profile of the subject's motion in a calibration.
    """

    def __init__(self, rig: Rig, distribution: Distribution, known: MotionProfile | None = None) -> None:
        self._rig, self.distribution = rig, distribution
        self._statistics, self._hypotheses = MotionStatistics(len(rig.sensors)), Hypotheses(rig)
        self._limits = np.array([MIN_EVIDENCE[_kind(remedy)] for remedy in self._hypotheses.remedies])
        self._locomotion = np.isin(distribution.conditions, rig.movement_names)
        if not self._locomotion.any():  # none of them was seen in training: any movement will do
            self._locomotion[:] = True
        self._whitenings: dict[bytes, Whitening] = {}
        self._comparisons: dict[bytes, StepComparison] = {}
        self._learned, self._known = RunningProfile(distribution, len(rig.sensors)), known
        self._own_means, self._own_kinds = self._own()

    def learn(self, statistics: FloatArray, available: NDArray[np.bool_]) -> None:
        """Take statistics of good motion, about twice a second."""
        self._learned.step(statistics, available)
        self._own_means, self._own_kinds = self._own()

    def forget(self) -> None:
        """Forget the subject's motion since the start."""
        self._learned = RunningProfile(self.distribution, len(self._rig.sensors))
        self._own_means, self._own_kinds = self._own()

    def take_profile(self, known: MotionProfile | None) -> None:
        """Take the profile of another calibration."""
        self._known = known
        self._own_means, self._own_kinds = self._own()

    def find(self, motion: Motion) -> tuple[Finding, ...]:
        """Return what is believed to be wrong, strongest first; all after the first is found with that put right."""
        found: list[Finding] = []
        late = self._out_of_step(motion)
        free = motion.available.copy()
        while len(found) < MAX_FAULTS and (best := self._best(motion, free)) is not None:
            found.append(best)
            assert isinstance(best.remedy, Remedy)
            free[list(best.remedy.sensors)] = False
            motion = self._mended(motion, best.remedy)
        if late and late.evidence > sum(finding.evidence for finding in found) + (MARGIN if found else 0.0):
            return (late,)
        return tuple(found)

    def of(self, remedy: Remedy | OutOfStep, motion: Motion) -> float:
        """Return the evidence that something is wrong; negative: it is likelier that it is not, NaN: not known."""
        if isinstance(remedy, OutOfStep):
            deviations = self._deviations(motion)
            return math.nan if deviations is None else float(deviations[remedy.sensors[0]] - RELEASE * MIN_DEVIATION)
        whitening = self.whitening(motion.available)
        after, before = (m.statistics @ whitening.matrix for m in (self._mended(motion, remedy), motion))
        white = np.stack([after, before])
        evidence = _gain(white, whitening.centres)[0]
        own, _ = self._own_known(whitening)
        return float(evidence[0] + _gain(white, own @ whitening.matrix)[0][0] if len(own) else evidence[0])

    def of_turn(self, sensor: int, motion: Motion, least: float) -> float:
        """Return the most evidence that a sensor is turned or inverted such that its gravity is off by so much [g]."""
        whitening = self.whitening(motion.available)
        white = self._whitened(motion, whitening)
        evidence = _gain(white, whitening.centres)[0]
        own, _ = self._own_known(whitening)
        if len(own):
            evidence = evidence + _gain(white, own @ whitening.matrix)[0]
        turns = self._hypotheses.turns(sensor, motion.statistics, least)
        return float(evidence[turns].max()) if turns.any() else math.nan

    def squares(self, motion: Motion, available: NDArray[np.bool_]) -> tuple[FloatArray, int]:
        """Return squared distances [conditions] of some sensors to the training subjects, in so many statistics."""
        whitening = self.whitening(available)
        return squared_distances(motion.statistics @ whitening.matrix, whitening.centres)[0], whitening.known

    def whitening(self, available: NDArray[np.bool_]) -> Whitening:
        """Return the distance that uses these sensors [sensors]."""
        key = available.tobytes()
        if key not in self._whitenings:
            if len(self._whitenings) > MAX_KEPT:
                self._whitenings.clear()
            self._whitenings[key] = self._hypotheses.whitening(self.distribution, available)
        return self._whitenings[key]

    def _best(self, motion: Motion, free: NDArray[np.bool_]) -> Finding | None:
        """Return the remedy of free sensors with the most evidence; None if none is believed."""
        whitening = self.whitening(motion.available)
        white = self._whitened(motion, whitening)
        evidence, after, nearest = _gain(white, whitening.centres)
        fits = (after < MAX_MENDED_SCORE**2 * whitening.known) & self._locomotion[nearest]
        limits = self._limits
        own, kinds = self._own_known(whitening)
        if len(own):
            change, after, own_nearest = _gain(white, own @ whitening.matrix)
            evidence = evidence + change
            alike = self._locomotion[nearest] & (kinds[own_nearest] == nearest)  # walking is no fault of running
            explains = (after < MAX_MENDED_CHANGE**2 * whitening.known) & alike
            changed = explains & (change > 0.5 * MIN_EVIDENCE_OF_CHANGE)
            limits, fits = np.where(changed, MIN_EVIDENCE_OF_CHANGE, limits), fits | explains
        believed = fits & (evidence > limits) & self._hypotheses.possible(free)
        if not believed.any():
            return None
        best = int(np.where(believed, evidence, -np.inf).argmax())
        return Finding(self._hypotheses.remedies[best], float(evidence[best]))

    def _whitened(self, motion: Motion, whitening: Whitening) -> FloatArray:
        """Return the whitened statistics [remedies + 1, known] after every remedy, and as they are."""
        covariance = self._statistics.covariance(motion.moments)
        mended = self._hypotheses.whitened(motion.statistics, covariance, whitening)
        return np.concatenate([mended, (motion.statistics @ whitening.matrix)[None]])

    def _out_of_step(self, motion: Motion) -> Finding | None:
        deviations = self._deviations(motion)
        if deviations is None or deviations.max() < MIN_DEVIATION:
            return None
        sensor = int(deviations.argmax())
        others = 3 * (int(motion.available.sum()) - 1)
        return Finding(OutOfStep((sensor,)), 0.5 * others * float(deviations[sensor]))

    def _deviations(self, motion: Motion) -> FloatArray | None:
        """Return how far each sensor's correlations with the others deviate [sensors]; None = not known."""
        key = motion.available.tobytes()
        if motion.available.sum() < MIN_SENSORS_IN_STEP:
            return None
        if key not in self._comparisons:
            if len(self._comparisons) > MAX_KEPT:
                self._comparisons.clear()
            self._comparisons[key] = StepComparison(self.distribution, motion.available)
        comparison, whitening = self._comparisons[key], self.whitening(motion.available)
        by_training, _, kind = comparison.deviations(motion.statistics, self.distribution.centres)
        own, kinds = self._own_known(whitening)
        if not self._locomotion[kind] or kind not in kinds:
            return None
        by_own, rest, _ = comparison.deviations(motion.statistics, own[kinds == kind])
        explains = rest < np.maximum(MAX_MENDED_CHANGE**2, MAX_REST * by_own)  # all but these is as before
        return np.where(explains, by_training + by_own, 0.0)

    def _mended(self, motion: Motion, remedy: Remedy) -> Motion:
        moments = self._statistics.remounted(motion.moments, remedy.sources, remedy.rotations())
        return Motion(moments, self._statistics.describe(moments)[0], motion.available)

    def _own(self) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return the means [rows, statistics] of the subject's own motion, and the training condition of each."""
        profiles = [self._learned.profile(), *([self._known] if self._known else [])]
        named = [(name, mean) for profile in profiles for name, mean in profile.means.items()]
        kinds = [self.distribution.conditions.index(name) for name, _ in named]
        means = np.array([mean for _, mean in named]).reshape(-1, len(self._statistics))
        return means, np.array(kinds, dtype=np.intp)

    def _own_known(self, whitening: Whitening) -> tuple[FloatArray, NDArray[np.intp]]:
        """Return those of ``_own`` in which all sensors that count were there."""
        whole = np.isfinite(self._own_means[:, whitening.counts]).all(axis=1)
        return np.nan_to_num(self._own_means[whole]), self._own_kinds[whole]


def squared_distances(white: FloatArray, centres: FloatArray) -> FloatArray:
    """Return squared distances [rows, centres] of whitened rows [.., known] to whitened centres."""
    white = np.atleast_2d(white)
    lengths = np.einsum("ij,ij->i", white, white)[:, None] + np.einsum("ij,ij->i", centres, centres)
    return np.asarray(lengths - 2.0 * white @ centres.T)


def _gain(white: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """Return the evidence for every row but the last against the last, its squares, and its nearest centre."""
    squares = squared_distances(white, centres)
    nearest = squares.argmin(axis=1)
    best = squares[np.arange(len(squares)), nearest]
    return 0.5 * (best[-1] - best[:-1]), best[:-1], nearest[:-1]


def _kind(remedy: Remedy) -> str:
    if remedy.rotation is None:
        return "exchange"
    if remedy.is_inversion:
        return "inversion" if np.trace(remedy.rotation) < 0 else "axis"
    return "slip" if remedy.is_slip else "turn"
