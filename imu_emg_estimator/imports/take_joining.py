"""Files of one take brought onto one clock, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Take

MIN_OVERLAP_S = 1.0


def join_takes(parts: Sequence[Take]) -> Take:
    """Join the files of a take by their clock.

    Raises:
        InputError: they have no common clock, or do not overlap.
    """
    if len(parts) == 1:
        return parts[0]
    names = " and ".join(str(part.source) for part in parts)
    if not all(part.absolute for part in parts):
        raise InputError(f"{names} have no common clock; export instants since 1970, or one file")
    first = max(min(c.times[0] for c in part.channels) for part in parts)
    last = min(max(c.times[-1] for c in part.channels) for part in parts)
    if last - first < MIN_OVERLAP_S:
        raise InputError(
            f"{names} do not overlap in time: one ends {first - last:.1f} s before the other begins; "
            "give files of one take"
        )
    joined = parts[0]
    for part in parts[1:]:
        joined = replace(
            joined,
            form=f"{joined.form} + {part.form}",
            channels=(*joined.channels, *part.channels),
            notes=(*joined.notes, *part.notes),
        )
    return joined.noted(f"joined by clock, {last - first:.1f} s in common")
