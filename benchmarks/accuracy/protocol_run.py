"""A protocol from tuning to its last score, and the manifest that says which jobs belong to it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.accuracy.ablations import ABLATIONS
from benchmarks.accuracy.ill_posedness import LIKENESS
from benchmarks.accuracy.job_runner import Bar, run_jobs, with_sources
from benchmarks.accuracy.jobs import Job, RunFolder, read_json
from benchmarks.accuracy.protocols import JOBS, Plan, tuned_as, tuned_plan, tuning_jobs
from benchmarks.accuracy.tasks import CATALOGUE, TASKS
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import json_compatible, to_json

DESCRIPTIONS = {
    **{name: model.description for name, model in CATALOGUE.items()},
    **{name: variant.description for name, variant in ABLATIONS.items()},
    LIKENESS: "moments whose last second of accelerations is most alike",
}


@dataclass(frozen=True)
class Means:
    """What the jobs run on.

    Attributes:
        workers: jobs at a time.
        backend: of joblib: ``loky``, ``ray`` or ``dask``.
        cluster: address of a Ray or Dask cluster; None = a local one.
    """

    workers: int = 1
    backend: str = "loky"
    cluster: str | None = None


def run_protocol(
    protocol: str,
    plan: Plan,
    recordings: Sequence[Recording],
    folder: RunFolder,
    dataset: str,
    means: Means | None = None,
    progress: Callable[[str], Bar] | None = None,
) -> None:
    """Do what is missing of a protocol; its manifest then lists all jobs that belong to it.

    Args:
        dataset: name of the data, for the report.
    """
    means = means or Means()
    where = (means.workers, means.backend, means.cluster, progress)
    tuning = tuning_jobs(plan, protocol)
    run_jobs(folder, recordings, tuning, TASKS, *where)
    plan = tuned_plan(plan, tuning, folder)
    jobs = JOBS[protocol](plan)
    _write_manifest(protocol, plan, jobs, tuning, folder, dataset)
    run_jobs(folder, recordings, jobs, TASKS, *where)


def manifest_path(run: Path, protocol: str) -> Path:
    """Where a protocol's manifest is kept."""
    return run / f"{protocol}.json"


def _write_manifest(
    protocol: str, plan: Plan, jobs: Sequence[Job], tuning: Sequence[Job], folder: RunFolder, dataset: str
) -> None:
    """Models that were run before under the same conditions stay in; under others, they would not compare."""
    setup = json_compatible(
        {
            "dataset": dataset,
            "data": folder.data,
            "rig": plan.rig.name,
            "rate_hz": plan.rig.rate,
            "look_ahead_s": plan.budget.config(plan.rig).look_ahead / plan.rig.rate,
            "folds": plan.folds,
            "seeds": plan.seeds,
            "budget": plan.budget,
            "seconds": plan.seconds,
            "adaptation": plan.adaptation,
            "ceiling": plan.long,
            "cycles": plan.cycles,
            "tuned": plan.tune,
        }
    )
    path = manifest_path(folder.path, protocol)
    before = read_json(path) or {}
    same = before.get("setup") == setup
    rows: dict[str, list[str]] = before["rows"] if same else {}
    choices: dict[str, Any] = before["choices"] if same else {}
    for job in jobs:
        rows[job.model] = []
    for job in jobs:
        rows[job.model].append(folder.key(job))
    for model in plan.models:
        training = [job.source for job in jobs if job.model == model and job.source]
        choices[model] = {
            "description": DESCRIPTIONS[model],
            "training": [folder.key(job) for job in training],
            "tuning": [folder.key(job) for job in tuning if job.model == model],
            "chosen": plan.tuned.get(tuned_as(model)),
        }
    everything = [*(before["jobs"] if same else []), *map(folder.key, with_sources([*tuning, *jobs]))]
    manifest = {"setup": setup, "rows": rows, "choices": choices, "jobs": sorted(set(everything)), "made": machine()}
    write_atomically(path, to_json(manifest))


def machine() -> dict[str, Any]:
    """When and on what."""
    import torch

    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }
