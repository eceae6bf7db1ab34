"""Protocol `adaptation`: each adaptation method on calibrations of several lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file as load_tensors
from safetensors.numpy import save as save_tensors

from benchmarks.accuracy.adaptation_methods import adapt_estimator
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import FittedNetwork
from benchmarks.accuracy.streaming_protocol import score_left_out, trained
from benchmarks.accuracy.subject_prior import SubjectPrior
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.utils.atomic_files import write_atomically

SECONDS = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
WITH_PRIOR = ("film", "ridge_prior")  # methods that use the prior of the differences between subjects
NO_EPISODES = ", no episodes"  # suffix of a method on a network that was pre-trained without episodes
COMPARED = ("none", "all_weights", "ridge_head")  # methods that are tried on such networks, too
HEAD_PRECISION, FILM = "head_precision", "film."


@dataclass(frozen=True, kw_only=True)
class WithPrior(FittedNetwork):
    """A network with the prior of the differences between its training subjects."""

    prior: SubjectPrior

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> WithPrior:
        return WithPrior(adapt_estimator(self.estimator, calibration, settings, prior=self.prior), prior=self.prior)


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Adapt a network to each left-out subject by one method, for each amount of calibration.

    The source job made the network, or the prior beside the network that its own source made.
    Settings of the job: ``seconds``, ``adaptation`` (AdaptationSettings with the method).
    """
    assert job.source is not None
    if job.source.task == "prior":
        assert job.source.source is not None
        network = trained(job.source.source, folder)
        assert isinstance(network, FittedNetwork)
        fitted: FittedNetwork = WithPrior(network.estimator, prior=load_prior(folder.network(job.source)))
    else:
        network = trained(job.source, folder)
        assert isinstance(network, FittedNetwork)
        fitted = network
    return score_left_out(fitted, recordings, job, shown=False)


def save_prior(prior: SubjectPrior, path: Path) -> None:
    """Write a prior as tensors, atomically."""
    tensors = {f"{FILM}{name}": np.ascontiguousarray(value) for name, value in (prior.film or {}).items()}
    if prior.head_precision is not None:
        tensors[HEAD_PRECISION] = np.ascontiguousarray(prior.head_precision)
    write_atomically(path, save_tensors(tensors))


def load_prior(path: Path) -> SubjectPrior:
    """Read a file of ``save_prior``."""
    tensors = load_tensors(path)
    film = {name.removeprefix(FILM): value for name, value in tensors.items() if name.startswith(FILM)}
    return SubjectPrior(tensors.get(HEAD_PRECISION), film or None)
