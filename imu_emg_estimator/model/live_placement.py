"""How the sensors are worn, judged live: turned, slipped, exchanged and negated ones, and motion unlike the training.

The statistics of the last two seconds are compared with the training subjects' and with the subject's own before, as
they are and under every placement error that is considered. Torch-free, and scipy-free: the live path uses it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.out_of_step import OutOfStep
from imu_emg_estimator.model.placement_evidence import Finding, Motion, PlacementEvidence
from imu_emg_estimator.model.sensor_drift import MIN_MOVEMENT_G, MotionProfile, profile_of
from imu_emg_estimator.model.strange_motion import LEAVE_FACTOR, StrangeMotion
from imu_emg_estimator.model.worn_ways import HalfTurns, WornWays
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.imu_units import GRAVITY_MPS2
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, MotionStatistics, RunningMotion
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

PERIOD_S = 0.2  # between two judgements
LONG_S, SHORT_S = 2.0, 1.0  # of motion that a fault is found in, and that shows its end ...
STEP_S = 1.4  # ... of a sensor out of step: correlations need a stride
NAME_AFTER = 3  # judgements of the same sensors, one after the other
CLEAR_AFTER = 2
KEPT_AFTER_FAULT = 3  # judgements
TURN_SHARE = 0.6  # of a turn of gravity that is seen, which a remedy that may undo it takes back
MIN_DISPROOF = 20.0  # logarithm of the likelihood ratio without any such remedy
LEARN_EVERY = 2  # judgements
LEARN_DELAY = 6  # rows that must have been followed by so many good ones
OTHER_WAY = SensorState(reason="is worn the other way round, and its samples are turned back")
STRANGE_REMEDY = "check how it is worn; if it is worn as always, train with such motion"
MEMORY_S = 30.0  # without movement: sensors may have been taken off and put on again, otherwise


class LivePlacement:
    """Judges the placement of the sensors, row by row.

    Feed it what the sensors truly send: rows in the rig's axes *before* anything is masked for a verdict of this class,
    or it cannot see that a sensor has been put right; but with NaN for samples that are missing, late or implausible,
    and turned by ``ways``.

    Attributes:
        ways: which way round sensors are worn that the rig says are worn either way; None = it says so of none.
        states: [sensors] GOOD, a masked MISPLACED or LATE, or UNLIKE_TRAINING, which masks nothing.
        score: root mean square deviation of the sensors that are not masked from the training subjects, about 1 for a
            subject like them; NaN = not known.
    """

    def __init__(self, bundle: Bundle) -> None:
        sensors, rate = len(bundle.rig.sensors), bundle.rig.rate
        self._statistics, self._motion = MotionStatistics(sensors), RunningMotion(sensors, rate)
        self._every = max(1, round(PERIOD_S * rate))
        self._decay = (1.0 - 1.0 / (WINDOW_S * rate)) ** self._every  # of the running means between two judgements
        lengths = (LONG_S, SHORT_S, STEP_S)
        self._long, self._short, self._stride = (max(1, round(length * rate / self._every)) for length in lengths)
        self._bundle = bundle
        self._start(bundle)

    def adopt(self, bundle: Bundle) -> None:
        """Take another bundle of the same rig; what is known of the motion stays if it has the same distribution."""
        old, new = self._bundle.distribution, bundle.distribution
        if old is not None and new is not None and self._evidence is not None and old.has_metrics_of(new):
            self._evidence.take_profile(_profile(bundle))
            self._bundle, self._uses = bundle, _uses(bundle)
        else:
            self._start(bundle)

    def _start(self, bundle: Bundle) -> None:
        self._bundle, self._uses = bundle, _uses(bundle)
        self._evidence: PlacementEvidence | None = None
        self._strange: StrangeMotion | None = None
        self.ways: WornWays | None = None
        if (distribution := bundle.distribution) is not None:
            self._evidence = PlacementEvidence(bundle.rig, distribution, _profile(bundle))
            self._strange = StrangeMotion(bundle.rig, self._evidence)
            self.ways = WornWays(bundle.rig, self._evidence) if HalfTurns(bundle.rig).sensors else None
        self.reset()

    def reset(self) -> None:
        """Forget all rows, as after a jump of the clock; who knows what has happened to the sensors since."""
        if self.ways is not None:
            self.ways.forget()
        self._begin()

    def _begin(self) -> None:
        self._motion.reset()
        self._rows = self._judgements = self._idle = self._cleared = 0
        self._past: deque[FloatArray] = deque([self._motion.moments()], maxlen=self._long + 1)
        self._named: tuple[Finding, ...] = ()
        self._found: deque[tuple[Finding, ...]] = deque(maxlen=NAME_AFTER)
        self._good: deque[Motion] = deque()
        self.states = self._states()
        self.score = float("nan")
        if self._evidence is not None and self._strange is not None:
            self._evidence.forget()
            self._strange.reset()

    @property
    def out_of_distribution(self) -> bool:
        """Whether the sensors that are not masked move unlike the training subjects."""
        return self._strange is not None and self._strange.is_strange

    @property
    def text(self) -> str:
        """What differs while the motion is out of distribution, as a sentence without a full stop; else empty."""
        return self._strange.text if self._strange is not None else ""

    def motion(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return slow statistics [statistics] of the last seconds and their sensors [sensors]; for any thread."""
        return self._motion.describe()

    def step(self, imu: NDArray[np.floating], turned: Collection[int] = ()) -> bool:
        """Take a row [sensors, 6] in m/s² and rad/s; return whether a judgement was due, about five times a second.

        Args:
            turned: sensors that someone else masks, as they turned over; see ``disproves_turn``.
        """
        self._motion.step(imu)
        self._rows += 1
        if self._rows % self._every:
            return False
        self._past.append(self._motion.moments())
        if self._evidence is not None and self._strange is not None and len(self._past) > self._long:
            self._judge(self._evidence, self._strange, turned)
        return True

    def disproves_turn(self, sensor: int, turn: float) -> bool:
        """Whether the newest motion shows that a sensor is right whose gravity was seen to turn by so much [m/s²].

        It does where all sensors together move as on the training subjects, and would not if this one had turned.
        """
        if self._evidence is None or len(self._past) <= self._short:
            return False
        motion = self._last(self._short)
        squares, known = self._evidence.squares(motion, motion.available)
        fits = squares.min() < known * (LEAVE_FACTOR * self._evidence.distribution.threshold) ** 2
        if not fits or motion.strength < MIN_MOVEMENT_G or not motion.available[sensor]:
            return False
        return self._evidence.of_turn(sensor, motion, TURN_SHARE * turn / GRAVITY_MPS2) < -MIN_DISPROOF

    def _judge(self, evidence: PlacementEvidence, strange: StrangeMotion, turned: Collection[int]) -> None:
        motion, newest = self._last(self._long), self._last(self._short)
        if self.ways is not None and self.ways.judge(motion):
            self._begin()
            return
        found = evidence.find(motion) if motion.strength > MIN_MOVEMENT_G else ()
        self._found.append(found)
        was_good = not self._named
        if self._named:
            self._follow(evidence)
        elif self._persists():
            self._named, self._cleared = found, 0
        self.states = self._states()
        left = motion.available & ~np.array([state.masked for state in self.states])
        left[list(turned)] = False
        self.score = strange.judge(motion, left, newest)
        if strange.sensor is not None:
            states = list(self.states)
            states[strange.sensor] = SensorState(Verdict.UNLIKE_TRAINING, strange.reason, STRANGE_REMEDY)
            self.states = tuple(states)
        is_usual = self.score < LEAVE_FACTOR * evidence.distribution.threshold  # false for NaN
        is_good = was_good and is_usual and not (self._named or any(self._found) or turned)
        self._learn(evidence, motion, is_good)

    def _persists(self) -> bool:
        """Whether the last judgements found faults of the same sensors."""
        first, *others = (_sensors(found) for found in self._found)
        return len(self._found) == NAME_AFTER and bool(first) and all(other == first for other in others)

    def _follow(self, evidence: PlacementEvidence) -> None:
        """Take a better remedy for what is named, or clear it."""
        found = self._found[-1]
        is_better = _sensors(found) >= _sensors(self._named) and not any(_is_step(finding) for finding in found)
        if is_better and self._persists():  # what is found first, when the fault begins, may be a part of it
            self._named = found
        self._cleared = self._cleared + 1 if self._is_over(evidence) else 0
        if self._cleared >= CLEAR_AFTER:
            self._named = ()
            self._found.clear()
            newest = list(self._past)[-KEPT_AFTER_FAULT:]  # a window half with the fault looks like other faults
            self._past = deque(newest, maxlen=self._long + 1)

    def _is_over(self, evidence: PlacementEvidence) -> bool:
        """Whether the newest motion is likelier as it is than with the first remedy."""
        remedy = self._named[0].remedy
        motion = self._last(self._stride if _is_step(self._named[0]) else self._short)
        return bool(motion.available[list(remedy.sensors)].all()) and evidence.of(remedy, motion) < 0.0

    def _learn(self, evidence: PlacementEvidence, motion: Motion, is_good: bool) -> None:
        """Learn the subject's own motion, a little later: what shows a fault is only known some judgements after it."""
        self._judgements += 1
        moves = motion.strength > MIN_MOVEMENT_G
        self._idle = 0 if moves else self._idle + 1
        if self._idle * PERIOD_S > MEMORY_S:
            evidence.forget()
        if not is_good:
            self._good.clear()
            return
        if moves and self._judgements % LEARN_EVERY == 0:
            self._good.append(motion)
        if len(self._good) > LEARN_DELAY:
            good = self._good.popleft()
            evidence.learn(good.statistics, good.available)

    def _last(self, judgements: int) -> Motion:
        """Return the motion of the last judgements: what the running means hold beyond what they held before."""
        decay = self._decay**judgements
        moments = (self._past[-1] - decay * self._past[-1 - judgements]) / (1.0 - decay)
        statistics, available = self._statistics.describe(moments)
        return Motion(moments, statistics, np.asarray(available & self._uses))

    def _states(self) -> tuple[SensorState, ...]:
        names = self._bundle.rig.sensor_names
        turned = self.ways.turned if self.ways is not None else []
        states = [OTHER_WAY if sensor in turned else GOOD for sensor in range(len(names))]
        for finding in self._named:
            remedy = finding.remedy
            fault = remedy.fault()
            verdict = Verdict.LATE if _is_step(self._named[0]) else Verdict.MISPLACED
            if len(remedy.sensors) == 2:
                fault = f"and {{}} {fault}"
            for sensor in remedy.sensors:
                others = [names[other] for other in remedy.sensors if other != sensor]
                reason = fault.format(*others)
                states[sensor] = SensorState(verdict, reason, remedy.advice(), masked=True)
        return tuple(states)


def _uses(bundle: Bundle) -> NDArray[np.bool_]:
    """Return of which sensors [sensors] the network uses the accelerometer."""
    return np.asarray(bundle.normalisation.used[:, :3].all(axis=1))


def _profile(bundle: Bundle) -> MotionProfile | None:
    try:
        return profile_of(bundle)
    except InputError:  # the drift monitor tells of it
        return None


def _sensors(found: tuple[Finding, ...]) -> set[int]:
    return {sensor for finding in found for sensor in finding.remedy.sensors}


def _is_step(finding: Finding) -> bool:
    return isinstance(finding.remedy, OutOfStep)
