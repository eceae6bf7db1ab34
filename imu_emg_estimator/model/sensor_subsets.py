"""What is left of a bundle's accuracy where sensors are missing, measured on unseen subjects; free of torch.

Below a measured minimum an estimate is not to be used. Above it, the standard deviation grows by a measured factor, so
that its intervals cover what they promise.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.json_values import from_decoded

MIN_SHARE = 0.85  # of the r with all sensors: below, over a quarter of the explained variance is lost
LEVEL = 0.8  # of the interval whose coverage is measured
MAX_SHORTFALL = 0.05  # of that coverage
RELEASE_S = 0.5  # time constant with which the factor falls after a sensor is back; its gap is still in the context
NEGLIGIBLE = 1e-3  # of a factor: what is this close to 1 is 1


@dataclass(frozen=True)
class Subset:
    """What was measured with some sensors missing for the whole time, as means over subjects in locomotion.

    Attributes:
        missing: indices of the missing sensors, ascending.
        r: correlation with the measured envelope.
        spread: standard deviation of r over subjects.
        coverage: of the 80 % interval, without the factor and with one that was fitted on the other subjects.
        factor: [muscles] by which the standard deviation grows, at least 1.
    """

    missing: tuple[int, ...]
    r: float
    spread: float
    coverage: tuple[float, ...]
    factor: tuple[float, ...]


@dataclass(frozen=True)
class SensorSubsets:
    """What was measured for combinations of missing sensors, none missing included.

    A combination that was not measured is not usable, and gets the largest measured factor.

    Attributes:
        sensors: number of the rig's.
        rows: figures by combination.
    """

    sensors: int
    rows: tuple[Subset, ...]

    def usable(self, missing: NDArray[np.bool_]) -> bool:
        """Whether the measured minimum is met without these sensors [sensors]."""
        return missing.tobytes() in self._usable

    def factor(self, missing: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the factor [muscles] on the standard deviation without these sensors [sensors]."""
        return self._factors.get(missing.tobytes(), self._largest)

    def measured(self, missing: NDArray[np.bool_]) -> Subset | None:
        """Return the figures of the combination; None if it was not measured."""
        return self._by_mask.get(missing.tobytes())

    def nearest(self, missing: NDArray[np.bool_]) -> Subset:
        """Return the measured combination that differs in the fewest sensors, of several the one that misses more."""
        return min(self.rows, key=lambda row: ((self._mask(row) != missing).sum(), -len(row.missing)))

    def needed_back(self, missing: NDArray[np.bool_]) -> tuple[int, ...]:
        """Return the fewest of the missing sensors [sensors] with which the minimum would be met, of several the best.

        Empty where it is met without them, or no combination meets it.
        """
        gone = set(np.flatnonzero(missing).tolist())
        enough = [row for row in self.rows if self.meets_minimum(row) and gone.issuperset(row.missing)]
        best = max(enough, key=lambda row: (len(row.missing), row.r), default=None)
        return tuple(sorted(gone.difference(best.missing))) if best else ()

    def meets_minimum(self, row: Subset) -> bool:
        """Whether a combination keeps ``MIN_SHARE`` of the accuracy, and its interval covers what it promises."""
        return row.r >= MIN_SHARE * self.whole.r and row.coverage[-1] >= LEVEL - MAX_SHORTFALL

    @cached_property
    def whole(self) -> Subset:
        """The figures with all sensors."""
        return next(row for row in self.rows if not row.missing)

    def check(self, sensors: int, muscles: int) -> None:
        """Raise InputError unless it fits a rig of so many sensors and muscles, and all sensors were measured."""
        combinations = [row.missing for row in self.rows]
        if self.sensors != sensors or () not in combinations or len(set(combinations)) < len(combinations):
            raise InputError(f"sensor subsets are not of {sensors} sensors, each combination once and all of them once")
        for row in self.rows:
            if any(not 0 <= sensor < sensors for sensor in row.missing) or list(row.missing) != sorted({*row.missing}):
                raise InputError(f"sensor subsets miss the sensors {row.missing}, not some of 0 to {sensors - 1}")
            if len(row.factor) != muscles or not all(math.isfinite(value) and value >= 1 for value in row.factor):
                raise InputError(f"sensor subsets hold factors that are not {muscles} numbers of at least 1")
            if len(row.coverage) != 2 or not all(math.isfinite(value) for value in (row.r, row.spread, *row.coverage)):
                raise InputError("sensor subsets hold a figure that is not a finite number")

    def _mask(self, row: Subset) -> NDArray[np.bool_]:
        return np.isin(np.arange(self.sensors), row.missing)

    @cached_property
    def _by_mask(self) -> dict[bytes, Subset]:
        return {self._mask(row).tobytes(): row for row in self.rows}

    @cached_property
    def _usable(self) -> frozenset[bytes]:
        return frozenset(mask for mask, row in self._by_mask.items() if self.meets_minimum(row))

    @cached_property
    def _factors(self) -> dict[bytes, NDArray[np.float32]]:
        return {mask: np.array(row.factor, np.float32) for mask, row in self._by_mask.items()}

    @cached_property
    def _largest(self) -> NDArray[np.float32]:
        largest: NDArray[np.float32] = np.max(list(self._factors.values()), axis=0)
        return largest


@dataclass(frozen=True)
class SubsetFigures:
    """The figures for everybody, and for a subject's own bundle.

    Attributes:
        definition: subjects and bundle they were measured on, in words.
        uncalibrated: for a subject of whom nothing is known.
        calibrated: for a subject's own bundle; None = not measured, ``uncalibrated`` serves.
    """

    definition: str
    uncalibrated: SensorSubsets
    calibrated: SensorSubsets | None = None

    def subsets(self, calibrated: bool) -> SensorSubsets:
        """Return the figures for a subject's own bundle, or for the one for everybody."""
        return self.calibrated if calibrated and self.calibrated else self.uncalibrated

    def check(self, sensors: int, muscles: int) -> None:
        """Raise InputError unless it fits a rig of so many sensors and muscles."""
        for subsets in filter(None, (self.uncalibrated, self.calibrated)):
            subsets.check(sensors, muscles)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> SubsetFigures:
        """Build from decoded JSON; raises InputError unless every field is there, of its type."""
        return from_decoded(cls, values, "sensor subsets", optional=())


class RunningFactor:
    """Factor on the standard deviation, row by row: at once where a sensor is missing, falling slowly when it is back.

    Args:
        rate: of the rows [Hz].
    """

    def __init__(self, subsets: SensorSubsets, rate: float) -> None:
        self._subsets = subsets
        self._keep = np.float32(math.exp(-1.0 / (RELEASE_S * rate)))
        self._nothing = bytes(subsets.sensors)
        self.reset()

    def reset(self) -> None:
        """Forget the rows before."""
        self._excess: NDArray[np.float32] | None = None

    def step(self, missing: NDArray[np.bool_]) -> NDArray[np.float32] | None:
        """Take a row's missing sensors [sensors]; return the factor [muscles], None = 1."""
        if missing.tobytes() == self._nothing and self._excess is None:
            return None
        factor = self._subsets.factor(missing)
        if self._excess is not None:
            factor = np.maximum(factor, 1 + self._keep * self._excess)
        self._excess = factor - 1
        if np.maximum.reduce(self._excess) < NEGLIGIBLE:
            self._excess = None
        return factor
