"""Jobs of the reliability benchmark: what each runs, one after the other or in parallel."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

import benchmarks
import imu_emg_estimator
from benchmarks.run_folder import RunFolder

SHARED_FROM = "10K"  # bytes; larger arrays are shared with the processes as memory-mapped files


@dataclass(frozen=True)
class Job:
    """One job; its outcome depends on these fields, the recordings, the bundle and the code.

    Attributes:
        part: one of ``reliability_options.PARTS``.
        name: of the fault's case, or what else is run.
        subject: whose recordings are used.
        seed: of all random choices.
        size: minutes, hours or buffers.
    """

    part: str
    name: str
    subject: str
    seed: int = 0
    size: float = 0.0

    @property
    def label(self) -> str:
        """Beginning of its file's name."""
        return re.sub(r"[^A-Za-z0-9_.+-]", "-", f"{self.part}-{self.name}-{self.subject}-{self.seed}")[:120]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)


Task = Callable[[Job, Any], Mapping[str, Any]]  # takes a job and its material


def run_jobs(folder: RunFolder, jobs: Iterable[tuple[Job, Any]], tasks: Mapping[str, Task], workers: int) -> None:
    """Run the jobs that the folder lacks, each with its material, and store their outcomes as they come."""
    missing = [(job, material) for job, material in jobs if not folder.holds(job)]
    Parallel(n_jobs=workers, batch_size=1, max_nbytes=SHARED_FROM, verbose=1)(
        delayed(_execute)(folder, job, material, tasks[job.part]) for job, material in missing
    )


def _execute(folder: RunFolder, job: Job, material: Any, task: Task) -> None:
    start = time.monotonic()
    outcome = task(job, material)
    folder.write(job, time.monotonic() - start, outcome)


def outcomes(folder: RunFolder, jobs: Sequence[Job]) -> list[tuple[Job, dict[str, Any]]]:
    """Read the outcomes of the jobs that are done."""
    return [(job, outcome) for job in jobs if (outcome := folder.outcome(job)) is not None]


def code_fingerprint() -> str:
    """Hash the code that outcomes depend on: the package, and this benchmark."""
    package = Path(imu_emg_estimator.__file__).parent
    own = Path(benchmarks.__file__).parent / "reliability"
    folders = [*(package / name for name in ("faults", "model", "signals", "streaming")), own]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
