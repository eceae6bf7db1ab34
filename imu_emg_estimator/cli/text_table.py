"""Figures as text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "not known"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of a table; characters that a terminal would obey instead of showing become ``?``."""
    shown = [["".join(sign if sign.isprintable() else "?" for sign in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)


def figure(value: float | None) -> str:
    """Format a figure of accuracy; None and NaN are not available."""
    return "n/a" if value is None or value != value else f"{value:.2f}"


def change(before: float | None, after: float | None) -> str:
    """Format a figure before and after a calibration."""
    return f"{figure(before)} → {figure(after)}"
