"""The folder of a run: a JSON file for every finished job, so that a run resumes where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json


class Keyed(Protocol):
    """A piece of work with a name for its files."""

    @property
    def label(self) -> str:
        """Beginning of its file names, for people; letters, digits and ``_.+-`` only."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """All that the outcome depends on beside the folder's ``data``, in plain values."""
        ...


@dataclass(frozen=True)
class RunFolder:
    """Outcomes by job, and the networks that jobs trained.

    File names hold a hash of the job and of ``data``, so that nothing stale is taken for current: any change gives
    another name.

    Attributes:
        path: the folder; all workers must see it.
        data: fingerprint of what all jobs depend on: the recordings, or the measured code and the machine.
    """

    path: Path
    data: str

    def key(self, job: Keyed) -> str:
        """Name the job's files, without their suffix."""
        content = json.dumps({"data": self.data, "job": job.to_dict()}, sort_keys=True)
        return f"{job.label}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def network(self, job: Keyed) -> Path:
        """Name the file of the network that the job trains."""
        return self.path / "networks" / f"{self.key(job)}.safetensors"

    def work(self, job: Keyed) -> Path:
        """Name the folder that the job's processes write to."""
        return self.path / "work" / job.label

    def holds(self, job: Keyed) -> bool:
        """Tell whether the job is done."""
        return record_file(self.path, self.key(job)).is_file()

    def read(self, job: Keyed) -> dict[str, Any] | None:
        """Read the job's record (``job``, ``data``, ``finished``, ``seconds``, ``outcome``); None while not done."""
        return read_json(record_file(self.path, self.key(job)))

    def outcome(self, job: Keyed) -> dict[str, Any] | None:
        """Read the outcome alone; None while the job is not done."""
        record = self.read(job)
        return None if record is None else dict(record["outcome"])

    def write(self, job: Keyed, seconds: float, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome, and how long it took [s]; a reader sees all of it or nothing."""
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = {"job": job.to_dict(), "data": self.data, "finished": finished, "seconds": seconds}
        write_atomically(record_file(self.path, self.key(job)), to_json(record | {"outcome": outcome}, indent=None))


def record_file(run: Path, key: str) -> Path:
    """Name the file of a job's record in a run folder."""
    return run / "jobs" / f"{key}.json"


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
