"""Random combinations of faults: nothing may raise, and nothing may stay wrong after the last fault has ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.reliability.fault_cases import CASES, Scene, Who, sensors_of
from benchmarks.reliability.fault_oracle import Outputs
from benchmarks.reliability.imu_streams import START_NS, Transport, chained, messages_of
from benchmarks.reliability.live_runs import run_live
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.reliability.subject_scenes import Subject
from imu_emg_estimator.faults.fault_injection import KINDS, inject
from imu_emg_estimator.faults.fault_kind import Fault
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.streaming.activation_status import OK

MINUTE_S = 60.0
LAST_END_S = 30.0  # of a fault; the rest of the minute is for recovery
MAX_FAULTS = 4
MAX_DURATION_S = 10.0
MAX_FACTOR = 4.0  # by which a magnitude differs from that of a case
JUDGED_S = 10.0  # at the end of the minute
MIN_GOOD_SHARE = 0.5  # of those outputs that are good on clean input


def run_random(job: Job, subject: Subject) -> Mapping[str, Any]:
    """Run one minute; return what raised, and whether the estimator was stuck at its end."""
    generator = np.random.default_rng(job.seed)
    scene = _minute(subject)
    faults = random_faults(scene.rig, generator)
    told = [[fault.kind, fault.sensors, round(fault.start, 2), fault.duration, fault.magnitude] for fault in faults]
    clean = list(messages_of(scene, Transport(seed=job.seed)))
    bundle = Bundle.load(subject.bundle)
    try:
        outputs = Outputs(run_live(bundle, inject(clean, faults, job.seed)))
    except Exception as error:  # whatever it is, a node would have ended by it
        return {"faults": told, "exception": f"{type(error).__name__}: {error}", "is_stuck": False}
    is_stuck = _good_share(outputs) < MIN_GOOD_SHARE and _good_share(Outputs(run_live(bundle, clean))) > MIN_GOOD_SHARE
    end = (clean[-1].arrival - START_NS) / SECOND
    return {"faults": told, "exception": None, "is_stuck": is_stuck, "seconds": end, "status": int(outputs.status[-1])}


def random_faults(rig: Rig, generator: np.random.Generator) -> list[Fault]:
    """Draw a few faults that have ended by ``LAST_END_S``."""
    return [_random_fault(rig, generator) for _ in range(generator.integers(1, MAX_FAULTS + 1))]


def _minute(subject: Subject) -> Recording:
    scene = subject.scenes[Scene.WALKING]
    whole = chained([scene] * math.ceil(MINUTE_S / scene.duration))
    return whole.slice(0, round(MINUTE_S * scene.rig.rate))


def _random_fault(rig: Rig, generator: np.random.Generator) -> Fault:
    case = CASES[int(generator.integers(len(CASES)))]
    kind = KINDS[case.kind]
    who = Who.PAIR if kind.in_pairs else Who(str(generator.choice([who.value for who in Who])))
    start = float(generator.uniform(3.0, LAST_END_S - 1.0))
    duration = float(generator.uniform(0.05, min(MAX_DURATION_S, LAST_END_S - start)))
    magnitude = case.magnitude
    if math.isfinite(magnitude) and kind.lowest is not None and kind.highest is not None:
        factor = math.exp(generator.uniform(-1.0, 1.0) * math.log(MAX_FACTOR))
        magnitude = float(np.clip(magnitude * factor, kind.lowest, kind.highest))
    return Fault(case.kind, tuple(sensors_of(who, rig, generator, case.kind)), start, duration, magnitude)


def _good_share(outputs: Outputs) -> float:
    last = outputs.at > MINUTE_S - JUDGED_S
    return float((outputs.status[last] == OK).mean()) if last.any() else 0.0
