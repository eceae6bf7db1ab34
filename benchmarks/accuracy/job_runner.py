"""Parallel execution of unfinished jobs, on this machine or on a cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from joblib import Parallel, delayed

from benchmarks.accuracy.jobs import Job
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.parallel_trainings import job_backend

SHARED_FROM = "10K"  # bytes; larger arrays are shared with processes of this machine as memory-mapped files
POLL_S = 1.0  # between updates of the progress

Task = Callable[[Sequence[Recording], Job, RunFolder], Mapping[str, Any]]
Bar = Callable[[int, int], None]


def run_jobs(
    folder: RunFolder,
    recordings: Sequence[Recording],
    jobs: Sequence[Job],
    tasks: Mapping[str, Task],
    workers: int = 1,
    backend: str = "loky",
    cluster: str | None = None,
    progress: Callable[[str], Bar] | None = None,
) -> None:
    """Run all jobs that the folder lacks, after those whose networks they use.

    Each worker stores its outcome as soon as the job is done, so that the same call resumes after a kill.

    Args:
        tasks: functions by a job's ``task``.
        workers: number of parallel jobs.
        backend: ``loky`` for processes of this machine, ``ray`` or ``dask`` for a cluster.
        cluster: address of the Ray or Dask cluster; None = a local one.
        progress: makes a progress bar from a title.

    Raises:
        InputError: a missing package or cluster, or a folder that the workers do not share.
    """
    missing = [job for job in with_sources(jobs) if folder.read(job) is None]
    if not missing:
        return
    with job_backend(backend, workers, cluster):
        for depth in sorted({job.depth for job in missing}):
            level = [job for job in missing if job.depth == depth]
            bar = progress("/".join(dict.fromkeys(job.task for job in level))) if progress else None
            _run_level(folder, recordings, level, tasks, workers, bar)


def with_sources(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs and their sources, each once, sources first."""
    found: dict[str, Job] = {}
    for job in jobs:
        chain = []
        link: Job | None = job
        while link is not None:
            chain.append(link)
            link = link.source
        for link in reversed(chain):
            found.setdefault(repr(link.to_dict()), link)
    return sorted(found.values(), key=lambda job: job.depth)


def _run_level(
    folder: RunFolder,
    recordings: Sequence[Recording],
    jobs: Sequence[Job],
    tasks: Mapping[str, Task],
    workers: int,
    bar: Bar | None,
) -> None:
    with _watched(folder, jobs, bar):
        Parallel(n_jobs=workers, batch_size=1, max_nbytes=SHARED_FROM)(
            delayed(execute)(tasks[job.task], recordings, job, folder) for job in jobs
        )
    if not all(folder.holds(job) for job in jobs):
        raise InputError(
            f"the workers' files are not to be seen in {folder.path}; name a --run folder that all workers share, "
            "and do not change the package while it runs"
        )


@contextmanager
def _watched(folder: RunFolder, jobs: Sequence[Job], bar: Bar | None) -> Iterator[None]:
    """Show progress by counting finished files: not every joblib backend reports it."""
    if bar is None:
        yield
        return
    over = threading.Event()

    def count() -> None:
        while not over.wait(POLL_S):
            bar(sum(folder.holds(job) for job in jobs), len(jobs))

    bar(0, len(jobs))
    watcher = threading.Thread(target=count, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    bar(len(jobs), len(jobs))


def execute(task: Task, recordings: Sequence[Recording], job: Job, folder: RunFolder) -> None:
    """Run one job on one thread and store its outcome."""
    import torch

    torch.set_num_threads(1)  # workers share the cores among themselves
    start = time.monotonic()
    outcome = task(recordings, job, folder)
    folder.write(job, time.monotonic() - start, outcome)
