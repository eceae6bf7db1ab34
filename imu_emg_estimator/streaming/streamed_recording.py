"""A whole recording through the streaming path: what a live node would have published, without torch."""

from __future__ import annotations

import numpy as np

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator


def streamed_recording(bundle: Bundle, imu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate activation and its published standard deviation for every sample of a recording.

    Args:
        imu: [samples, sensors, 6] in m/s² and rad/s; NaN = not available.

    Returns:
        Two arrays [samples, muscles] in references; row i is the estimate *for* sample i.
        The last ``look_ahead`` rows are NaN: the recording ends before their input.
    """
    estimator = StreamingEstimator(bundle, scores_motion=False)
    estimates = [estimate for row in imu if (estimate := estimator.step(row)) is not None]
    activation, deviation = (np.full((len(imu), len(bundle.rig.muscles)), np.nan) for _ in range(2))
    for index, estimate in enumerate(estimates):
        activation[index], deviation[index] = estimate.activation, estimate.deviation
    return activation, deviation
