"""Placement errors that begin while a subject walks: how soon live placement names the sensors, of many trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.reliability.fault_cases import FAULT_DURATION_S, Scene
from benchmarks.reliability.fault_oracle import LIMITS_S, named_from
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.reliability.subject_scenes import Subject
from benchmarks.report_writer import table_head, table_row
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.live_placement import LivePlacement
from imu_emg_estimator.model.placement_remedies import Remedy, exchanges, inversions, right_angles, rotation_about
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.streaming.settled_rows import SETTLING_S
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator

EARLIEST_S = 12.0  # from the start of the walk to the error
TRIALS = 4  # of each error on a subject
Choose = Callable[[Rig, np.random.Generator], Remedy]


def _exchanged(pair: bool) -> Choose:
    def choose(rig: Rig, generator: np.random.Generator) -> Remedy:
        found = [one for one in exchanges(rig) if (len(one.sensors) == 2) is pair]
        return found[int(generator.integers(len(found)))]

    return choose


def _turned(rotations: Sequence[FloatArray]) -> Choose:
    def choose(rig: Rig, generator: np.random.Generator) -> Remedy:
        sensor = int(generator.integers(len(rig.sensors)))
        return Remedy((sensor,), tuple(range(len(rig.sensors))), rotations[int(generator.integers(len(rotations)))])

    return choose


def _slipped(axis: int) -> Choose:
    return _turned([rotation_about(np.eye(3)[axis], degrees) for degrees in (-45.0, 45.0)])


ERRORS: Mapping[str, Choose] = {
    "two exchanged": _exchanged(pair=True),
    "sides exchanged": _exchanged(pair=False),
    "all axes negated": _turned(list(inversions())[:1]),
    "one axis negated": _turned(list(inversions())[1:]),
    "turned by right angles": _turned(list(right_angles())),
    **{f"slipped by 45° about {name}": _slipped(axis) for axis, name in enumerate("xyz")},
}


def placement_jobs(subjects: Sequence[str], seed: int, repeats: int) -> Iterator[Job]:
    """Yield a job for every error and subject."""
    for name in subjects:
        yield from (Job("placement", error, name, seed, TRIALS * repeats) for error in ERRORS)


def run_placement(job: Job, subject: Subject) -> Mapping[str, Any]:
    """Run the trials of an error on a subject."""
    bundle, imu = Bundle.load(subject.bundle), subject.scenes[Scene.WALKING].imu
    generator = np.random.default_rng([job.seed, sum(map(ord, job.label))])
    return {"trials": [_trial(bundle, imu, ERRORS[job.name], generator) for _ in range(round(job.size))]}


def _trial(bundle: Bundle, imu: FloatArray, choose: Choose, generator: np.random.Generator) -> dict[str, Any]:
    rate, error = bundle.rig.rate, choose(bundle.rig, generator)
    latest = len(imu) / rate - FAULT_DURATION_S
    begin = round(generator.uniform(EARLIEST_S, latest) * rate)
    end = begin + round(FAULT_DURATION_S * rate)
    wrong = imu[:end].copy()
    wrong[begin:] = error.apply(wrong[begin:])
    placement = LivePlacement(bundle)
    unnamed, blames = np.zeros(end - begin, bool), np.zeros(end - begin, bool)
    for index, row in enumerate(wrong):
        placement.step(row)
        if index >= begin:
            named = {sensor for sensor, state in enumerate(placement.states) if state.masked}
            unnamed[index - begin] = not (placement.out_of_distribution or named >= set(error.sensors))
            blames[index - begin] = bool(named - set(error.sensors))
    at = named_from(np.arange(len(unnamed)) / rate, unnamed)
    is_late = at is None or at > LIMITS_S[-1]
    effect = _effect(bundle, imu[:end], wrong, begin) if is_late else 0.0
    return {"sensors": error.sensors, "named_from": at, "blames_others": float(blames.mean()), "effect": effect}


def _effect(bundle: Bundle, imu: FloatArray, wrong: FloatArray, begin: int) -> float:
    """Return the largest change of an activation by the error."""
    right, other = (_activations(bundle, rows) for rows in (imu, wrong))
    return float(np.abs(right - other)[begin:].max())


def _activations(bundle: Bundle, imu: FloatArray) -> FloatArray:
    streaming = StreamingEstimator(bundle, scores_motion=False)
    estimates = [streaming.step(row) for row in imu]
    return np.array([estimate.activation for estimate in estimates if estimate is not None])


def summarise_placement(done: Sequence[tuple[Job, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the figures of every error, over all subjects and for the worst subject."""
    result = {}
    for name in (error for error in ERRORS if any(job.name == error for job, _ in done)):
        outcomes = [outcome["trials"] for job, outcome in done if job.name == name]
        trials = [trial for one in outcomes for trial in one]
        result[name] = {
            "trials": len(trials),
            "named_within": {f"{limit:g}": _share(trials, limit) for limit in LIMITS_S},
            "worst_subject": min(_share(one, LIMITS_S[-1]) for one in outcomes),
            "blames_others_share": float(np.mean([trial["blames_others"] for trial in trials])),
            "effect_unnamed": max(trial["effect"] for trial in trials),
        }
    return result


def _share(trials: Sequence[Mapping[str, Any]], limit: float) -> float:
    """Return the share that is named within so many seconds live, where rows are held back until they have settled."""
    return float(np.mean([one["named_from"] is not None and one["named_from"] + SETTLING_S <= limit for one in trials]))


def placement_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of ``summarise_placement``."""
    head = ["error", "trials", "named in 3 s", "in 10 s", "in 10 s, worst subject", "others named", "effect if unnamed"]
    yield from table_head(head, "---:")
    for name, row in found.items():
        shares = [*row["named_within"].values(), row["worst_subject"], row["blames_others_share"]]
        yield table_row(
            [name, row["trials"], *(f"{100 * share:.0f} %" for share in shares), f"{row['effect_unnamed']:.2f}"]
        )
    yield ""
