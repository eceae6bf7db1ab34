"""A simulated wearer, for those who have no recording at hand.

Its strides are drawn from figures that were derived from real wearers: mean profiles per activity, how
wearers differ, and how strides differ. What comes out is made up, is called simulated wherever
it shows, and is no substitute for data: it serves demonstrations and tests.

``python -m imu_emg_estimator.datasets.simulator <HuGaDB folder> <statistics.json>`` derives the figures.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfiltfilt
from scipy.spatial.transform import Rotation

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import LOCOMOTION, FloatArray, RawEmg, Recording
from imu_emg_estimator.resources import resource_file
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.gait import stride_starts, strides, time_normalise
from imu_emg_estimator.signals.imu import CHANNELS

Array = NDArray[np.float64]

STATISTICS_FILE = "stride_statistics.json"
STATISTICS_VERSION = 1
STANDING = "standing"
SIDES = ("right", "left")

HARMONICS = 12  # of the stride; at 58.8 Hz a stride of 0.9 s holds little above
COEFFICIENTS = 2 * HARMONICS + 1
POINTS = 50  # of a stride, the next one's first not counted
WEARER_COMPONENTS = {"imu": 4, "envelope": 4}
STRIDE_COMPONENTS = 3
FEWEST_STRIDES = 5  # of a leg in an activity, to count in the statistics
FULL_AMPLITUDE = 95  # percentile of a leg's envelope in locomotion that its profiles are fractions of

DEFAULT_SCHEDULE = (
    (STANDING, 3.0), ("walking", 18.0), ("stairs_up", 10.0), ("walking", 6.0), ("stairs_down", 10.0), ("running", 9.0)
)
EPOCH = 1_704_067_200.0  # s, 2024-01-01; when a simulated recording starts
TRANSITION = 1.0  # s from one activity to the next
MOUNTING = np.radians(3.0)  # standard deviation of a sensor's rotation on its segment, about each axis
MEMORY = 0.5  # correlation of a stride's deviation with that of the stride before
DRIFT_CORNER = 6.0  # Hz; below, the movement differs from stride to stride beyond the components
CADENCE_CORNER = 0.4  # Hz; below, the cadence wanders
FLOOR = 0.03  # of full amplitude; a muscle at rest
FULL_SCALE = 2 * 9.80665  # m/s^2; the accelerometers of the data clip here
REST, COUNTS = 128, 255  # resting level and largest value of the simulated amplifier
"""

"""
