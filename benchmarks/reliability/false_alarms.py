"""False alarms: what the estimator says while a subject does ordinary things and no sensor fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.imu_streams import Transport, messages_of
from benchmarks.reliability.live_runs import LiveRun, run_live
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.reliability.subject_scenes import Subject
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.streaming.activation_status import NAMES, OK, WARMING_UP

AT_REST = ("sitting", "standing", "sitting_in_car")
START_S = 2.0  # after which the attention band is full
GROUPS = ("rest", "locomotion", "other")


def run_clean(job: Job, subject: Subject) -> Mapping[str, Any]:
    """Run what a subject did, in random order up to the job's size; return what was said, by what the subject did."""
    bundle = Bundle.load(subject.bundle)
    seconds = dict.fromkeys(GROUPS, 0.0)
    statuses = {group: [0] * len(NAMES) for group in GROUPS}
    alarms: dict[str, dict[str, int]] = {group: {} for group in GROUPS}
    for number in np.random.default_rng(job.seed).permutation(len(subject.everything)).tolist():
        recording = subject.everything[number]
        if recording.duration < 2 * START_S or sum(seconds.values()) > 60.0 * job.size:
            continue
        run = run_live(bundle, messages_of(recording, Transport(seed=job.seed + number)))
        group_at = _groups(recording)
        for group in GROUPS:
            seconds[group] += float(
                (group_at[round(START_S * recording.rig.rate) :] == group).sum() / recording.rig.rate
            )
        for at, status in zip(run.at, run.status, strict=True):
            if at > START_S:
                statuses[_at(group_at, at, recording)][status] += 1
        for at, kind in _beginnings(run):
            if at > START_S:
                counts = alarms[_at(group_at, at, recording)]
                counts[kind] = counts.get(kind, 0) + 1
    return {"seconds": seconds, "statuses": statuses, "alarms": alarms}


def _beginnings(run: LiveRun) -> Iterable[tuple[float, str]]:
    """Yield when each kind of alarm began: statuses, and verdicts on sensors."""
    before = OK
    for at, status in zip(run.at, run.status, strict=True):
        if status not in (before, OK, WARMING_UP):
            yield at, NAMES[status]
        before = status
    for entry in run.entries:
        yield entry.at, entry.verdict.value


def _groups(recording: Recording) -> NDArray[np.str_]:
    moving = recording.is_movement()
    return np.where(moving, "locomotion", np.where(np.isin(recording.condition, AT_REST), "rest", "other"))


def _at(groups: NDArray[np.str_], at: float, recording: Recording) -> str:
    return str(groups[min(round(at * recording.rig.rate), len(groups) - 1)])
