"""Every block is estimated by models that were fitted without its EMG."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.calibration.adaptation import AdaptationSettings, adapt_estimator
from imu_emg_estimator.calibration.cross_fitting import cross_fit, scale_of
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.offline_estimate import estimate_all, estimator_of
from imu_emg_estimator.recording import Recording

FOLDS = 4
GAP_S = 1.0

BRIEF = AdaptationSettings(steps=10, batch=2, sequence=64)


@pytest.fixture(scope="module")
def subject(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 32.0)], seed=5, emg_delay=0.1)


@pytest.fixture(scope="module")
def given(trained_bundle: Bundle) -> Estimator:
    return estimator_of(trained_bundle)


def test_cross_fit_hides_emg_of_block_and_gap_only(given: Estimator, subject: Recording) -> None:
    seen = []

    def record(recordings: Sequence[Recording]) -> Estimator:
        seen.append(np.concatenate([recording.envelope for recording in recordings]))
        assert all(np.isfinite(recording.imu).all() for recording in recordings)  # movement is no secret
        return given

    parts = [subject.slice(0, 700), subject.slice(700, len(subject))]
    found = cross_fit(given, {"record": record}, parts)
    assert len(seen) == FOLDS
    gap, block = round(GAP_S * subject.rig.rate), len(subject) / FOLDS
    for index, envelope in enumerate(seen):
        hidden = np.flatnonzero(np.isnan(envelope[:, 0]))
        assert hidden[0] == pytest.approx(max(0, index * block - gap), abs=2)
        assert hidden[-1] == pytest.approx(min(len(subject), (index + 1) * block + gap), abs=2)
        assert np.array_equal(np.diff(hidden), np.ones(len(hidden) - 1))
    np.testing.assert_array_equal(found.measured, subject.envelope)
    np.testing.assert_array_equal(found.adapted["record"], found.before)


def test_cross_fit_estimate_is_independent_of_its_block(given: Estimator, subject: Recording) -> None:
    """The third block is poisoned: its own estimates must be the same, those of the others not."""
    poisoned = subject.envelope.copy()
    third = slice(round(0.51 * len(subject)), round(0.74 * len(subject)))
    poisoned[third] = poisoned[third][::-1] * 3.0

    def way(recordings: Sequence[Recording]) -> Estimator:
        return adapt_estimator(given, recordings, BRIEF)

    honest, other = (
        cross_fit(given, {"brief": way}, [recording]) for recording in (subject, replace(subject, envelope=poisoned))
    )
    np.testing.assert_array_equal(honest.adapted["brief"][third], other.adapted["brief"][third])
    np.testing.assert_array_equal(honest.scaled[third], other.scaled[third])
    first = slice(0, third.start // 3)
    assert not np.array_equal(honest.adapted["brief"][first], other.adapted["brief"][first])
    np.testing.assert_array_equal(honest.before, other.before)


def test_cross_fit_blocks_hold_equal_emg(given: Estimator, subject: Recording) -> None:
    """Where the amplifier was on for a part of the time, that part is what is judged."""
    envelope = subject.envelope.copy()
    envelope[: len(subject) // 2] = np.nan
    counts = []

    def record(recordings: Sequence[Recording]) -> Estimator:
        counts.append(int(np.isfinite(recordings[0].envelope[:, 0]).sum()))
        return given

    cross_fit(given, {"record": record}, [replace(subject, envelope=envelope)])
    quarter = len(subject) / 2 / FOLDS
    assert all(count == pytest.approx(3 * quarter - 60, abs=62) for count in counts)


def test_cross_fit_ignores_untrusted_muscle(given: Estimator, subject: Recording) -> None:
    found = cross_fit(given, {}, [replace(subject, muscle_weight=np.array([1.0, 0.0]))])
    assert np.isnan(found.measured[:, 1]).all()
    assert np.isfinite(found.measured[:, 0]).all()


def test_scale_of_fits_best(given: Estimator, subject: Recording) -> None:
    estimate = estimate_all(given, [subject])
    measured = np.where(np.isfinite(estimate), 2.5 * estimate, np.nan)
    measured[:, 1] = -measured[:, 1]
    scale = scale_of(measured, estimate)
    assert scale[0] == pytest.approx(2.5)
    assert np.isnan(scale[1])  # turned over: no amplitude helps
