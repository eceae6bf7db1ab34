"""CalibrationData: what the adaptation works on, recording by recording."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.calibration.calibration_data import CalibrationData
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimator_of
from imu_emg_estimator.recording import Recording


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", seconds)], seed=seed) for seed, seconds in enumerate((6.0, 4.0))]


def joined(bundle: Bundle, recordings: list[Recording], scale: float = 0.5) -> CalibrationData:
    """Return the data for an estimate that is the envelope by a factor."""
    estimate = scale * np.concatenate([recording.envelope for recording in recordings])
    return CalibrationData.of(estimator_of(bundle), recordings, estimate)


def test_data_give_samples_of_cold_context_no_weight(bundle: Bundle, recordings: list[Recording]) -> None:
    weight = joined(bundle, recordings).weight
    context, begin = bundle.config.context, len(recordings[0])
    assert not weight[:context].any()
    assert not weight[begin : begin + context].any()
    assert (weight[context : begin - 10] == 1.0).all()
    assert (weight[begin + context : -10] == 1.0).all()


@pytest.mark.parametrize(("scale", "amplitude"), [(0.5, 2.0), (4.0, 0.25)])
def test_amplitude_scales_the_estimate_onto_the_envelope(
    bundle: Bundle, recordings: list[Recording], scale: float, amplitude: float
) -> None:
    np.testing.assert_allclose(joined(bundle, recordings, scale).amplitude, [amplitude] * 2, rtol=1e-6)


def test_amplitude_is_the_reference_where_the_estimate_says_nothing(
    bundle: Bundle, recordings: list[Recording]
) -> None:
    amplitude = joined(bundle, recordings, 0.0).amplitude
    moving = np.concatenate([recording.envelope[recording.is_movement()] for recording in recordings])
    np.testing.assert_allclose(amplitude, np.percentile(moving, 95, axis=0))
    np.testing.assert_allclose(joined(bundle, recordings, -1.0).amplitude, amplitude)


def test_data_hold_seconds_and_muscles_with_trusted_emg(bundle: Bundle, recordings: list[Recording]) -> None:
    doubted = [replace(recording, muscle_weight=np.array([0.0, 1.0])) for recording in recordings]
    data = joined(bundle, doubted)
    assert data.known_muscles() == [1]
    assert data.seconds == pytest.approx(10.0, abs=0.1)
