"""Run of one part of the report from tuning to scores, and the manifest that lists its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.accuracy.ablations import ABLATIONS
from benchmarks.accuracy.ill_posedness import LIKENESS
from benchmarks.accuracy.job_runner import Bar, run_jobs, with_sources
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.protocols import JOBS, Plan, tuned_plan, tuning_jobs
from benchmarks.accuracy.tasks import TASKS
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT
from benchmarks.run_folder import RunFolder, read_json
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.subject_checks import conditions_of
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import json_compatible, to_json

DESCRIPTIONS = {
    **{name: model.description for name, model in MODELS.items()},
    **{name: variant.description for name, variant in ABLATIONS.items()},
    LIKENESS: "moments whose last second of accelerations is most alike",
}


@dataclass(frozen=True)
class Means:
    """Resources of the jobs.

    Attributes:
        workers: jobs at a time.
        backend: of joblib: ``loky``, ``ray`` or ``dask``.
        cluster: address of a Ray or Dask cluster; None = a local one.
    """

    workers: int = 1
    backend: str = "loky"
    cluster: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of the report.

    Attributes:
        name: of the part; runs with the same name and setup are one part.
        protocol: that it is a run of.
        dataset: name of the data.
        command: that makes it, for the reader of the report.
    """

    name: str
    protocol: str
    dataset: str
    command: str


def run_protocol(
    part: Part,
    plan: Plan,
    recordings: Sequence[Recording],
    folder: RunFolder,
    means: Means | None = None,
    progress: Callable[[str], Bar] | None = None,
) -> None:
    """Run the missing jobs of a part; its manifest then lists all jobs that belong to it."""
    means = means or Means()
    where = (means.workers, means.backend, means.cluster, progress)
    tuning = tuning_jobs(plan, part.protocol)
    run_jobs(folder, recordings, tuning, TASKS, *where)
    plan = tuned_plan(plan, tuning, folder)
    jobs = JOBS[part.protocol](plan)
    _write_manifest(part, plan, jobs, tuning, folder)
    run_jobs(folder, recordings, jobs, TASKS, *where)


def manifest_path(run: Path, part: str) -> Path:
    """Return the path of the manifest of a part of the report."""
    return run / "parts" / f"{part}.json"


def manifests(run: Path) -> dict[str, dict[str, Any]]:
    """Read the manifests of a run folder by part, in the order of the protocols, each protocol's namesake first."""
    files = sorted((run / "parts").glob("*.json"))
    found = {file.stem: manifest for file in files if (manifest := read_json(file))}
    order = list(JOBS)

    def place(part: str) -> tuple[int, bool, str]:
        protocol = found[part]["protocol"]
        return order.index(protocol), part != protocol, part

    return {part: found[part] for part in sorted(found, key=place)}


def _write_manifest(part: Part, plan: Plan, jobs: Sequence[Job], tuning: Sequence[Job], folder: RunFolder) -> None:
    """Keep models of earlier runs under the same conditions; others would not be comparable."""
    setup = json_compatible(
        {
            "dataset": part.dataset,
            "data": folder.data,
            "rig": plan.rig.name,
            "rate_hz": plan.rig.rate,
            "conditions": list(conditions_of(plan.rig)),
            "look_ahead_s": plan.budget.config(plan.rig).look_ahead / plan.rig.rate,
            "folds": plan.folds,
            "seeds": plan.seeds,
            "budget": plan.budget,
            "seconds": plan.seconds,
            "adaptation": plan.adaptation,
            WITHIN_SUBJECT: plan.long,
            "cycles": plan.cycles,
            "tuned": plan.tune,
        }
    )
    path = manifest_path(folder.path, part.name)
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
            "chosen": plan.tuned.get(model),
        }
    everything = [*(before["jobs"] if same else []), *map(folder.key, with_sources([*tuning, *jobs]))]
    manifest = {
        "protocol": part.protocol,
        "setup": setup,
        "made": {"command": part.command, **machine.describe(), "gpu": _gpu()},
        "rows": rows,
        "choices": choices,
        "jobs": sorted(set(everything)),
    }
    write_atomically(path, to_json(manifest))


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
