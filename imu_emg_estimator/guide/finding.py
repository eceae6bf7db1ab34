"""Finding: one line of ``imu-emg doctor`` on what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How a finding bears on estimating; the values are the words that people read."""

    OK = "ok"
    WARNING = "warning"  # something lacks or costs accuracy; estimates come
    PROBLEM = "problem"  # no estimates, or wrong ones, until it is fixed


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        about: what was looked at.
        text: what was found and, unless it is in order, what to do.
    """

    about: str
    level: Level
    text: str


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return a line for every finding, in columns."""
    width = max(len(finding.about) for finding in findings)
    return [f"{finding.level.value:<7}  {finding.about:<{width}}  {finding.text}" for finding in findings]


def worst_level(findings: Sequence[Finding]) -> Level:
    """Return the gravest level of all findings."""
    return max((finding.level for finding in findings), key=list(Level).index, default=Level.OK)
