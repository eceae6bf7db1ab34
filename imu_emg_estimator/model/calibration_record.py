"""The record of a calibration that a subject's own bundle carries: of whom, from which data, how it was judged."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from imu_emg_estimator import __version__
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.json_values import json_compatible

# Names of figures: the EMG delay that was corrected, in words; the base model's path; ``EnvelopeCurves``; how each bag
# was read; what was not as it should be.
DELAY, MODEL_FILE, CURVES, BAGS, NOTES = "delay", "model_file", "curves", "bags", "notes"


@dataclass(frozen=True)
class Calibration:
    """Where a subject's own bundle comes from; what it was adapted from is the bundle's ``parent_id``.

    Attributes:
        id: identity of the calibration.
        subject: the subject.
        method: adaptation method.
        bag: name of the bag it was made from; several are separated by commas.
        seconds: duration of the data that the weights were adapted on [s].
        created: date and time (ISO 8601).
        bag_hash: SHA-256 of the bag as ``bag_files.hash_of`` returns it, of several in that order; empty = not known.
        software: version of this package that made it; empty = not known.
        settings: of the adaptation, by name.
        figures: what it was judged by. ``muscles`` holds for every judged muscle ``before`` and ``after``, each
            a mapping with ``r``, ``r2`` and ``nrmse`` (None = undefined); other keys are free.
    """

    id: str
    subject: str
    method: str
    bag: str
    seconds: float
    created: str
    bag_hash: str = ""
    software: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def made_now(
        cls,
        subject: str,
        method: str,
        bag: str,
        seconds: float,
        settings: Mapping[str, Any] | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> Calibration:
        """Build a record with a new id, the present time and this software's version."""
        now = datetime.now(timezone.utc)
        return cls(
            id=f"{subject}-{now:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}",
            subject=subject,
            method=method,
            bag=bag,
            seconds=seconds,
            created=now.isoformat(timespec="seconds"),
            software=__version__,
            settings=json_compatible(settings or {}),
            figures=json_compatible(figures or {}),
        )

    def mean(self, figure: str, when: str) -> float:
        """Return the mean of r, r2 or nrmse over muscles, ``before`` or ``after``; NaN where no muscle has it."""
        values = [muscle.get(when, {}).get(figure) for muscle in self.figures.get("muscles", {}).values()]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else math.nan

    def check(self) -> None:
        """Raise InputError unless every muscle has numbers, or None, by name, before and after."""
        muscles = self.figures.get("muscles", {})
        entries = muscles.values() if isinstance(muscles, Mapping) else [None]
        for entry in entries:
            if not isinstance(entry, Mapping) or not all(
                _are_figures(entry.get(when, {})) for when in ("before", "after")
            ):
                raise InputError("figures of its calibration are not numbers by muscle, before and after; recalibrate")


def _are_figures(values: object) -> bool:
    return isinstance(values, Mapping) and all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values.values()
    )
