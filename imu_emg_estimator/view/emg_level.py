"""EmgLevel: how strong live EMG is, for the eye. Calibrations filter better, but need the whole recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.bags.topic_names import same_name

STEP_S = 0.05
STEPS = 4  # that are averaged: over 0.2 s, as smooth as an envelope of 4 Hz
BASELINE_SHARE = 0.05  # of a step's mean in the baseline, which forgets in about a second


class EmgLevel:
    """Averages rectified EMG, muscle by muscle.

    Args:
        muscles: names of the estimates' muscles.
        channels: names of the EMG's channels.
    """

    def __init__(self, muscles: Sequence[str], channels: Sequence[str]) -> None:
        found = [same_name(muscle, channels) for muscle in muscles]
        self._columns = [list(channels).index(names[0]) if names else -1 for names in found]
        self._waiting = np.zeros((0, len(channels)))
        self._baseline: NDArray[np.float64] | None = None
        self._levels: list[NDArray[np.float64]] = []

    def take(
        self, timestamp: int, rate: float, data: NDArray[np.floating], is_envelope: bool
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Take a packet [samples, channels]; yield instants [ns] with the level of every muscle, NaN = no channel.

        Args:
            timestamp: of the first sample [ns].
            rate: of the samples [Hz].
        """
        start = timestamp - round(len(self._waiting) / rate * 1e9)
        samples = np.concatenate([self._waiting, data])
        step = max(1, round(STEP_S * rate))
        for first in range(0, len(samples) - step + 1, step):
            part, levels = samples[first : first + step], self._levels
            levels.append(part.mean(axis=0) if is_envelope else self._rectified(part).mean(axis=0))
            del levels[:-STEPS]
            middle = first + step - len(levels) * step / 2
            own = np.append(np.mean(levels, axis=0), np.nan)[self._columns]
            yield start + round(middle / rate * 1e9), own
        self._waiting = samples[len(samples) // step * step :]

    def _rectified(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = part.mean(axis=0)
        if self._baseline is None or not np.isfinite(self._baseline).all():
            self._baseline = mean
        self._baseline = self._baseline + BASELINE_SHARE * (mean - self._baseline)
        return np.abs(part - self._baseline)
