"""Puts the figures of a run into docs/realtime.md: ``realtime_page.py benchmarks/realtime/results.json``."""

import json
import sys
from pathlib import Path

from benchmarks.latency.latency_report import aims_table, budget_table

PAGE = Path(__file__).parents[1] / "docs" / "realtime.md"
START, END = "<!-- figures: made by scripts/realtime_page.py -->\n", "<!-- end of figures -->"


def main(path: Path) -> None:
    results = json.loads(path.read_text(encoding="utf-8"))
    machine = results["machine"]
    said = (
        f"{machine['processor']}, {machine['cores_allowed']} cores{', virtual' if machine['virtual'] else ''}, "
        f"{machine['date'][:10]}, load average {machine['load_average'][0]:.1f} at the start: `{results['command']}`"
    )
    lines = [said, "", *aims_table(results), *budget_table(results)]
    tables = "\n".join(line.replace("## ", "### ", 1) if line.startswith("## ") else line for line in lines)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}{tables.strip()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
