"""How the sensors are worn, judged live: turned, slipped, exchanged and negated ones, and motion unlike the training.

The statistics of the last two seconds are compared with the training subjects', as they are and under every placement
error that is considered. Torch-free, and scipy-free: the live path uses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.motion_hypotheses import Hypotheses, Whitening
from imu_emg_estimator.model.placement_remedies import Remedy
from imu_emg_estimator.recording import LOCOMOTION
from imu_emg_estimator.signals.masked_imu_features import FloatArray
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, RunningMotion
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

PERIOD_S = 0.2  # between two judgements
LONG_S, SHORT_S = 2.0, 1.0  # of motion that a fault is found in, and that shows its end
MIN_PRESENCE = 0.6  # share of the window in which a sensor must have been there
MIN_MOVEMENT_G = 0.1  # standard deviation of the acceleration, mean over sensors and axes; 0.2 in a slow walk
# Chosen on the 13 development subjects of HuGaDB, each left out of the distribution once.
MIN_EVIDENCE = 30.0  # natural logarithm of the likelihood ratio with and without the remedy
MAX_MENDED_SCORE = 2.0  # of the whole rig after a remedy; with more, it explains nothing
JUDGEMENTS_TO_NAME = 3  # of the same sensors, one after the other
JUDGEMENTS_TO_CLEAR = 2
ENTER_FACTOR = 1.5  # of the bundle's threshold: the motion is unlike the training data above it ...
LEAVE_FACTOR = 1.1  # ... until it is below this
MIN_TURN_DEG = 25.0  # of gravity in a sensor's axes, to be told


@dataclass(frozen=True, eq=False)
class Finding:
    """A remedy that makes the last seconds much more likely, and the natural logarithm of how much."""

    remedy: Remedy
    evidence: float


class LivePlacement:
    """Judges the placement of the sensors, row by row.

    Feed it what the sensors truly send: rows in the rig's axes *before* anything is masked for a verdict of this class,
    or it cannot see that a sensor has been put right; but with NaN for samples that are missing, late or implausible.

    Attributes:
        states: [sensors] GOOD, or a masked MISPLACED or UNLIKE_TRAINING.
        out_of_distribution: whether the sensors that are not masked move unlike the training subjects.
        text: what differs, as a sentence without a full stop; empty while nothing does.
        score: root mean square deviation of the sensors that are not masked from the training subjects, about 1 for a
            subject like them; NaN = not known.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._rig, self._distribution = bundle.rig, bundle.distribution
        sensors, rate = len(bundle.rig.sensors), bundle.rig.rate
        self._uses = bundle.normalisation.used[:, :3].all(axis=1)
        self._statistics, self._motion = MotionStatistics(sensors), RunningMotion(sensors, rate)
        self._hypotheses = Hypotheses(bundle.rig)
        self._every = max(1, round(PERIOD_S * rate))
        self._decay = (1.0 - 1.0 / (WINDOW_S * rate)) ** self._every  # of the running means between two judgements
        self._long, self._short = (max(1, round(length * rate / self._every)) for length in (LONG_S, SHORT_S))
        self._whitenings: dict[bytes, Whitening] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all rows."""
        self._motion.reset()
        self._rows = 0
        self._past: deque[FloatArray] = deque([self._motion.moments()], maxlen=self._long + 1)
        self._named: tuple[Finding, ...] = ()
        self._suspects: deque[tuple[Finding, ...]] = deque(maxlen=JUDGEMENTS_TO_NAME)
        self._cleared = 0
        self.states: tuple[SensorState, ...] = (GOOD,) * len(self._rig.sensors)
        self.out_of_distribution, self.text, self.score = False, "", float("nan")

    def adopt(self, bundle: Bundle) -> None:
        """Continue with another bundle of the same rig."""
        if bundle.distribution is not self._distribution:
            self._distribution, self._whitenings = bundle.distribution, {}
        self._uses = bundle.normalisation.used[:, :3].all(axis=1)

    def step(self, imu: NDArray[np.floating]) -> bool:
        """Take a row [sensors, 6] in m/s² and rad/s; return whether it was time to judge."""
        self._motion.step(imu)
        self._rows += 1
        if self._rows % self._every:
            return False
        self.update(self._motion.moments())
        return True

    def update(self, moments: FloatArray) -> None:
        """Judge by running means [moments], ``every`` rows after those of the last update."""
        self._past.append(moments)
        if self._distribution is not None and len(self._past) > self._long:
            self._judge(self._distribution)

    def _judge(self, distribution: Distribution) -> None:
        window = self._window(self._long)
        available = self._available(window)
        if not available.any():
            return
        found = self._find(distribution, window, available)
        self._suspects.append(found)
        if not self._named and len(self._suspects) == JUDGEMENTS_TO_NAME and self._agree():
            self._named, self._cleared = found, 0
        elif self._named:
            self._named = self._newer(found)
            self._cleared = self._cleared + 1 if self._is_over(distribution) else 0
            if self._cleared >= JUDGEMENTS_TO_CLEAR:
                self._named = ()
                self._suspects.clear()
        self.states = self._states()
        self._score(distribution, window, available)

    def _agree(self) -> bool:
        first, *others = ([finding.remedy.sensors for finding in found] for found in self._suspects)
        return bool(first) and all(other == first for other in others)

    def _newer(self, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return what was found last, if it concerns at least the same sensors: a first guess may be a part of it."""

        def sensors(findings: Sequence[Finding]) -> set[int]:
            return {sensor for finding in findings for sensor in finding.remedy.sensors}

        return found if found and sensors(found) >= sensors(self._named) and self._agree() else self._named

    def _is_over(self, distribution: Distribution) -> bool:
        """Whether the newest motion is likelier without the first remedy than with it."""
        window = self._window(self._short)
        available = self._available(window)
        remedy = self._named[0].remedy
        if not available[list(remedy.sensors)].all():
            return False
        return self._evidence_of(remedy, distribution, window, available) < 0.0

    def _evidence_of(
        self, remedy: Remedy, distribution: Distribution, window: FloatArray, available: NDArray[np.bool_]
    ) -> float:
        whitening = self._whitening(distribution, available)
        mended = self._statistics.remounted(window, remedy.sources, remedy.rotations())
        before, after = (
            _squares(self._statistics.describe(m)[0] @ whitening.matrix, whitening.centres)[0].min()
            for m in (window, mended)
        )
        return 0.5 * float(before - after)

    def _window(self, length: int) -> FloatArray:
        """Return the means over the last judgements: what the running means hold beyond what they held before."""
        decay = self._decay**length
        window: FloatArray = (self._past[-1] - decay * self._past[-1 - length]) / (1.0 - decay)
        return window

    def _available(self, window: FloatArray) -> NDArray[np.bool_]:
        return np.asarray(self._statistics.describe(window)[1] & self._uses)

    def _find(
        self, distribution: Distribution, window: FloatArray, available: NDArray[np.bool_]
    ) -> tuple[Finding, ...]:
        found: list[Finding] = []
        free = available.copy()
        while len(found) < 3 and (best := self._best(distribution, window, available, free)) is not None:
            found.append(best)
            free[list(best.remedy.sensors)] = False
            window = self._statistics.remounted(window, best.remedy.sources, best.remedy.rotations())
        return tuple(found)

    def _best(
        self, distribution: Distribution, window: FloatArray, available: NDArray[np.bool_], free: NDArray[np.bool_]
    ) -> Finding | None:
        statistics, _ = self._statistics.describe(window)
        channels = 3 * len(available)
        deviation = np.exp(statistics[channels : 2 * channels]).reshape(-1, 3)
        if deviation[available].mean() < MIN_MOVEMENT_G:
            return None
        whitening = self._whitening(distribution, available)
        covariance = self._statistics.covariance(window)
        white = self._hypotheses.whitened(statistics, covariance, whitening)
        squares = _squares(white, whitening.centres)
        before = _squares(statistics @ whitening.matrix, whitening.centres)[0].min()
        nearest = squares.argmin(axis=1)
        after = squares[np.arange(len(squares)), nearest]
        evidence = 0.5 * (before - after)
        locomotion = np.isin(distribution.conditions, LOCOMOTION)
        fits = self._hypotheses.possible(free) & (after < MAX_MENDED_SCORE**2 * whitening.known) & locomotion[nearest]
        evidence = np.where(fits, evidence, -np.inf)
        best = int(evidence.argmax())
        return (
            Finding(self._hypotheses.remedies[best], float(evidence[best])) if evidence[best] > MIN_EVIDENCE else None
        )

    def _whitening(self, distribution: Distribution, available: NDArray[np.bool_]) -> Whitening:
        key = available.tobytes()
        if key not in self._whitenings:
            self._whitenings[key] = self._hypotheses.whitening(distribution, available)
        return self._whitenings[key]

    def _states(self) -> tuple[SensorState, ...]:
        states = [GOOD] * len(self._rig.sensors)
        for finding in self._named:
            remedy = finding.remedy
            names = " and ".join(self._rig.sensor_names[sensor] for sensor in remedy.sensors)
            reason = remedy.fault() if len(remedy.sensors) != 2 else f"{names} {remedy.fault()}"
            for sensor in remedy.sensors:
                states[sensor] = SensorState(Verdict.MISPLACED, reason, remedy.advice(), masked=True)
        return tuple(states)

    def _score(self, distribution: Distribution, window: FloatArray, available: NDArray[np.bool_]) -> None:
        left = available & ~np.array([state.masked for state in self.states])
        self.score = float("nan")
        if left.any():
            whitening = self._whitening(distribution, left)
            statistics, _ = self._statistics.describe(window)
            squares = _squares(statistics @ whitening.matrix, whitening.centres)[0]
            self.score = float(np.sqrt(squares.min() / whitening.known))
        limit = distribution.threshold * (LEAVE_FACTOR if self.out_of_distribution else ENTER_FACTOR)
        self.out_of_distribution = left.any() and not self.score <= limit
        self.text = "the sensors move unlike the training data" if self.out_of_distribution else ""


def _squares(white: FloatArray, centres: FloatArray) -> FloatArray:
    """Return squared distances [rows, centres] of whitened rows [.., known] to whitened centres."""
    white = np.atleast_2d(white)
    lengths = (white**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.asarray(lengths - 2.0 * white @ centres.T)
