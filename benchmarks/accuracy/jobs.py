"""Jobs of the accuracy benchmark, and the fingerprint of the recordings that they use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.utils.json_values import json_compatible


@dataclass(frozen=True)
class Job:
    """A job; its outcome depends on these fields and the recordings only.

    Attributes:
        task: name of the task, see ``protocols.TASKS``.
        model: name of the model or variant.
        left_out: the subjects of the fold, who are scored and never trained on.
        fold: number of the fold, for display.
        seed: of all random draws.
        settings: everything else that determines the outcome, as JSON values and dataclasses of them.
        version: of the task's code; raised by hand when the same settings give other figures.
        source: the job that trains the network for this one; it runs first.
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
    def label(self) -> str:
        """Beginning of the job's file names."""
        model = re.sub(r"[^A-Za-z0-9_.+-]", "-", self.model)[:80]
        return f"{self.task}-{model}-fold{self.fold}-seed{self.seed}"

    @property
    def depth(self) -> int:
        """Number of jobs that must run before this one."""
        return 0 if self.source is None else 1 + self.source.depth

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, including all source jobs."""
        described: dict[str, Any] = json_compatible(self)
        return described


def fingerprint(recordings: Sequence[Recording]) -> str:
    """Hash everything in the recordings that a result can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for recording in recordings:
        words = [recording.name, recording.subject, recording.rig.to_dict(), recording.start, recording.envelope_unit]
        arrays = (recording.imu, recording.envelope, recording.muscle_weight, recording.condition)
        layout = [[array.dtype.str, array.shape] for array in arrays]
        digest.update(json.dumps([words, layout]).encode())
        for array in arrays:
            digest.update(array.tobytes())
    return digest.hexdigest()
