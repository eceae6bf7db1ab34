"""Folder of a run: a JSON file for every finished job, so that an interrupted run can resume."""

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
    """A job with a name for its files."""

    @property
    def label(self) -> str:
        """Readable beginning of its file names; letters, digits and ``_.+-`` only."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return, as JSON values, all that the outcome depends on besides the folder's ``data``."""
        ...


@dataclass(frozen=True)
class RunFolder:
    """Outcomes by job, and the networks that jobs trained.

    File names hold a hash of the job and of ``data``, so that stale outcomes are never used: any change gives another
    name.

    Attributes:
        path: the folder; all workers must see it.
        data: fingerprint of what all jobs depend on: the recordings, or the measured code and the machine.
    """

    path: Path
    data: str

    def key(self, job: Keyed) -> str:
        """Return the name of the job's files, without suffix."""
        content = json.dumps({"data": self.data, "job": job.to_dict()}, sort_keys=True)
        return f"{job.label}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def network(self, job: Keyed) -> Path:
        """Return the path of the network that the job trains."""
        return self.path / "networks" / f"{self.key(job)}.safetensors"

    def work(self, job: Keyed) -> Path:
        """Return the path of the folder that the job's processes write to."""
        return self.path / "work" / job.label

    def holds(self, job: Keyed) -> bool:
        """Return whether the job is done."""
        return record_file(self.path, self.key(job)).is_file()

    def read(self, job: Keyed) -> dict[str, Any] | None:
        """Read the job's record (``job``, ``data``, ``finished``, ``seconds``, ``outcome``); None if it is not done."""
        return read_json(record_file(self.path, self.key(job)))

    def outcome(self, job: Keyed) -> dict[str, Any] | None:
        """Read the outcome alone; None if the job is not done."""
        record = self.read(job)
        return None if record is None else dict(record["outcome"])

    def write(self, job: Keyed, seconds: float, outcome: Mapping[str, Any]) -> None:
        """Store the outcome and its duration [s] atomically."""
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = {"job": job.to_dict(), "data": self.data, "finished": finished, "seconds": seconds}
        write_atomically(record_file(self.path, self.key(job)), to_json(record | {"outcome": outcome}, indent=None))


def record_file(run: Path, key: str) -> Path:
    """Return the path of a job's record in a run folder."""
    return run / "jobs" / f"{key}.json"


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if there is none, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
