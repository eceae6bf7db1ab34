"""Slow statistics of the accelerations: how the sensors are mounted and what their subject does.

Gravity shows how a sensor is turned, the deviations how much it moves, and the correlations
which axes, and which sensors, move together: a sensor that is rotated or changed for another
shows within seconds. Accelerometers only: gyroscopes are the sensors that fail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

WINDOW_S = 2.0  # s, time constant of the running means: a stride or two
GRAVITY_MPS2 = 9.81  # m/s^2; statistics are in g
MIN_PRESENCE = 0.6  # share of the window's weight in which a sensor must have been there
MAX_ACCELERATION_G = (
    100.0  # more is no acceleration of a body; a single such sample would stay in the means for minutes
)
NOISE_G2 = 5e-4  # g^2, added to variances: what does not move has no direction
MAX_WAITING = 16  # rows that are not yet in the means
NEVER = 1e-9  # in place of a presence of nothing


class MotionStatistics:
    """Statistics of so many sensors: where they stand in a row, and which sensors each one needs.

    The order is: mean x y z of every sensor [g], log of the standard deviation, correlations xy xz yz
    within every sensor, and correlations of like axes x y z for every pair of sensors.

    Attributes:
        owners: [statistics, 2] the sensors that a statistic is made of.
        first_channels, second_channels: [correlations] the channels (3 sensor + axis) that each correlation is of.
    """

    def __init__(self, sensors: int) -> None:
        self.sensors = sensors
        channels = 3 * sensors
        # Moments are products of two entries of (accelerations, presences): the upper triangle, in a row.
        self._first, self._second = np.triu_indices(channels + sensors)
        place = np.zeros((channels + sensors,) * 2, dtype=np.intp)
        place[self._first, self._second] = np.arange(len(self._first))
        owner, axis = np.divmod(np.arange(channels), 3)
        presence = channels + owner
        a, b = np.triu_indices(channels, 1)
        related = (owner[a] == owner[b]) | (axis[a] == axis[b])
        within = owner[a[related]] != owner[b[related]]
        order = np.argsort(within, kind="stable")
        self.first_channels, self.second_channels = a[related][order], b[related][order]
        self._channel = np.arange(channels)
        self._sums, self._squares = place[self._channel, presence], place[self._channel, self._channel]
        self._counts = place[presence, presence]
        self._products, self._pair_counts = (
            place[self.first_channels, self.second_channels],
            place[presence[self.first_channels], presence[self.second_channels]],
        )
        # Sums of a channel while another one's sensor was there too: a covariance is of the time that both share.
        self._first_shared = place[self.first_channels, presence[self.second_channels]]
        self._second_shared = place[self.second_channels, presence[self.first_channels]]
        self._upper = np.triu_indices(channels)
        self._shared_upper = place[self._upper[0], presence[self._upper[1]]]
        self._shared_lower = place[self._upper[1], presence[self._upper[0]]]
        self._all_products = place[self._upper]
        self._all_pair_counts = place[presence[self._upper[0]], presence[self._upper[1]]]
        self._presences = place[channels + np.arange(sensors), channels + np.arange(sensors)]
        alone = np.stack([owner, owner], axis=1)
        self.owners = np.concatenate(
            [alone, alone, np.stack([owner[self.first_channels], owner[self.second_channels]], axis=1)]
        )

    def __len__(self) -> int:
        return len(self.owners)

    def products(self, acceleration: FloatArray) -> FloatArray:
        """Compute the products that are averaged: rows [samples, sensors, 3] in m/s² -> [samples, moments]."""
        entries = _entries(acceleration)
        result: FloatArray = entries[:, self._first] * entries[:, self._second]
        return result

    def total(self, acceleration: FloatArray, weights: FloatArray) -> FloatArray:
        """Compute the sum [moments] of the products of rows [samples, sensors, 3], with weights [samples]."""
        entries = _entries(acceleration)
        result: FloatArray = ((entries.T * weights) @ entries)[self._first, self._second]
        return result

    def remounted(self, moments: FloatArray, sources: Sequence[int], rotations: FloatArray) -> FloatArray:
        """Convert running means [..., moments] to those of sensors that are worn otherwise.

        Args:
            sources: of every place, the sensor whose samples go there.
            rotations: [sensors, 3, 3] from that sensor's axes to those of the place.
        """
        channels, size = 3 * self.sensors, 4 * self.sensors
        change = np.zeros((size, size))
        for place, source in enumerate(sources):
            change[3 * place : 3 * place + 3, 3 * source : 3 * source + 3] = rotations[place]
            change[channels + place, channels + source] = 1.0
        products = np.zeros((*moments.shape[:-1], size, size))
        products[..., self._first, self._second] = moments
        products[..., self._second, self._first] = moments
        changed: FloatArray = (change @ products @ change.T)[..., self._first, self._second]
        return changed

    def describe(self, moments: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return statistics [..., statistics] of running means [..., moments], and known sensors [..., sensors]."""
        count = np.maximum(moments[..., self._counts], NEVER)
        mean = moments[..., self._sums] / count
        variance = np.maximum(moments[..., self._squares] / count - mean**2, 0.0) + NOISE_G2
        together = np.maximum(moments[..., self._pair_counts], NEVER)
        shared = (moments[..., self._first_shared] / together) * (moments[..., self._second_shared] / together)
        covariance = moments[..., self._products] / together - shared
        correlation = covariance / np.sqrt(variance[..., self.first_channels] * variance[..., self.second_channels])
        statistics = np.concatenate([mean, 0.5 * np.log(variance), np.clip(correlation, -1.0, 1.0)], axis=-1)
        return statistics, np.asarray(moments[..., self._presences] >= MIN_PRESENCE)

    def covariance(self, moments: FloatArray) -> FloatArray:
        """Return the covariance [channels, channels] of running means [moments], in g², with the noise added."""
        covariance = np.empty((len(self._channel), len(self._channel)))
        together = np.maximum(moments[self._all_pair_counts], NEVER)
        covariance[self._upper] = moments[self._all_products] / together
        covariance[self._upper] -= moments[self._shared_upper] * moments[self._shared_lower] / together**2
        covariance.T[self._upper] = covariance[self._upper]
        diagonal = self._channel
        covariance[diagonal, diagonal] = np.maximum(covariance[diagonal, diagonal], 0.0) + NOISE_G2
        return covariance


class RunningMotion:
    """Statistics of the last seconds; rows are added to the running means by the dozen, at a tenth of the cost."""

    def __init__(self, sensors: int, rate: float) -> None:
        self._statistics = MotionStatistics(sensors)
        share = _share(rate)
        self._weights = share * (1.0 - share) ** np.arange(MAX_WAITING)  # of the newest row, of the one before ...
        self._kept = (1.0 - share) ** np.arange(MAX_WAITING + 1)  # of the means, after so many rows
        self.reset()

    def reset(self) -> None:
        """Forget everything seen so far."""
        # Running means and the rows after them: replaced together, as other threads read them.
        self._state: tuple[FloatArray, list[FloatArray]] = np.zeros(len(self._statistics._first)), []

    def step(self, imu: FloatArray) -> None:
        """Take one row [sensors, 6] in m/s^2 and rad/s; NaN = not available."""
        waiting = self._state[1]
        waiting.append(imu[:, :3].copy())
        if len(waiting) == MAX_WAITING:
            self._state = self.moments(), []

    def describe(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Statistics [statistics], and which sensors [sensors] were there for long enough; from any thread."""
        return self._statistics.describe(self.moments())

    def moments(self) -> FloatArray:
        """Return the running means [moments]; from any thread."""
        means, waiting = self._state
        rows = tuple(waiting)  # to which another thread may be adding
        if not rows:
            return means
        newest = self._statistics.total(np.stack(rows), self._weights[len(rows) - 1 :: -1])
        return np.asarray(self._kept[len(rows)] * means + newest)


def motion_statistics(imu: FloatArray, rate: float, every: int = 1) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Compute them for a whole recording: [samples, sensors, 6] -> [samples / every, statistics] and [.., sensors]."""
    return MotionStatistics(imu.shape[1]).describe(motion_moments(imu, rate, every))


def motion_moments(imu: FloatArray, rate: float, every: int = 1) -> FloatArray:
    """Compute the running means of a recording: [samples / every, moments]."""
    from scipy.signal import lfilter  # here: the live path must not wait for scipy, nor carry it

    share = _share(rate)
    products = MotionStatistics(imu.shape[1]).products(imu[..., :3])
    moments: FloatArray = lfilter([share], [1.0, share - 1.0], products, axis=0)[::every]
    return moments


def _entries(acceleration: FloatArray) -> FloatArray:
    """Return accelerations and presences [samples, 4 sensors] of rows [samples, sensors, 3] in m/s²."""
    values = acceleration / GRAVITY_MPS2
    present = (np.abs(values) <= MAX_ACCELERATION_G).all(axis=-1)  # False for NaN
    values = np.where(present[..., None], values, 0.0).reshape(len(values), -1)
    result: FloatArray = np.concatenate([values, present], axis=1, dtype=np.float64)
    return result


def _share(rate: float) -> float:
    """Return the weight of the newest row in the running means."""
    return 1.0 / (WINDOW_S * rate)
