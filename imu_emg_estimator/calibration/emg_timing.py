"""The delay between a subject's EMG and IMUs, estimated with the help of a bundle."""

from __future__ import annotations

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_delay import Delay, DelaySettings, synchronise


def in_time(bundle: Bundle, recording: Recording, settings: DelaySettings | None = None) -> tuple[Recording, Delay]:
    """Shift the EMG in time with the movement, if it clearly was not; returns the delay that was found, too.

    The bundle's muscles are late or early only as those of the subjects were that it learned from, so that a delay
    beyond what subjects differ by is the amplifier's, the radio's or a clock's.
    """
    return synchronise(recording, estimate_envelopes(bundle, [recording]), settings)
