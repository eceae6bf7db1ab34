"""Trainings side by side: in processes of this machine, or on a Ray or Dask cluster, with progress shown as one.

Each training notes its steps in a file, and a thread adds them up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from joblib import parallel_config

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.optional_packages import needs
from imu_emg_estimator.utils.progress import CountProgress

NOTED_EVERY = 10  # steps
SHOWN_EVERY_S = 0.5


@contextmanager
def job_backend(backend: str, workers: int, cluster: str | None = None) -> Iterator[None]:
    """Select joblib's backend within the context.

    Args:
        backend: ``loky`` for processes of this machine, ``ray`` or ``dask`` for a cluster.
        workers: number of parallel jobs.
        cluster: address of the Ray or Dask cluster; None = a local one.

    Raises:
        InputError: a missing package or cluster.
    """
    with {"loky": _loky, "ray": _ray, "dask": _dask}[backend](workers, cluster):
        yield


@contextmanager
def _loky(workers: int, cluster: str | None) -> Iterator[None]:
    if cluster:
        raise InputError(
            f"cluster {cluster} was named without a backend that knows clusters; add --backend ray or dask"
        )
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        yield


@contextmanager
def _ray(workers: int, cluster: str | None) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise InputError(f"--backend ray {needs('ray')}") from None
    try:
        if cluster:
            ray.init(address=cluster, logging_level=logging.ERROR)
        else:
            ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises a bare Exception when its start times out
        what = f"no Ray cluster answers at {cluster}; start one" if cluster else "Ray did not start here; try again"
        raise InputError(f"{what} ({' '.join(str(error).split())[:200]})") from None
    register_ray()
    try:
        with parallel_config("ray", n_jobs=workers):
            yield
    finally:
        ray.shutdown()


@contextmanager
def _dask(workers: int, cluster: str | None) -> Iterator[None]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError(f"--backend dask {needs('distributed')}") from None
    place = cluster or LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
    )
    try:
        client = Client(place)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {cluster} ({error}); start one first") from None
    try:
        with client, parallel_config("dask", n_jobs=workers):
            yield
    finally:
        if isinstance(place, LocalCluster):
            place.close()


@dataclass(frozen=True)
class StepNote:
    """Notes the steps of one training: a ``StepProgress`` that another process can be given."""

    path: Path

    def __call__(self, done: int, total: int, loss: float) -> None:
        """Note the steps done."""
        if done % NOTED_EVERY == 0 or done == total:
            with suppress(OSError):  # on another machine of a cluster
                self.path.write_text(str(done))


@contextmanager
def joined_progress(trainings: int, steps: int, progress: CountProgress | None) -> Iterator[Sequence[StepNote | None]]:
    """Give a note for each training of so many steps; call ``progress`` with the steps done and those of all."""
    if progress is None:
        yield [None] * trainings
        return
    with TemporaryDirectory() as folder:
        notes = [StepNote(Path(folder) / str(index)) for index in range(trainings)]
        ended = threading.Event()
        thread = threading.Thread(target=_show, args=(notes, steps * trainings, progress, ended), daemon=True)
        thread.start()
        try:
            yield notes
        finally:
            ended.set()
            thread.join()


def _show(notes: Sequence[StepNote], total: int, progress: CountProgress, ended: threading.Event) -> None:
    shown = -1
    while True:
        last = ended.wait(SHOWN_EVERY_S)
        done = sum(_steps(note.path) for note in notes)
        if done != shown:
            progress(done, total)
        shown = done
        if last:
            return


def _steps(path: Path) -> int:
    try:
        return int(path.read_text() or 0)  # empty while it is written
    except FileNotFoundError:
        return 0
