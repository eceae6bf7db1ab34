"""Numbers into the bytes of a sensor_msgs/Imu; the layout is that of ``imu_decoder``."""

from __future__ import annotations

from struct import Struct

from imu_emg_estimator.signals.grid_alignment import Sample
from imu_emg_estimator.signals.imu_decoder import (
    FIXED_BYTES,
    FRAME_OFFSET,
    HEADER_BYTES,
    RATE_OFFSET,
    decode_imu,
    split_timestamp,
)
