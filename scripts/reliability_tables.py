"""Put the tables into docs/reliability.md: ``reliability_tables.py``; the aims of the stored report, and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imu_emg_estimator.faults.fault_injection import KINDS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
REPORT = ROOT / "benchmarks" / "results" / "reliability" / "table.md"


def figures() -> str:
    """Return how the figures were made, and the table of aims: what of the report precedes its second heading."""
    return REPORT.read_text(encoding="utf-8").partition("\n")[2].partition("\n## ")[0].strip()


def kinds() -> Iterator[str]:
    """Yield the rows of a table of all kinds of faults."""
    yield "| `kind` | what happens | M, unless given | bounds |"
    yield "| --- | --- | ---: | --- |"
    for name, kind in KINDS.items():
        given, bounds = "", ""
        if kind.lowest is not None and kind.highest is not None:
            given = f"{kind.magnitude:g} {kind.unit}".strip()
            bounds = f"{kind.lowest:g} to {kind.highest:g}"
        yield f"| `{name}` | {kind.description} | {given} | {bounds} |"


def with_tables(page: str) -> str:
    """Return a page with the tables between their marks replaced."""
    for mark, text in (("figures", figures()), ("kinds", "\n".join(kinds()))):
        start, end = f"<!-- {mark}: scripts/reliability_tables.py -->\n", f"<!-- end of {mark} -->"
        before, _, rest = page.partition(start)
        page = f"{before}{start}{text}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
