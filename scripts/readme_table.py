"""Prints the README's table of scores from the JSON of `imu-emg evaluate --folds`."""

import json
import sys
from pathlib import Path

COLUMNS = ("walking", "locomotion", "all")


def main() -> None:
    mean = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mean"]
    heads = [f"{figure} {condition}" for figure in ("r", "R²") for condition in COLUMNS]
    print(f"| calibration | {' | '.join(heads)} |")
    print(f"| --- |{' ---: |' * len(heads)}")
    for seconds, by_condition in mean.items():
        cells = [f"{by_condition[condition][figure]:.2f}" for figure in ("r", "r2") for condition in COLUMNS]
        print(f"| {'none' if seconds == '0' else seconds + ' s'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
