"""Writes OpenSim's storage files (.sto): a header, then a table with tabs.

Source of the format: OpenSim documentation, "Storage (.sto) Files". What reads text tables reads them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imu_emg_estimator.utils.atomic_files import write_atomically

HEADER = "{name}\nversion=1\nnRows={rows}\nnColumns={columns}\ninDegrees=no\nendheader\n"


def write_storage(path: Path, name: str, labels: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write rows of numbers, the first of each being its time [s]; raises InputError where that fails.

    Args:
        name: of the storage; OpenSim shows it.
        labels: of the columns after the time.
    """
    header = HEADER.format(name=name, rows=len(rows), columns=len(labels) + 1)
    lines = ["\t".join(["time", *labels]), *("\t".join(f"{value:.6f}" for value in row) for row in rows)]
    write_atomically(path, (header + "\n".join(lines) + "\n").encode())
