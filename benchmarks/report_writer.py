"""Shared parts of both reports: JSON of bounded size, Markdown tables, and figures."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json

MAX_JSON_BYTES = 1_000_000  # of results that are kept in the repository
INNERMOST = re.compile(r"[{\[][^{}\[\]]*[}\]]")  # an object or a list without another one in it

Results = Mapping[str, Any]


def write_report(folder: Path, results: Results, table: str, draw: Callable[[Results, Path], None]) -> None:
    """Write ``results.json``, ``table.md`` and pictures into a folder; raise InputError if that fails."""
    content = compact_json(results)
    if len(content) > MAX_JSON_BYTES:
        print(f"warning: results.json has {len(content)} bytes, too many to keep in the repository", file=sys.stderr)
    write_atomically(folder / "results.json", content)
    write_atomically(folder / "table.md", table.encode())
    draw(results, folder)


def compact_json(content: Any) -> bytes:
    """Write JSON with every innermost object or list on a line of its own."""
    return INNERMOST.sub(_on_one_line, to_json(content, indent=1).decode()).encode()


def _on_one_line(match: re.Match[str]) -> str:
    first, *lines, last = match.group().split("\n") if "\n" in match.group() else [match.group(), ""]
    return first + " ".join(line.strip() for line in lines) + last.strip()


def table_head(cells: Sequence[str], align: str = "---") -> Iterator[str]:
    """Format the head of a Markdown table; ``align`` is the rule under every column but the first."""
    yield table_row(cells)
    yield table_row(["---", *[align] * (len(cells) - 1)])


def table_row(cells: Sequence[object]) -> str:
    """Format a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def subplots(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """Make a figure of this size in inches, and its axes [rows][columns]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
