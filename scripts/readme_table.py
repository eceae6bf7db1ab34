"""Put the table of results into README.md: ``readme_table.py``; the figures are those of the shipped recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results" / "accuracy" / "results.json"
START, END = "<!-- figures: scripts/readme_table.py -->\n", "\n<!-- end of figures -->"
MODEL = "geglu_transformer"
COLUMNS = {"r walking": ("walking", "r"), "R² walking": ("walking", "r2"), "r all activities": ("all", "r")}


def table(results: Mapping[str, Any]) -> str:
    """Return the table in Markdown."""
    streaming = results["streaming"]
    rows = streaming["rows"][MODEL]["mean"]
    lines = [
        f"| calibration | {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * len(COLUMNS)}",
        *(row("none" if seconds == "0" else f"{seconds} s", means) for seconds, means in rows.items()),
        row("*within-subject reference*", streaming["within_subject"]["mean"]),
    ]
    return "\n".join(lines)


def row(name: str, means: Mapping[str, Any]) -> str:
    """Return one row: a name and the mean over subjects of every column."""
    figures = (means[condition][figure]["mean"] for condition, figure in COLUMNS.values())
    return f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |"


def with_table(page: str) -> str:
    """Return a page with the table between its marks replaced."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return before + START + table(json.loads(RESULTS.read_text(encoding="utf-8"))) + END + after


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
