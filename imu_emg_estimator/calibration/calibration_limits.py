"""Durations, correlations and sample counts that all stages of a calibration share."""

from __future__ import annotations

MIN_ADAPTATION_S = 5.0  # of EMG; less does not show a handful of strides
MIN_CALIBRATION_S = 14.0  # of synchronised IMU and EMG: less can be adapted to, but not judged
CORRELATED_SAMPLES = 7.0  # in a row count as one: the envelope holds 4 Hz, the rate is 58.8 Hz
MIN_MOVEMENT_R = 0.25  # of quickly fitted heads on left-out blocks; below, the EMG does not follow the movement
MIN_ESTIMATE_R = 0.2  # of an estimate; below, it does not follow the EMG, and "better" means nothing
