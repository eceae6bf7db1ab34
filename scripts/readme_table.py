"""Prints the README's tables of scores from the results.json of `imu-emg benchmark`."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OWN = "geglu_transformer"
COLUMNS = (("walking", "r"), ("locomotion", "r"), ("all", "r"), ("locomotion", "r2"), ("locomotion", "r2_scaled"))
SYMBOLS = {"r": "r", "r2": "R²", "r2_scaled": "R², amplitude known,"}
NAMES = {
    "mean_profile": "mean of the activity, which it is told",
    "ridge": "ridge regression",
    "mlp": "MLP",
    "lstm": "LSTM",
    "cnn_lstm": "CNN-LSTM",
    "tcn": "TCN",
    "gelu_transformer": "Transformer, plain GELU",
    OWN: "**GEGLU-Transformer**",
    "distilled": "three of it distilled into one",
    "student": "the three distilled into a quarter of the weights",
    "int8": "it with int8 weights",
}


def main() -> None:
    streaming = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["streaming"]
    own, ceiling = streaming["rows"][OWN]["mean"], streaming["ceiling"]["mean"]
    heads = [f"{SYMBOLS[figure]} {condition}" for condition, figure in COLUMNS]
    print_row(["calibration", *heads, "share of the ceiling's r"])
    print_row(["---", *["---:"] * (len(heads) + 1)])
    for seconds, means in own.items():
        name = "none" if seconds == "0" else f"{seconds} s"
        print_row([name, *cells(means, COLUMNS), f"{means['locomotion']['r']['share']:.0%}"])
    print_row(["*ceiling*", *cells(ceiling, COLUMNS), ""])
    print()
    shown = [(seconds, condition) for seconds in own for condition in ("walking", "locomotion", "all")]
    words = {seconds: "" if seconds == "0" else f" {seconds} s" for seconds in own}
    print_row(["model", *[f"r {condition}{words[seconds]}" for seconds, condition in shown]])
    print_row(["---", *["---:"] * len(shown)])
    for name, row in streaming["rows"].items():
        print_row(
            [NAMES[name], *(f"{row['mean'][seconds][condition]['r']['mean']:.2f}" for seconds, condition in shown)]
        )


def cells(means: Any, columns: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{means[condition][figure]['mean']:.2f}" for condition, figure in columns]


def print_row(values: Iterable[str]) -> None:
    print(f"| {' | '.join(values)} |")


if __name__ == "__main__":
    main()
