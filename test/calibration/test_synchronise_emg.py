"""A bundle's own estimate shows how late a subject's EMG is."""

import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.calibration.calibrate_bags import synchronise_emg
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.emg_delay import shift_emg


@pytest.mark.parametrize("delay", [-0.15, 0.0, 0.2])
def test_emg_delay_is_found_with_bundle(trained_bundle: Bundle, make_recording: RecordingFactory, delay: float) -> None:
    recording = make_recording([("walking", 40.0)], seed=20)
    corrected, found = synchronise_emg(trained_bundle, shift_emg(recording, -delay))
    assert found.seconds == pytest.approx(delay, abs=0.05)
    assert found.corrected == (delay != 0.0)
    assert found.r_after > 0.7
    if not delay:
        assert corrected.envelope is recording.envelope or (corrected.envelope[5:-5] == recording.envelope[5:-5]).all()
