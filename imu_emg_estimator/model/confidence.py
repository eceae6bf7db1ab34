"""What a bundle knows of its own errors; torch-free, so that any engine can read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from imu_emg_estimator.errors import InputError

LEVELS = (0.5, 0.8, 0.95)  # of the intervals that travel with a bundle


@dataclass(frozen=True)
class DeviationScale:
    """Factors found on wearers that the network had not seen.

    Attributes:
        std: [muscles] published standard deviation / the network's own.
        multiples: [levels][muscles] half-width of the interval / published standard deviation.
    """

    std: tuple[float, ...]
    multiples: tuple[tuple[float, ...], ...]

    @classmethod
    def from_dict(cls, values: object) -> DeviationScale:
        """Strict: both fields, lists of numbers; else InputError."""
        if not isinstance(values, Mapping) or set(values) != {"std", "multiples"}:
            raise InputError("uncertainty: a scale does not hold std and multiples; train or fetch it again")
        std, multiples = values["std"], values["multiples"]
        if not _are_numbers(std) or not isinstance(multiples, list) or not all(map(_are_numbers, multiples)):
            raise InputError(
                "uncertainty: std or multiples of a scale are no lists of numbers; train or fetch it again"
            )
        return cls(tuple(std), tuple(tuple(row) for row in multiples))


@dataclass(frozen=True)
class Uncertainty:
    """Scales of the standard deviation, by conformal prediction on unseen wearers.

    The interval of a level is activation ± multiple x published standard deviation, its lower
    end at least 0. One standard deviation covers 68.3 %.

    Attributes:
        definition: how the scales were found, in words.
        levels: coverage of the intervals, ascending, e.g. 0.5, 0.8, 0.95.
        uncalibrated: for a wearer of whom nothing is known, amplitude included.
        calibrated: for a wearer's own bundle; None = not found, ``uncalibrated`` serves.
    """

    definition: str
    levels: tuple[float, ...]
    uncalibrated: DeviationScale
    calibrated: DeviationScale | None = None

    def scale(self, calibrated: bool) -> DeviationScale:
        """The scale to use for a wearer's own bundle, or for the one of everybody."""
        return self.calibrated if calibrated and self.calibrated else self.uncalibrated

    def check(self, muscles: int) -> None:
        """Raise InputError unless it fits so many muscles, with intervals that widen with their level."""
        if not self.levels or not _ascend((0.0, *self.levels, 1.0)):
            raise InputError("uncertainty levels are not ascending shares between 0 and 1")
        for scale in filter(None, (self.uncalibrated, self.calibrated)):
            rows = (scale.std, *scale.multiples)
            if len(scale.multiples) != len(self.levels) or any(len(row) != muscles for row in rows):
                raise InputError(f"uncertainty is not of {muscles} muscles and {len(self.levels)} levels")
            if not all(_is_positive(value) for row in rows for value in row):
                raise InputError("uncertainty holds a factor that is not a positive number")
            if not all(map(_ascend, zip(*scale.multiples, strict=True))):
                raise InputError("uncertainty intervals do not widen with their level")

    def to_dict(self) -> dict[str, Any]:
        return {
            "definition": self.definition,
            "levels": list(self.levels),
            "uncalibrated": _plain(self.uncalibrated),
            "calibrated": _plain(self.calibrated) if self.calibrated else None,
        }

    @classmethod
    def from_dict(cls, values: object) -> Uncertainty:
        """Strict: every field, each of its kind; else InputError."""
        fields = {"definition", "levels", "uncalibrated", "calibrated"}
        if not isinstance(values, Mapping) or set(values) != fields:
            raise InputError(f"uncertainty does not hold {', '.join(sorted(fields))}; train or fetch it again")
        if not isinstance(values["definition"], str) or not _are_numbers(values["levels"]):
            raise InputError("uncertainty has a definition or levels of the wrong kind; train or fetch it again")
        calibrated = values["calibrated"]
        return cls(
            definition=values["definition"],
            levels=tuple(values["levels"]),
            uncalibrated=DeviationScale.from_dict(values["uncalibrated"]),
            calibrated=None if calibrated is None else DeviationScale.from_dict(calibrated),
        )


def _plain(scale: DeviationScale) -> dict[str, Any]:
    return {"std": list(scale.std), "multiples": [list(row) for row in scale.multiples]}


def _are_numbers(values: object) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )


def _ascend(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
