"""Recording: time-aligned IMU and, where known, EMG data of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.rig import LOCOMOTION as LOCOMOTION
from imu_emg_estimator.rig import Rig

FloatArray = NDArray[np.floating]

UNLABELLED = "unlabelled"
MAX_SIGNAL_RATE_HZ = 100_000.0  # of any channel of EMG or of a sensor
SIMULATED = "simulated"  # how the names of subjects begin whom nobody has met


@dataclass(frozen=True)
class RawEmg:
    """Raw surface EMG before any processing.

    Attributes:
        data: samples [samples, muscles] in ``unit``; NaN = not available.
        rate: sampling rate [Hz].
        unit: e.g. ``mV`` or ``count``.
    """

    data: FloatArray
    rate: float
    unit: str


@dataclass(frozen=True)
class Recording:
    """One uninterrupted recording of one subject on the rig's grid.

    Attributes:
        name: where it comes from, unique within a data set.
        subject: the subject.
        rig: sensors, muscles and rate; defines the order of every array.
        start: start of the recording, seconds since any fixed origin; orders a subject's recordings in time.
        imu: [samples, sensors, 6], acceleration x y z [m/s^2] then angular rate x y z [rad/s]
            in the sensor's frame, +g at rest (REP 145); NaN = not available.
        envelope: [samples, muscles] EMG envelope in ``envelope_unit``; NaN = not known.
        envelope_unit: unit of ``envelope``.
        muscle_weight: [muscles] 0 = never train on or score this channel, 1 = full trust.
        condition: [samples] name of the activity, ``unlabelled`` where not known.
        emg: the raw EMG that the envelope was made from, where it is known.
    """

    name: str
    subject: str
    rig: Rig
    start: float
    imu: FloatArray
    envelope: FloatArray
    envelope_unit: str
    muscle_weight: FloatArray
    condition: NDArray[np.str_]
    emg: RawEmg | None = None

    def __post_init__(self) -> None:
        samples, sensors, muscles = len(self.imu), len(self.rig.sensors), len(self.rig.muscles)
        expected = {
            "imu": (samples, sensors, 6),
            "envelope": (samples, muscles),
            "muscle_weight": (muscles,),
            "condition": (samples,),
        }
        for field, shape in expected.items():
            if getattr(self, field).shape != shape:
                raise ValueError(f"recording {self.name}: {field} has shape {getattr(self, field).shape}, not {shape}")

    def __len__(self) -> int:
        return len(self.imu)

    @property
    def duration(self) -> float:
        """Length of the recording [s]."""
        return len(self) / self.rig.rate

    @property
    def is_simulated(self) -> bool:
        """Whether the subject is simulated."""
        return self.subject.startswith(SIMULATED)

    @property
    def time(self) -> FloatArray:
        """Instants of the samples [samples], s from the start of the recording."""
        return np.arange(len(self)) / self.rig.rate

    def is_movement(self) -> NDArray[np.bool_]:
        """Return a mask [samples] of the rig's movements: walking, running, stairs and ramps unless it names others."""
        return np.isin(self.condition, self.rig.movement_names)

    def without_gyroscopes(self) -> Recording:
        """Mask all gyroscopes: a network trained on such recordings never uses one."""
        imu = self.imu.copy()
        imu[..., 3:] = np.nan
        return replace(self, imu=imu)

    def slice(self, start: int, stop: int) -> Recording:
        """Cut out the samples from start to stop, with the raw EMG of the same time."""
        emg = self.emg
        if emg is not None:
            first, last = (round(index / self.rig.rate * emg.rate) for index in (start, stop))
            emg = replace(emg, data=emg.data[first:last])
        return replace(
            self,
            start=self.start + start / self.rig.rate,
            imu=self.imu[start:stop],
            envelope=self.envelope[start:stop],
            condition=self.condition[start:stop],
            emg=emg,
        )


def trusted_envelope(recordings: Sequence[Recording]) -> FloatArray:
    """Join the EMG envelopes [samples, muscles] of recordings; NaN = not known or not trusted."""
    return np.concatenate([np.where(own.muscle_weight > 0, own.envelope, np.nan) for own in recordings])
