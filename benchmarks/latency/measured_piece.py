"""One measurement of a run, and the fingerprint of the code that is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
MEASURED_FOLDERS = ("imu_emg_estimator", "benchmarks/latency")
# These files present figures and change none of them.
PRESENTATION = tuple(f"latency_{part}.py" for part in ("command", "options", "pictures", "report", "results"))


@dataclass(frozen=True)
class Piece:
    """One measurement.

    Attributes:
        section: of the report.
        name: of the measurement in its section.
        repeat: number of the repeat, from 0.
        settings: everything that its outcome depends on besides code and machine, as JSON values.
        seconds: estimated duration.
    """

    section: str
    name: str
    repeat: int
    settings: Mapping[str, Any]
    seconds: float = 1.0

    @property
    def label(self) -> str:
        """Beginning of the piece's file names."""
        return f"{self.section}-{self.name}-{self.repeat}"

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values everything that the outcome depends on."""
        return {
            "section": self.section,
            "name": self.name,
            "repeat": self.repeat,
            "settings": dict(self.settings),
        }


def code_fingerprint() -> str:
    """Hash the code that is measured and that measures: figures of other code are not mixed with these."""
    files = [file for folder in MEASURED_FOLDERS for file in (CHECKOUT / folder).rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.name not in PRESENTATION:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
