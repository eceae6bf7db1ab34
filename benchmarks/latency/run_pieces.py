"""The folder of a run: a file for every finished piece, so that a run goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json

# What only presents the figures changes none of them.
PRESENTATION = ("report.py", "pictures.py", "results.py", "command.py", "options.py")


@dataclass(frozen=True)
class Piece:
    """One measurement.

    Attributes:
        section: what it belongs to.
        name: which of the section's measurements it is.
        repeat: which repeat, from 0.
        settings: all that its outcome depends on beside the code and the machine, in plain values.
        seconds: about how long it takes.
    """

    section: str
    name: str
    repeat: int
    settings: Mapping[str, Any]
    seconds: float = 1.0


@dataclass(frozen=True)
class RunFolder:
    """Outcomes by piece. A file's name holds a hash of the piece, the code and the machine: nothing stale is taken.

    Attributes:
        code: fingerprint of what is measured.
    """

    path: Path
    code: str

    def read(self, piece: Piece) -> dict[str, Any] | None:
        """The outcome of a piece; None while it is not measured."""
        try:
            record = json.loads(self._file(piece).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return dict(record["outcome"]) if isinstance(record, dict) and "outcome" in record else None

    def write(self, piece: Piece, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome; a reader sees all of it or nothing."""
        record = {
            "section": piece.section,
            "name": piece.name,
            "repeat": piece.repeat,
            "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "outcome": outcome,
        }
        write_atomically(self._file(piece), to_json(record, indent=None))

    def work(self, piece: Piece) -> Path:
        """Where the processes of a piece write."""
        return self.path / "work" / f"{piece.section}-{piece.name}-{piece.repeat}"

    def _file(self, piece: Piece) -> Path:
        content = [piece.section, piece.name, piece.repeat, dict(piece.settings), self.code, platform.node()]
        digest = hashlib.sha256(to_json(content)).hexdigest()[:12]
        return self.path / "pieces" / f"{piece.section}-{piece.name}-{piece.repeat}-{digest}.json"


def code_fingerprint() -> str:
    """Hash of the code that is measured and that measures: figures of other code are not mixed with these."""
    root = Path(__file__).parents[2]
    files = [file for top in ("imu_emg_estimator", "benchmarks") for file in (root / top).rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.name not in PRESENTATION:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
