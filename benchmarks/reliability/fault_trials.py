"""Trials of the faults, each a job of its own: a case on a subject's scene, judged by the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.fault_cases import CASES, Case, Expected, Scene
from benchmarks.reliability.fault_oracle import Truth, judge
from benchmarks.reliability.imu_streams import START_NS, Transport, messages_of
from benchmarks.reliability.live_runs import LiveRun, run_live
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.reliability.subject_scenes import Subject
from imu_emg_estimator.faults.fault_injection import inject
from imu_emg_estimator.faults.fault_kind import Fault, ImuMessage
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND

CASE = {case.name: case for case in CASES}
KEPT_CLEAN_RUNS = 4
MAX_LEFT_OUT = 300  # messages
MAX_CAUSES, MAX_ENTRIES = 4, 8


def trials(cases: Sequence[Case], subjects: Sequence[Subject], seeds: Sequence[int]) -> list[Job]:
    """List all trials, those of one scene together."""
    return [
        Job("faults", case.name, subject.name, seed)
        for subject in subjects
        for scene in Scene
        if scene in subject.scenes
        for seed in seeds
        for case in cases
        if case.scene is scene
    ]


def run_trial(job: Job, subject: Subject) -> dict[str, Any]:
    """Run one trial; an exception of the live path is a figure too."""
    case = CASE[job.name]
    clean, reference = _clean(subject.name, case.scene, job.seed, _Scenes(subject))
    generator = np.random.default_rng([job.seed, sum(map(ord, job.label))])
    faults = case.faults(subject.scenes[case.scene].rig, generator)
    injected = list(inject(clean, faults, job.seed))
    try:
        run = run_live(_bundle(subject.bundle), injected)
    except Exception as error:  # whatever it is, a node would have ended by it
        return {"exception": f"{type(error).__name__}: {error}"}
    if case.whole and case.expected is Expected.RECONCILED:
        reference = run_live(_bundle(subject.bundle), _with_grid_of(run, clean, subject.scenes[case.scene].rig.rate))
    main = faults[-1]
    struck = _struck(clean, injected, main) if main.kind == "clipped" else None
    wrong = main.sensors[::2] if main.kind == "two_sensors" else main.sensors  # the others' own inputs are right
    truth = Truth(wrong, main.start, main.start + main.duration, struck)
    causes = sorted({cause for cause, at in zip(run.cause, run.at, strict=True) if main.start < at})
    return {
        **judge(case, truth, run, reference),
        "sensors": main.sensors,
        "entries": _entries(run, main),
        "causes": causes[:MAX_CAUSES],
        "statuses": _counts(run, main),
    }


def _with_grid_of(run: LiveRun, clean: Sequence[ImuMessage], rate: float) -> Sequence[ImuMessage]:
    """Leave out the first messages so that the grid has the phase of a run's.

    The grid begins with the first sample. Recordings are made of samples: between them a grid sees less of impacts,
    and what it begins with would change amplitudes by 3 %, whatever the clocks do.
    """
    if not run.instant:
        return clean
    period = SECOND / rate
    phases = [(m.timestamp - START_NS - run.instant[-1] * SECOND) / period for m in clean[:MAX_LEFT_OUT]]
    return clean[int(np.argmin([abs(phase - round(phase)) for phase in phases])) :]


class _Scenes:
    """Hashes alike for one subject, so that clean runs are kept."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __hash__(self) -> int:
        return hash(self.subject.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Scenes) and other.subject.name == self.subject.name


@lru_cache(KEPT_CLEAN_RUNS)
def _clean(name: str, scene: Scene, seed: int, scenes: _Scenes) -> tuple[list[ImuMessage], LiveRun]:
    """Return the messages of a scene without a fault, and what came out."""
    messages = list(messages_of(scenes.subject.scenes[scene], Transport(seed=seed)))
    return messages, run_live(_bundle(scenes.subject.bundle), messages)


@lru_cache(KEPT_CLEAN_RUNS)
def _bundle(path: Path) -> Bundle:
    return Bundle.load(path)


def _struck(clean: Sequence[ImuMessage], injected: Sequence[ImuMessage], fault: Fault) -> NDArray[np.float64]:
    """Return when changed samples arrived [s]."""
    before = {(message.sensor, message.sequence): message.sample for message in clean}
    return np.array(
        [
            (message.arrival - START_NS) / SECOND
            for message in injected
            if message.sensor in fault.sensors and message.sample != before[message.sensor, message.sequence]
        ]
    )


def _entries(run: LiveRun, fault: Fault) -> list[list[Any]]:
    """Return the first verdicts during the fault: time since its beginning, sensor, verdict, reason."""
    inside = [one for one in run.entries if fault.start < one.at <= fault.start + fault.duration]
    return [[round(one.at - fault.start, 3), one.sensor, one.verdict.value, one.reason] for one in inside[:MAX_ENTRIES]]


def _counts(run: LiveRun, fault: Fault) -> Mapping[str, int]:
    """Return how often each status was published during the fault."""
    inside = [
        status
        for status, at in zip(run.status, run.at, strict=True)
        if fault.start < at <= fault.start + fault.duration
    ]
    return {str(status): inside.count(status) for status in sorted(set(inside))}
