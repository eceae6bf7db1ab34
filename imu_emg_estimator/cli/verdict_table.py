"""Verdicts on sensors and muscles, as the commands print them."""

from __future__ import annotations

from collections.abc import Mapping

GOOD = "good"


def verdict_table(verdicts: Mapping[str, str], what: str = "sensors and muscles") -> str:
    """Write a line for each of ``what`` that is not good, with what to do; one line if all are."""
    others = {name: verdict for name, verdict in verdicts.items() if verdict != GOOD}
    if not others:
        return f"{what}: all {len(verdicts)} are good"
    width = max(map(len, others))
    lines = [f"  {name:<{width}}  {verdict}" for name, verdict in others.items()]
    return "\n".join([f"{what}: {len(verdicts) - len(others)} of {len(verdicts)} are good", *lines])
