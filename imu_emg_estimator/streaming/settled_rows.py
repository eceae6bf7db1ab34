"""SettledRows: holds rows back until a fault in them would have been found, for statistics that remember."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

SETTLING_S = 0.25  # a verdict that needs statistics takes so long


class SettledRows:
    """Delays rows; a sensor that is found wrong meanwhile is masked in all that are held back.

    Args:
        rate: of the rows [Hz].
    """

    def __init__(self, sensors: int, rate: float) -> None:
        self._empty = np.full((sensors, 6), np.nan)
        self._rows: deque[NDArray[np.floating]] = deque()
        self._length = round(SETTLING_S * rate)
        self.reset()

    def reset(self) -> None:
        """Forget all rows; nothing stands in for them."""
        self._rows.clear()
        self._rows.extend([self._empty] * self._length)

    def push(self, row: NDArray[np.floating]) -> NDArray[np.floating]:
        """Take a row [sensors, 6], which is kept; return the one that has settled, NaN before any has."""
        self._rows.append(row)
        return self._rows.popleft()

    def mask(self, sensor: int) -> None:
        """Mask a sensor in the rows that have not settled."""
        for row in self._rows:
            row[sensor] = np.nan
