"""Jobs of the accuracy benchmark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
