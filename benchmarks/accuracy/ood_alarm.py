"""Detection rate of the out-of-distribution alarm for unseen activities and misplaced sensors; false alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation
from scipy.stats import rankdata

from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.signals.motion_statistics import WINDOW_S, motion_statistics
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.fit_motion_distribution import ROW_PERIOD_S, Motion, distribution_of, motion_of

UNSEEN_ACTIVITIES = ("bicycling", "sitting_in_car", "lift_up", "lift_down")  # left out when a score is fitted
AT_REST = ("sitting", "standing")
ANGLES_DEG = (30, 90, 180)
SHOWN_S = 60.0  # of each subject's locomotion, to which every placement error is applied
MIN_ROWS = 10
STRETCH_S = 25.0  # from the beginning of a recording, from which tokens are taken

Spoil = Callable[[FloatArray], FloatArray]  # [samples, sensors, 6] -> the same with misplaced sensors


@dataclass(frozen=True)
class Evidence:
    """Evidence of the scores, twice a second.

    Attributes:
        motion: slow statistics.
        tokens, slow_tokens: [rows, width] what the network's heads see, and its running mean.
        condition: [rows] of the tokens.
    """

    motion: Motion
    tokens: FloatArray
    slow_tokens: FloatArray
    condition: NDArray[np.str_]


Score = Callable[[Evidence], tuple[FloatArray, NDArray[np.str_]]]  # score and condition of every row


def alarm(kept: Sequence[Recording], unseen: Mapping[str, Sequence[Recording]], estimator: Estimator) -> dict[str, Any]:
    """Measure how well scores separate unseen motion from other subjects' locomotion.

    Returns:
        ``auroc.<case>.<score>`` with a list over subjects; ``raised.<case>``: share of time in which the published
        alarm is raised, over subjects; ``false_alarms.<subject>``: the same in locomotion, and how often a minute.
    """
    known = {subject: evidence_of(estimator, group) for subject, group in by_subject(kept).items()}
    distribution = distribution_of({subject: one.motion for subject, one in known.items()}, without=UNSEEN_ACTIVITIES)
    scores: dict[str, Score] = {
        "motion": _motion_score(distribution),
        "gravity": _motion_score(_gravity_alone(distribution, 3 * len(kept[0].rig.sensors))),
        "tokens": _token_score(list(known.values()), lambda one: one.tokens),
        "tokens over two seconds": _token_score(list(known.values()), lambda one: one.slow_tokens),
    }
    normal = {subject: evidence_of(estimator, group) for subject, group in unseen.items()}
    negatives = {
        name: np.concatenate([_of(score(one), LOCOMOTION) for one in normal.values()]) for name, score in scores.items()
    }
    auroc: dict[str, dict[str, list[float]]] = {}
    raised: dict[str, list[float]] = {}

    def note(case: str, one: Evidence, conditions: Sequence[str]) -> None:
        for name, score in scores.items():
            values = _of(score(one), conditions)
            if len(values) >= MIN_ROWS and len(negatives[name]) >= MIN_ROWS:
                auroc.setdefault(case, {}).setdefault(name, []).append(area_under_curve(negatives[name], values))
                if name == "motion":
                    raised.setdefault(case, []).append(float((values > distribution.threshold).mean()))

    for one in normal.values():
        for activity in UNSEEN_ACTIVITIES:
            note(f"never seen: {activity}", one, [activity])
        for activity in AT_REST:
            note(f"seen: {activity}", one, [activity])
    for group in unseen.values():
        walk = _locomotion(group)
        for case, spoil in spoilt_mounts(group[0].rig) if walk else ():
            spoilt = [replace(recording, imu=spoil(recording.imu)) for recording in walk]
            note(case, evidence_of(estimator, spoilt), LOCOMOTION)
    return {
        "auroc": auroc,
        "raised": raised,
        "threshold": distribution.threshold,
        "false_alarms": {s: false_alarms(distribution, group) for s, group in unseen.items()},
    }


def false_alarms(distribution: Distribution, recordings: Sequence[Recording]) -> dict[str, float]:
    """Return the share of a subject's locomotion with the alarm raised, and how often it begins per minute."""
    raised, begun, rows = 0, 0, 0
    rate = recordings[0].rig.rate
    every = max(1, round(0.1 * rate))
    for recording in recordings:
        score = distribution.scores(*motion_statistics(recording.imu, rate, every))
        moving = recording.is_movement()[::every]
        alarm_ = (score > distribution.threshold) & moving
        raised, rows = raised + int(alarm_.sum()), rows + int(moving.sum())
        begun += int((alarm_[1:] & ~alarm_[:-1]).sum()) + int(alarm_[:1].sum())
    minutes = rows * every / rate / 60.0
    return {"share": raised / rows if rows else float("nan"), "a_minute": begun / minutes if rows else float("nan")}


def area_under_curve(negative: FloatArray, positive: FloatArray) -> float:
    """Compute the AUROC: how often a positive scores above a negative, ties counting half."""
    negative = negative[np.isfinite(negative)]
    ranks = rankdata(np.concatenate([negative, positive]))[len(negative) :]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def spoilt_mounts(rig: Rig) -> Iterator[tuple[str, Spoil]]:
    """Return placement errors: sides and segments exchanged, each sensor rotated about each axis."""
    names = [sensor.segment for sensor in rig.sensors]
    if rig.is_mirrorable:
        twin = rig.mirror_sensors()
        yield "sides exchanged", lambda imu: imu[:, twin]
        for segment in dict.fromkeys(names):
            pair = [index for index, name in enumerate(names) if name == segment and twin[index] != index]
            if pair:
                yield f"left and right {segment} exchanged", _exchange(pair, [int(twin[index]) for index in pair])
    for a in range(len(names) - 1):
        if rig.sensors[a].side == rig.sensors[a + 1].side:
            yield f"{names[a]} and {names[a + 1]} exchanged", _exchange([a, a + 1], [a + 1, a])
    for angle in ANGLES_DEG:
        for axis in "xyz":
            matrix = Rotation.from_euler(axis, angle, degrees=True).as_matrix()
            for index in range(len(names)):
                yield f"rotated {angle}° about {axis}: {names[index]}", _turn(index, matrix)


def _exchange(places: Sequence[int], sources: Sequence[int]) -> Spoil:
    def spoil(imu: FloatArray) -> FloatArray:
        result = imu.copy()
        result[:, list(places)] = imu[:, list(sources)]
        return result

    return spoil


def _turn(sensor: int, matrix: FloatArray) -> Spoil:
    def spoil(imu: FloatArray) -> FloatArray:
        result = imu.copy()
        for part in (slice(0, 3), slice(3, 6)):
            result[:, sensor, part] = imu[:, sensor, part] @ matrix.T
        return result

    return spoil


def _locomotion(recordings: Sequence[Recording]) -> list[Recording]:
    """Cut a subject's first minute of locomotion, in bouts that fill the window."""
    chosen, missing = [], round(SHOWN_S * recordings[0].rig.rate)
    for recording in recordings:
        for start, stop in true_runs(recording.is_movement(), round(3 * WINDOW_S * recording.rig.rate)):
            if missing > 0:
                chosen.append(recording.slice(start, min(stop, start + missing)))
                missing -= stop - start
    return chosen


def _of(rows: tuple[FloatArray, NDArray[np.str_]], conditions: Sequence[str]) -> FloatArray:
    """Return the known scores of these activities."""
    values, condition = rows
    return np.asarray(values[np.isin(condition, conditions) & np.isfinite(values)])


def _motion_score(distribution: Distribution) -> Score:
    def score(one: Evidence) -> tuple[FloatArray, NDArray[np.str_]]:
        return distribution.scores(one.motion.statistics, one.motion.available), one.motion.condition

    return score


def _token_score(known: Sequence[Evidence], tokens_of: Callable[[Evidence], FloatArray]) -> Score:
    """Score by the Mahalanobis distance of tokens."""
    fitted = np.concatenate([tokens_of(one)[~np.isin(one.condition, UNSEEN_ACTIVITIES)] for one in known])
    mean, covariance = fitted.mean(axis=0), np.cov(fitted.T)
    covariance = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance)) + 1e-9 * np.eye(len(covariance))
    precision = np.linalg.inv(covariance)

    def score(one: Evidence) -> tuple[FloatArray, NDArray[np.str_]]:
        offset = tokens_of(one) - mean
        return np.asarray(np.einsum("ni,ni->n", offset @ precision, offset)), one.condition

    return score


def _gravity_alone(distribution: Distribution, channels: int) -> Distribution:
    """Score by the mean accelerations alone: the variance of all else is made so large that it does not count."""
    kept = np.zeros(len(distribution.covariance), dtype=bool)
    kept[:channels] = True
    covariance = np.where(np.outer(kept, kept), distribution.covariance, 0.0)
    covariance[~kept, ~kept] = 1e12
    return replace(distribution, covariance=covariance)


@torch.no_grad()
def evidence_of(estimator: Estimator, recordings: Sequence[Recording]) -> Evidence:
    """Return the motion of a subject's recordings, and tokens of the beginning of each."""
    rate = recordings[0].rig.rate
    every, window, share = max(1, round(ROW_PERIOD_S * rate)), round(WINDOW_S * rate), 1.0 / (WINDOW_S * rate)
    parts = []
    for recording in recordings:
        stretch = recording.slice(0, min(len(recording), round(STRETCH_S * rate)))
        inputs = torch.from_numpy(features(stretch.imu, estimator.normalisation))[None]
        tokens = estimator.network.tokens(inputs)[0].double().numpy()
        weight = 1.0 - (1.0 - share) ** np.arange(1, len(tokens) + 1)
        slow = lfilter([share], [1.0, share - 1.0], tokens, axis=0) / weight[:, None]
        parts.append([array[window::every] for array in (tokens, slow, stretch.condition)])
    tokens, slow, condition = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Evidence(motion_of(recordings), tokens, slow, condition)
