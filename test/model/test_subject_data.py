"""A subject's recordings in a row: activations in references, and as a network sees them."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimator_of
from imu_emg_estimator.model.subject_data import (
    CalibrationData,
    delayed,
    population_reference,
    prepare,
    reference_amplitude,
    trusted_subjects,
)
from imu_emg_estimator.recording import Recording


@pytest.fixture(scope="module")
def recording(make_recording: RecordingFactory) -> Recording:
    return make_recording([("standing", 2.0), ("walking", 4.0)])


def test_reference_is_the_95th_percentile_in_locomotion(recording: Recording) -> None:
    moving = recording.envelope[recording.is_movement()]
    np.testing.assert_allclose(reference_amplitude([recording]), np.percentile(moving, 95, axis=0))
    standing = replace(recording, condition=np.full(len(recording), "standing"))
    np.testing.assert_allclose(reference_amplitude([standing]), np.percentile(recording.envelope, 95, axis=0))


def test_reference_is_not_known_of_muscles_without_trust_or_signal(recording: Recording) -> None:
    envelope = recording.envelope.copy()
    envelope[:, 1] = 0.0
    silent, absent = replace(recording, envelope=envelope), replace(recording, envelope=envelope * np.nan)
    assert np.isfinite(reference_amplitude([silent])).tolist() == [True, False]
    assert np.isnan(reference_amplitude([absent])).all()
    doubted = replace(recording, muscle_weight=np.array([0.0, 1.0]))
    assert np.isfinite(reference_amplitude([doubted])).tolist() == [False, True]
    assert np.isfinite(reference_amplitude([doubted, recording])).all()


def test_population_reference_minimises_relative_errors() -> None:
    references = np.array([[20.0, 30.0], [40.0, np.nan], [80.0, 60.0]])
    tried = np.linspace(10.0, 100.0, 90_001)
    for muscle, found in enumerate(population_reference(references).tolist()):
        errors = np.nanmean((tried[:, None] / references[:, muscle] - 1.0) ** 2, axis=1)
        assert found == pytest.approx(tried[errors.argmin()], abs=2e-3)
    of_both_sides = population_reference(references.reshape(-1, 1))[0]
    assert population_reference(references, RIG) == pytest.approx([of_both_sides] * 2)


def test_prepare_joins_recordings_as_activations(recording: Recording) -> None:
    envelope = recording.envelope.copy()
    envelope[5, 0], envelope[6, 0] = np.nan, 1e6
    data = prepare([recording, replace(recording, envelope=envelope)], np.array([20.0, 40.0]))
    count = len(recording)
    assert data.starts.tolist() == [0, count, 2 * count]
    np.testing.assert_allclose(data.target[:count], np.minimum(recording.envelope / [20.0, 40.0], 3.0), rtol=1e-6)
    assert (data.target[count + 5, 0], data.weight[count + 5, 0]) == (0.0, 0.0)
    assert (data.target[count + 6, 0], data.weight[count + 6, 0]) == (3.0, 1.0)
    assert data.locomotion.sum() == 2 * recording.is_movement().sum()


def test_trusted_subjects_names_muscle_that_nobody_has(recording: Recording) -> None:
    doubted = replace(recording, muscle_weight=np.array([1.0, 0.0]))
    with refusal(f"no subject has trusted EMG of {RIG.muscle_names[1]}"):
        trusted_subjects([doubted])
    with refusal("none of the 1 recordings has trusted EMG"):
        trusted_subjects([replace(recording, muscle_weight=np.zeros(2))])
    other = replace(recording, subject="other")
    assert list(trusted_subjects([other, doubted])) == ["other", recording.subject]


def test_delayed_shifts_later() -> None:
    values = np.arange(1.0, 5.0)
    np.testing.assert_array_equal(delayed(values, 0), values)
    np.testing.assert_array_equal(delayed(values, 1), [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(delayed(values, -1), [2.0, 3.0, 4.0, 0.0])


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
