"""Jobs and the folder that keeps their outcomes, so that a benchmark goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import json_compatible, to_json


@dataclass(frozen=True)
class Job:
    """One piece of work; its outcome depends on what is said here and on the recordings, and on nothing else.

    Attributes:
        task: what is done, see ``protocols.TASKS``.
        model: with which model or variant.
        left_out: the subjects of the fold, who are scored and never trained on.
        fold: number of the fold, for people.
        seed: of every random choice.
        settings: all that determines the outcome beside that, in plain values and dataclasses of them.
        version: of the task's code; raised by hand when the same settings give other figures.
        source: the job that made the network that this one uses; it runs first.
    """

    task: str
    model: str
    left_out: tuple[str, ...]
    fold: int = 0
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = 2
    source: Job | None = None

    @property
    def depth(self) -> int:
        """How many jobs must run before this one."""
        return 0 if self.source is None else 1 + self.source.depth

    def to_dict(self) -> dict[str, Any]:
        """In plain values, with all that it builds on."""
        described: dict[str, Any] = json_compatible(self)
        return described


@dataclass(frozen=True)
class RunFolder:
    """Outcomes by job: a JSON file for each, and the networks that were trained.

    A file's name holds a hash of the job and of the recordings, so that nothing stale is taken
    for current: whatever changes gives another name.

    Attributes:
        path: the folder; all workers must see it.
        data: fingerprint of the recordings.
    """

    path: Path
    data: str

    def key(self, job: Job) -> str:
        """Name of the job's files."""
        content = json.dumps({"data": self.data, "job": job.to_dict()}, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        model = re.sub(r"[^A-Za-z0-9_.+-]", "-", job.model)[:80]
        return f"{job.task}-{model}-fold{job.fold}-seed{job.seed}-{digest}"

    def network(self, job: Job) -> Path:
        """Where the network that the job trains is kept."""
        return self.path / "networks" / f"{self.key(job)}.safetensors"

    def holds(self, job: Job) -> bool:
        """Whether the job is done."""
        return self._file(self.key(job)).is_file()

    def read(self, job: Job) -> dict[str, Any] | None:
        """What is known of the job (``job``, ``seconds``, ``outcome``); None while it is not done."""
        return read_json(self._file(self.key(job)))

    def write(self, job: Job, seconds: float, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome; a reader sees all of it or nothing."""
        record = {"job": job.to_dict(), "data": self.data, "seconds": seconds, "outcome": outcome}
        write_atomically(self._file(self.key(job)), to_json(record, indent=None))

    def _file(self, key: str) -> Path:
        return self.path / "jobs" / f"{key}.json"


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is none, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def fingerprint(recordings: Sequence[Recording]) -> str:
    """Hash of everything in the recordings that a result can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for recording in recordings:
        words = [recording.name, recording.subject, recording.rig.to_dict(), recording.start, recording.envelope_unit]
        arrays = (recording.imu, recording.envelope, recording.muscle_weight, recording.condition)
        layout = [[array.dtype.str, array.shape] for array in arrays]
        digest.update(json.dumps([words, layout]).encode())
        for array in arrays:
            digest.update(array.tobytes())
    return digest.hexdigest()
