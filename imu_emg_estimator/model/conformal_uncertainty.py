"""Conformal uncertainty of a bundle: scales of its standard deviation; free of torch, for every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.json_values import from_decoded

LEVELS = (0.5, 0.8, 0.95)  # of the intervals that travel with a bundle
FLOOR = 0.03  # references; at rest errors do not vanish with the activation
MAX_POWER = 4.0


@dataclass(frozen=True)
class DeviationScale:
    """Scale of the published standard deviation and its intervals, fitted on subjects that the network had not seen.

    published = factor x deviation^deviation_power x (activation + FLOOR)^activation_power: an unknown
    subject's amplitude is unknown too, so errors grow with the activation, which the network
    could not learn on the subjects it was trained on.

    Attributes:
        factor, deviation_power, activation_power: [muscles].
        multiples: [levels][muscles] half-width of the interval / published standard deviation.
    """

    factor: tuple[float, ...]
    deviation_power: tuple[float, ...]
    activation_power: tuple[float, ...]
    multiples: tuple[tuple[float, ...], ...]

    def apply(self, activation: NDArray[np.floating], deviation: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the published standard deviation [..., muscles] from activation and the network's own deviation."""
        factor, deviation_power, activation_power = self._arrays
        powers = deviation**deviation_power * (activation + FLOOR) ** activation_power
        return np.asarray(factor * powers, dtype=activation.dtype)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return tuple(map(np.array, (self.factor, self.deviation_power, self.activation_power)))


@dataclass(frozen=True)
class Uncertainty:
    """Scales of the standard deviation, by conformal prediction on unseen subjects.

    The interval of a level is activation ± multiple x published standard deviation, its lower
    end at least 0. One standard deviation covers 68.3 %.

    Attributes:
        definition: how the scales were found, in words.
        levels: coverage of the intervals, ascending, e.g. 0.5, 0.8, 0.95.
        uncalibrated: for a subject of whom nothing is known, amplitude included.
        calibrated: for a subject's own bundle; None = not found, ``uncalibrated`` serves.
    """

    definition: str
    levels: tuple[float, ...]
    uncalibrated: DeviationScale
    calibrated: DeviationScale | None = None

    def scale(self, calibrated: bool) -> DeviationScale:
        """Return the scale for a subject's own bundle, or for the one for everybody."""
        return self.calibrated if calibrated and self.calibrated else self.uncalibrated

    def check(self, muscles: int) -> None:
        """Raise InputError unless it fits so many muscles, with intervals that widen with their level."""
        if not self.levels or not _ascend((0.0, *self.levels, 1.0)):
            raise InputError("uncertainty levels are not ascending shares between 0 and 1")
        for scale in filter(None, (self.uncalibrated, self.calibrated)):
            factors, powers = (scale.factor, *scale.multiples), (scale.deviation_power, scale.activation_power)
            if len(scale.multiples) != len(self.levels) or any(len(row) != muscles for row in factors + powers):
                raise InputError(f"uncertainty is not of {muscles} muscles and {len(self.levels)} levels")
            if not all(_is_positive(value) for row in factors for value in row):
                raise InputError("uncertainty holds a factor that is not a positive number")
            if not all(0 <= value <= MAX_POWER for row in powers for value in row):
                raise InputError(f"uncertainty holds a power that is not within 0 to {MAX_POWER:g}")
            if not all(map(_ascend, zip(*scale.multiples, strict=True))):
                raise InputError("uncertainty intervals do not widen with their level")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> Uncertainty:
        """Build from decoded JSON; raises InputError unless every field is there, of its type."""
        return from_decoded(cls, values, "uncertainty", optional=())


def interval_multiples(scale: DeviationScale | None, levels: Sequence[float], level: float) -> NDArray[np.float64]:
    """Return half the width of the interval of any level as multiples of the published standard deviation, [muscles].

    Between the levels that were measured it goes with the quantiles of a normal distribution, which serve alone where
    none were.

    Args:
        scale: whose multiples belong to ``levels``; None = the deviation is taken as it is.
    """
    quantile = _half_width(level)
    if scale is None:
        return np.array([quantile])
    known = [0.0, *map(_half_width, levels)]
    return np.array([np.interp(quantile, known, [0.0, *own]) for own in zip(*scale.multiples, strict=True)])


def _half_width(level: float) -> float:
    """Return half the width of a normal distribution's interval, in standard deviations."""
    from statistics import NormalDist  # here: live estimates need not wait for it

    return NormalDist().inv_cdf((1 + level) / 2)


def _ascend(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
