"""Movement statistics: how people walk, run, climb stairs, sit down or do what else a lab recorded.

They are derived from real recordings (``derive_statistics``) and feed the simulated subject. They hold no recording
and no single subject's course: only means over subjects, and the first components of how subjects and cycles differ.

A cycle is a stride, or another repeated movement. Its course is given by Fourier coefficients, so that it is periodic.
The channels are the IMUs' accelerations x y z [m/s^2] and angular rates x y z [rad/s] in the order of the rig, then
the square root of every muscle's envelope as a fraction of its full amplitude. All of them are drawn together, so
what the sensors and the muscles have to do with each other in real subjects is kept.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.shipped_files import resource_file

Array = NDArray[np.float64]

SUFFIX = ".npz"
FILE_NAME = f"movement_statistics{SUFFIX}"
FORMAT_VERSION = 2
STANDING, SITTING = "standing", "sitting"
POSTURES = (STANDING, SITTING)
SIT_TO_STAND = "sit_to_stand"  # a cycle: standing up in its first half, sitting down in its second
HARMONICS = 12  # of a cycle's mean course
FINE_HARMONICS = 24  # of what differs between cycles; at 58.8 Hz a stride holds little above


@dataclass(frozen=True)
class MovementStatistics:
    """What a simulated subject is drawn from; arrays are by activity, coefficient and channel.

    Attributes:
        rig: sensors and muscles.
        subjects: number of real subjects.
        emg_rate: of the raw EMG [Hz]; 0 = the recordings hold envelopes only.
        emg_unit: of the EMG.
        activities: cyclic ones, that can be simulated.
        postures: still ones, that can be simulated.
        mean: [activities, coefficients, channels] mean course of a cycle.
        components: [components, activities, coefficients, channels] of how subjects differ from it.
        posture_mean: [postures, channels].
        posture_components: [components, postures, channels].
        time_mean: [activities] mean logarithm of a cycle's duration [s].
        time_components: [components, activities].
        time_within: [activities] standard deviation of the logarithm that the cycles' components leave.
        cycle_components: [activities, components, coefficients, channels] of how one subject's cycles differ.
        cycle_times: [activities, components] of the logarithm of a cycle's duration.
        cycle_correlation: [activities, components] of a cycle with the one before.
        cycle_spread: [activities, fine coefficients, channels] standard deviation of what the components leave.
        amplitude_mean: [muscles] mean logarithm of the full amplitude.
        amplitude_covariance: [muscles, muscles] of that logarithm.
        noise: [channels] standard deviation of a still sensor.
        full_scale: [channels] largest magnitude that was measured.
    """

    rig: Rig
    subjects: int
    emg_rate: float
    emg_unit: str
    activities: tuple[str, ...]
    postures: tuple[str, ...]
    mean: Array
    components: Array
    posture_mean: Array
    posture_components: Array
    time_mean: Array
    time_components: Array
    time_within: Array
    cycle_components: Array
    cycle_times: Array
    cycle_correlation: Array
    cycle_spread: Array
    amplitude_mean: Array
    amplitude_covariance: Array
    noise: Array
    full_scale: Array

    def save(self, path: Path) -> None:
        """Write the file; raises InputError where that fails."""
        about: dict[str, Any] = {"format_version": FORMAT_VERSION, "rig": self.rig.to_dict()}
        arrays: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value.astype(np.float16)
            elif field.name != "rig":
                about[field.name] = value
        file = io.BytesIO()
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
        write_atomically(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> MovementStatistics:
        """Read a file that ``save`` wrote; raises InputError that names it."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                arrays = {name: file[name].astype(np.float64) for name in file.files if name != "about"}
            if about.pop("format_version") != FORMAT_VERSION:
                raise ValueError
            rig = Rig.from_dict(about.pop("rig"), where=f"movement statistics {path}")
            about |= {key: tuple(about[key]) for key in ("activities", "postures")}
            return cls(rig=rig, **about, **arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
            raise InputError(
                f"{path} holds no movement statistics of version {FORMAT_VERSION}; "
                "make them with `imu-emg simulate --from FOLDER --save-statistics FILE`"
            ) from None


def shipped_statistics() -> MovementStatistics:
    """Read the statistics of HuGaDB's 13 subjects, which the package ships; raises InputError that names the file."""
    return MovementStatistics.load(resource_file(FILE_NAME))


def fourier_basis(phase: Array, harmonics: int = HARMONICS) -> Array:
    """Return 1, cosine, sine, cosine, ... [samples, coefficients] of the cycle at phases [samples] (1 = one cycle)."""
    angles = 2 * np.pi * np.outer(phase, np.arange(1, harmonics + 1))
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(phase), -1)
    return np.concatenate([np.ones((len(phase), 1)), waves], axis=1)
