"""IMU samples as the network sees them: normalised channels, masks of missing sensors, and magnitudes.

A missing accelerometer or gyroscope is masked here: its channels become 0 and its mask says so. How a sensor is
strapped on differs between subjects; magnitudes and their changes do not depend on it and help with new subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.recording import FloatArray

CHANNELS = 6  # acceleration x y z, angular rate x y z
PARTS = 2  # accelerometer, gyroscope: masked separately
MIN_VARIANCE = 1e-12  # of a channel that changes, in its unit squared
LIMIT = 8.0  # standard deviations at which inputs are clipped


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of every IMU channel over the training subjects, each [sensors, 6].

    NaN = the channel was never there in training: it is always masked.
    """

    mean: FloatArray
    std: FloatArray

    @property
    def used(self) -> NDArray[np.bool_]:
        """Channels [sensors, 6] that the network uses."""
        return np.isfinite(self.mean)

    def of_lengths(self) -> tuple[FloatArray, FloatArray]:
        """Return offset and scale of the magnitudes of each part, both [sensors, 2]; changes have the scale alone.

        They are the root mean square of the magnitude, and of the deviations of its axes; NaN for unused parts.
        """
        mean, std = (np.asarray(part, np.float64).reshape(-1, PARTS, 3) for part in (self.mean, self.std))
        return np.sqrt((mean**2 + std**2).sum(axis=2)), np.sqrt((std**2).mean(axis=2))


def fit_normalisation(imu: list[FloatArray]) -> Normalisation:
    """Fit channel statistics over recordings [samples, sensors, 6]; NaN is left out.

    A channel that never changes gets mean 0 and deviation 1; one that was never present NaN.
    """
    stacked = np.concatenate(imu).astype(np.float64)
    finite = np.isfinite(stacked)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, stacked, 0.0).sum(axis=0) / count
    variance = np.where(finite, (stacked - mean) ** 2, 0.0).sum(axis=0) / count
    changing, absent = variance > MIN_VARIANCE, ~finite.any(axis=0)
    mean, std = np.where(changing, mean, 0.0), np.where(changing, np.sqrt(variance), 1.0)
    mean[absent] = std[absent] = np.nan
    return Normalisation(mean, std)


def fit_ranges(imu: list[FloatArray]) -> NDArray[np.float64]:
    """Find the highest absolute value of each sensor's parts [sensors, 2] over recordings [samples, sensors, 6].

    NaN where a part was never present.
    """
    finite = (np.where(np.isfinite(own), np.abs(own), 0.0).reshape(len(own), -1, PARTS, 3) for own in imu)
    highest = np.max([own.max(axis=(0, 3)) for own in finite], axis=0)
    return np.where(highest > 0, highest, np.nan).astype(np.float64)


def feature_count(sensors: int) -> int:
    """Return the length of a feature row for so many sensors."""
    return sensors * (CHANNELS + 3 * PARTS)


def feature_blocks(inputs: int) -> dict[str, slice]:
    """Return the columns of the channels, masks, magnitudes and changes in a feature row of this length."""
    sensors = inputs // feature_count(1)
    widths = {"channels": CHANNELS, "masks": PARTS, "magnitudes": PARTS, "changes": PARTS}
    ends = np.cumsum([sensors * width for width in widths.values()]).tolist()
    return {name: slice(start, end) for name, start, end in zip(widths, [0, *ends], ends, strict=False)}


def features(imu: FloatArray, normalisation: Normalisation) -> NDArray[np.float32]:
    """Compute the inputs of a network from IMU samples.

    Args:
        imu: [samples, sensors, 6] in m/s^2 and rad/s; a non-finite value masks
            the accelerometer or gyroscope that it belongs to, for that sample.

    Returns:
        [samples, sensors * 12], see ``feature_blocks``: the normalised channels of all sensors; for every sensor 1
        where its accelerometer is present, 1 where its gyroscope is; the magnitudes of its acceleration and angular
        rate; and those of their changes since the sample before. What is masked is 0.
    """
    samples, sensors, _ = imu.shape
    normalised = (imu - normalisation.mean) / normalisation.std
    present = np.asarray(np.isfinite(normalised).reshape(samples, sensors, PARTS, 3).all(axis=3))
    bounded = np.clip(normalised, -LIMIT, LIMIT)
    measured = (bounded * normalisation.std + normalisation.mean).reshape(samples, sensors, PARTS, 3)
    measured[~present] = np.nan
    usual, scale = normalisation.of_lengths()
    magnitudes = (_length(measured) - usual) / scale
    changes = _length(np.diff(measured, axis=0, prepend=np.nan)) / scale
    lengths = [np.nan_to_num(np.clip(part, -LIMIT, LIMIT)) for part in (magnitudes, changes)]
    channels = np.where(present[..., None], bounded.reshape(samples, sensors, PARTS, 3), 0.0)
    blocks = [part.reshape(samples, -1) for part in (channels, present, *lengths)]
    return np.concatenate(blocks, axis=1, dtype=np.float32)


def _length(vectors: FloatArray) -> FloatArray:
    """Return the length of vectors [..., 3]."""
    return np.asarray(np.sqrt(np.square(vectors).sum(axis=-1)))


class RowFeatures:
    """``features`` of one row at a time, bit for bit the same, on arrays that are allocated once.

    Attributes:
        missing: [sensors] True where a part that the network looks at was masked in the newest row; overwritten by
            the next row.
    """

    def __init__(self, normalisation: Normalisation) -> None:
        self._mean, self._std = (np.array(part, dtype=np.float64) for part in (normalisation.mean, normalisation.std))
        sensors = len(self._mean)
        self._normalised = np.empty((sensors, CHANNELS))
        self._parts = self._normalised.reshape(sensors * PARTS, 3)
        self._finite = np.empty(self._parts.shape, dtype=np.bool_)
        self._present = np.empty(sensors * PARTS, dtype=np.bool_)
        self._pairs = self._present.reshape(sensors, PARTS)
        self._unused = ~normalisation.used.reshape(sensors, PARTS, 3).all(axis=2)
        self._expected = np.empty_like(self._unused)
        self._vectors = np.empty((2 * sensors * PARTS, 3))
        self._measured, self._changes = np.split(self._vectors, 2)
        self._measured_row = self._measured.reshape(sensors, CHANNELS)
        self._before = np.empty_like(self._measured)
        self._lengths = np.empty(len(self._vectors))
        self._unknown = np.empty(len(self._vectors), dtype=np.bool_)
        usual, scale = (part.reshape(-1) for part in normalisation.of_lengths())
        self._usual, self._scale = np.concatenate([usual, np.zeros_like(usual)]), np.concatenate([scale, scale])
        self._row = np.empty(feature_count(sensors), dtype=np.float32)
        blocks = feature_blocks(len(self._row))
        self._channels = self._row[blocks["channels"]].reshape(-1, 3)
        self._masks = self._row[blocks["masks"]]
        self._mount_free = self._row[blocks["magnitudes"].start : blocks["changes"].stop]
        self.missing = np.empty(sensors, dtype=np.bool_)
        self.reset()

    def reset(self) -> None:
        """Forget the previous row: the next one is the first."""
        self._before.fill(np.nan)

    def of(self, imu: FloatArray) -> NDArray[np.float32]:
        """Return the features [inputs] of a row [sensors, 6], overwritten by the next row."""
        parts = self._parts
        np.subtract(imu, self._mean, out=self._normalised)
        np.divide(self._normalised, self._std, out=self._normalised)
        np.isfinite(parts, out=self._finite)
        np.logical_and.reduce(self._finite, axis=1, out=self._present)
        np.logical_or(self._pairs, self._unused, out=self._expected)
        np.logical_and.reduce(self._expected, axis=1, out=self.missing)
        np.logical_not(self.missing, out=self.missing)
        np.minimum(parts, LIMIT, out=parts)
        np.maximum(parts, -LIMIT, out=parts)
        self._channels[:] = parts
        self._masks[:] = self._present
        np.multiply(self._normalised, self._std, out=self._measured_row)
        np.add(self._measured_row, self._mean, out=self._measured_row)
        if not np.logical_and.reduce(self._present):
            self._channels[~self._present] = 0.0
            self._measured[~self._present] = np.nan
        self._measure()
        return self._row

    def _measure(self) -> None:
        """Compute the magnitudes of what was measured, and of its changes."""
        vectors, lengths = self._vectors, self._lengths
        np.subtract(self._measured, self._before, out=self._changes)
        self._before[:] = self._measured
        np.square(vectors, out=vectors)
        np.add.reduce(vectors, axis=1, out=lengths)
        np.sqrt(lengths, out=lengths)
        np.subtract(lengths, self._usual, out=lengths)
        np.divide(lengths, self._scale, out=lengths)
        np.isnan(lengths, out=self._unknown)
        np.minimum(lengths, LIMIT, out=lengths)
        np.maximum(lengths, -LIMIT, out=lengths)
        np.copyto(lengths, 0.0, where=self._unknown)
        self._mount_free[:] = lengths
