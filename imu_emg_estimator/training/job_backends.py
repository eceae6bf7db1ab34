"""Where jobs run in parallel: in processes of this machine, or on a Ray or Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from joblib import parallel_config

from imu_emg_estimator.errors import InputError


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
        raise InputError("--backend ray needs Ray, which is not installed; pip install ray") from None
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
        raise InputError("--backend dask needs Dask, which is not installed; pip install 'dask[distributed]'") from None
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
