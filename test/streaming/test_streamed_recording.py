"""A recording through the streaming path: each estimate stands at the sample that it is for."""

import numpy as np
from fixtures.factories import RecordingFactory

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.streaming.streamed_recording import streamed_recording


def test_streamed_recording_equals_the_offline_estimate(bundle: Bundle, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 5.0)])
    activation, deviation = streamed_recording(bundle, recording.imu)
    offline = estimate_envelopes(bundle, [recording])
    np.testing.assert_allclose(activation * bundle.reference.amplitude, offline, rtol=1e-3, atol=1e-3)
    ahead = bundle.config.look_ahead
    assert np.isnan(deviation[-ahead:]).all()
    assert (deviation[:-ahead] > 0).all()
