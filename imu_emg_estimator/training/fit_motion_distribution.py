"""Fits the distribution of the training subjects' motion, and the score above which a motion is unlike it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, Recording
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, motion_statistics

ROW_PERIOD_S = 0.5  # the statistics are means over seconds
MAX_ROWS = 500  # of a subject
MIN_ROWS = 30  # of an activity, to be a centre
MIN_SUBJECTS = 3
MIN_VARIANCE = 1e-6  # of a statistic that never changes
SHRINKAGE = 0.1  # of the correlations: a dozen subjects do not span a hundred statistics
QUIET_SHARE = 0.99  # of a subject's locomotion must be below the threshold ...
QUIET_SUBJECTS = 0.8  # ... for this share of unseen subjects; the rest have sensors that are truly misplaced


@dataclass(frozen=True)
class Motion:
    """Slow statistics of one subject, some rows of them.

    Attributes:
        statistics: [rows, statistics].
        available: [rows, sensors].
        condition: [rows] the activity of the whole window before the row.
    """

    statistics: NDArray[np.floating]
    available: NDArray[np.bool_]
    condition: NDArray[np.str_]

    def of(self, conditions: Collection[str]) -> Motion:
        """Return the rows of these activities."""
        return self.chosen(np.isin(self.condition, list(conditions)))

    def without(self, conditions: Collection[str]) -> Motion:
        """Return the rows of all other activities."""
        return self.chosen(~np.isin(self.condition, list(conditions)))

    def chosen(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Motion:
        """Return some of the rows."""
        return Motion(self.statistics[rows], self.available[rows], self.condition[rows])


def motion_of(recordings: Sequence[Recording]) -> Motion:
    """Return the statistics of a subject's recordings, twice a second, where one activity fills the window."""
    rate = recordings[0].rig.rate
    every, window = max(1, round(ROW_PERIOD_S * rate)), round(WINDOW_S * rate)
    parts = []
    for recording in recordings:
        statistics, available = motion_statistics(recording.imu, rate, every)
        now = np.arange(0, len(recording), every)
        condition = recording.condition
        steady = (now >= window) & (condition[now] == condition[np.maximum(now - window, 0)])
        parts.append((statistics[steady], available[steady], condition[now][steady]))
    statistics, available, condition = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Motion(statistics, available, condition)


def fit_distribution(recordings: Sequence[Recording], without: Collection[str] = ()) -> Distribution:
    """Fit centres and covariance of all subjects, and a threshold from subjects left out one by one.

    Args:
        without: activities to leave out, to see whether they would be noticed.

    Raises:
        InputError: fewer than three subjects with all accelerometers.
    """
    motions = {subject: motion_of(group) for subject, group in by_subject(recordings).items()}
    return distribution_of(motions, without, recordings[0].rig.movement_names)


def distribution_of(
    motions: Mapping[str, Motion], without: Collection[str] = (), movements: Collection[str] = LOCOMOTION
) -> Distribution:
    """``fit_distribution`` from the motion of every subject; the rig's movements are those to be found normal."""
    subjects = {subject: _balanced(motion.without(without)) for subject, motion in motions.items()}
    subjects = {subject: motion for subject, motion in subjects.items() if len(motion.statistics)}
    if len(subjects) < MIN_SUBJECTS:
        raise InputError(
            f"only {len(subjects)} subjects have all accelerometers, at least {MIN_SUBJECTS} are needed to find "
            "what is unlike them; add recordings"
        )
    quiet = []
    for subject in subjects:
        others = [motion for other, motion in subjects.items() if other != subject]
        normal = motions[subject].of(movements)
        normal = normal if len(normal.statistics) else subjects[subject]
        scores = _fitted(others, threshold=1.0).scores(normal.statistics, normal.available)
        quiet.append(float(np.nanquantile(scores, QUIET_SHARE)))
    return _fitted(list(subjects.values()), threshold=float(np.quantile(quiet, QUIET_SUBJECTS)))


def _balanced(motion: Motion) -> Motion:
    """Draw rows with all sensors, at most ``MAX_ROWS``, rare activities more often: by the root of their number."""
    whole = np.flatnonzero(motion.available.all(axis=1))
    _, kind, count = np.unique(motion.condition[whole], return_inverse=True, return_counts=True)
    if not len(whole):
        return motion.chosen(whole)
    share = count[kind] ** -0.5
    generator = np.random.default_rng(0)
    return motion.chosen(generator.choice(whole, min(MAX_ROWS, len(whole)), replace=False, p=share / share.sum()))


def _fitted(motions: Sequence[Motion], threshold: float) -> Distribution:
    statistics = np.concatenate([motion.statistics for motion in motions]).astype(np.float64)
    condition = np.concatenate([motion.condition for motion in motions])
    names, count = np.unique(condition, return_counts=True)
    frequent = names[count >= min(MIN_ROWS, count.max())]
    centres = np.stack([statistics[condition == name].mean(axis=0) for name in frequent])
    residuals = np.concatenate(
        [statistics[condition == name] - centre for name, centre in zip(frequent, centres, strict=True)]
    )
    covariance = residuals.T @ residuals / len(residuals)
    variance = np.diag(covariance) + MIN_VARIANCE
    covariance = (1 - SHRINKAGE) * covariance
    np.fill_diagonal(covariance, variance)
    return Distribution(
        definition=f"slow statistics of the accelerations of {len(motions)} subjects; {QUIET_SHARE:.0%} of the "
        f"locomotion of {QUIET_SUBJECTS:.0%} of the subjects left out one by one is below the threshold",
        conditions=tuple(str(name) for name in frequent),
        threshold=threshold,
        centres=centres,
        covariance=covariance,
    )
