"""Statuses of an estimate: the constants of MuscleActivation.msg, for code that must not need ROS."""

from __future__ import annotations

OK = 0
WARMING_UP = 1
DEGRADED = 2
STALE = 3
OUT_OF_DISTRIBUTION = 4

NAMES = ("OK", "WARMING_UP", "DEGRADED", "STALE", "OUT_OF_DISTRIBUTION")  # by value
