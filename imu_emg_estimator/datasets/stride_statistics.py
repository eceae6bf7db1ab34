"""Stride statistics: how people walk, run and climb stairs, in averages and variations.

They are derived from real recordings (``scripts/derive_stride_statistics.py``) and feed the simulated subject. They
hold no recording and no single subject's profile: only means over the legs of many subjects, and the first few
components of how legs and strides differ.

A profile is the course of a channel over a stride, as Fourier coefficients, so that it is periodic. The
channels of a leg are its sensors' acceleration x y z [m/s^2] and angular rate x y z [rad/s] in the order of
the rig, then its muscle's envelope as a fraction of full amplitude. The left leg is mirrored onto the right.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.shipped_files import resource_file

Array = NDArray[np.float64]

FILE_NAME = "stride_statistics.json"
FORMAT_VERSION = 1
STANDING = "standing"
RIGHT, LEFT = "right", "left"  # the left leg is the mirrored one
HARMONICS = 12  # of the stride; at 58.8 Hz a stride holds little above


def shipped_statistics() -> dict[str, Any]:
    """Read the document that the package ships; raises InputError that names the file."""
    path = resource_file(FILE_NAME)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path} is not readable JSON; install the package again") from None
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{path} holds no stride statistics of version {FORMAT_VERSION}; derive them again")
    return document


def fourier_basis(phase: Array) -> Array:
    """Return 1, cosines and sines [samples, coefficients] of the stride at phases [samples] (1 = one stride)."""
    angles = 2 * np.pi * np.outer(phase, np.arange(1, HARMONICS + 1))
    return np.concatenate([np.ones((len(phase), 1)), np.cos(angles), np.sin(angles)], axis=1)


def leg_sensors(rig: Rig, side: str) -> list[int]:
    """Return the sensors of a leg in the order in which the right leg's segments are listed."""
    segments = [sensor.segment for sensor in rig.sensors if sensor.side == RIGHT]
    found = {sensor.segment: index for index, sensor in enumerate(rig.sensors) if sensor.side == side}
    return [found[segment] for segment in segments]


def leg_muscle(rig: Rig, side: str) -> int:
    """Return the muscle of a leg, the first one where there are several."""
    return next(index for index, muscle in enumerate(rig.muscles) if muscle.side == side)
