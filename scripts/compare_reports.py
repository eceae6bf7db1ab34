"""Prints what a streaming report gains over another, paired over wearers: ``compare_reports.py NEW OLD [MODEL]``.

NEW and OLD are results.json of `imu-emg benchmark`, MODEL a row of both.
"""

import json
import sys
from pathlib import Path
from typing import Any

from imu_emg_estimator.benchmark.paired import compare

MODEL = "geglu_transformer"
FIGURES = (("walking", "r"), ("locomotion", "r"), ("all", "r"), ("locomotion", "r2"))


def main() -> None:
    model = sys.argv[3] if len(sys.argv) > 3 else MODEL
    new, old = (wearers_of(Path(path), model) for path in sys.argv[1:3])
    print("| figure | calibration [s] | difference | 95 % interval | p | better |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    seconds = next(iter(new.values())).keys()
    for condition, figure in FIGURES:
        for duration in seconds:
            ours, theirs = (
                {name: each[duration][condition][figure] for name, each in report.items()} for report in (new, old)
            )
            if outcome := compare(ours, theirs):
                low, high = outcome["interval"]
                print(
                    f"| {figure} {condition} | {duration} | {outcome['difference']:+.3f} | {low:+.3f} to {high:+.3f} "
                    f"| {outcome['p']:.3f} | {outcome['better']} of {outcome['wearers']} |"
                )


def wearers_of(path: Path, model: str) -> dict[str, dict[str, Any]]:
    """Scores by wearer, seconds of calibration, condition and figure."""
    report = json.loads(path.read_text(encoding="utf-8"))
    wearers: dict[str, dict[str, Any]] = report["streaming"]["rows"][model]["wearers"]
    return wearers


if __name__ == "__main__":
    main()
