"""The delay between a subject's EMG and IMUs, told by what a bundle estimates from the IMUs."""

from __future__ import annotations

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_delay import Delay, DelaySettings, synchronise


def in_time(bundle: Bundle, recording: Recording, settings: DelaySettings | None = None) -> tuple[Recording, Delay]:
    """The recording with its EMG in time with the movement, if it clearly was not, and the delay that was found.

    The bundle's muscles are late or early only as those of the subjects were that it learned from, so that a delay
    beyond what subjects differ by is the amplifier's, the radio's or a clock's.
    """
    return synchronise(recording, estimate_envelopes(bundle, [recording]), settings)
