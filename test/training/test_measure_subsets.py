"""Accuracy and intervals without some sensors: measured as the live estimate would be, and honestly judged."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.bundle_files import UNCERTAINTY
from fixtures.factories import RecordingFactory, refusal
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale
from imu_emg_estimator.model.offline_estimate import estimate_recording, estimator_of
from imu_emg_estimator.rig import Rig, Sensor
from imu_emg_estimator.signals.masked_imu_features import features
from imu_emg_estimator.training.fit_conformal_uncertainty import Errors
from imu_emg_estimator.training.measure_subsets import (
    combinations_of,
    feature_masks,
    locomotion_stretches,
    mirrored,
    subset_errors,
    summarise_subsets,
    with_subsets,
)

PLAIN = DeviationScale((1.0, 1.0), (1.0, 1.0), (0.0, 0.0), ((0.5, 0.5), (1.0, 1.0), (2.0, 2.0)))


def test_combinations_cover_every_one_of_six_sensors_once() -> None:
    cases = combinations_of(RIG)
    every = {*cases, *(mirrored(RIG, case) for case in cases)}
    assert cases[0] == ()
    assert len(every) == 63, "all but none left"
    assert len(cases) == 35, "of mirror images one"


def test_combinations_of_large_rig_are_singles_pairs_sides_segments() -> None:
    segments = ("foot", "shank", "thigh", "hand", "arm")
    rig = Rig("large", 50.0, tuple(Sensor(f"{a}_{b}", b, a) for a in ("left", "right") for b in segments), RIG.muscles)
    cases = combinations_of(rig)
    assert len(cases) < 50
    assert {(), (0,), (0, 1), (0, 5), (0, 1, 2, 3, 4), (1, 2, 3, 4, 6, 7, 8, 9)} <= set(cases)


def test_masks_equal_features_of_missing_sensors(bundle: Bundle, make_recording: RecordingFactory) -> None:
    imu = make_recording([("walking", 3.0)]).imu
    imu[20:40, 1] = np.nan
    without = imu.copy()
    without[:, [0, 4]] = np.nan
    masked = features(imu, bundle.normalisation) * feature_masks(6, [(0, 4)])[0]
    np.testing.assert_array_equal(masked, features(without, bundle.normalisation))


def test_errors_are_those_of_estimate_without_sensors(bundle: Bundle, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 21.0)])
    estimator = estimator_of(bundle)
    errors = subset_errors(estimator, [recording], [(), (0, 4)])
    assert set(errors) == {(), (0, 4)}
    (stretch,) = locomotion_stretches([recording])
    imu = stretch.imu.copy()
    imu[:, [0, 4]] = np.nan
    activation, deviation = estimate_recording(estimator.network, estimator.normalisation, imu)
    rows = slice(0, len(stretch) - bundle.config.look_ahead, 6)
    np.testing.assert_allclose(errors[0, 4].activation, activation[rows], atol=1e-6)
    np.testing.assert_allclose(errors[0, 4].deviation, deviation[rows], atol=1e-6)
    np.testing.assert_allclose(errors[0, 4].measured, (stretch.envelope / estimator.amplitude)[rows])
    assert np.abs(errors[()].activation - errors[0, 4].activation).max() > 0.01


def test_stretches_are_locomotion_spread_over_recordings(make_recording: RecordingFactory) -> None:
    recordings = [make_recording([("standing", 5.0), ("walking", 90.0)], seed=seed) for seed in range(3)]
    stretches = locomotion_stretches(recordings)
    assert all(stretch.is_movement().all() for stretch in stretches)
    assert {stretch.name for stretch in stretches} == {recording.name for recording in recordings}


def test_stretches_are_of_anything_where_no_locomotion_is_labelled(make_recording: RecordingFactory) -> None:
    assert [stretch.duration for stretch in locomotion_stretches([make_recording([("standing", 6.0)])])] == [
        pytest.approx(6.0, abs=0.02)
    ]


def errors_of(spread: float, seed: int, noise: float = 0.1) -> Errors:
    """Errors of a stated deviation of 1 whose true one is ``spread``."""
    generator = np.random.default_rng(seed)
    error = spread * generator.uniform(-1.25, 1.25, (4000, 2))
    activation = generator.uniform(2, 4, (4000, 2))
    return Errors(activation + error, activation, np.ones_like(error), np.full(4000, "walking"))


def test_summary_factor_restores_coverage() -> None:
    subjects = [{(): errors_of(1.0, seed), (0,): errors_of(2.0, 10 + seed)} for seed in range(4)]
    subsets = summarise_subsets(RIG, subjects, PLAIN)
    assert [row.missing for row in subsets.rows] == [(), (0,), (3,)], "the mirror image has the same figures"
    whole, one, image = subsets.rows
    np.testing.assert_allclose(whole.coverage, [0.8, 0.8], atol=0.02)
    assert whole.factor == (1.0, 1.0)
    np.testing.assert_allclose(one.factor, [2.0, 2.0], atol=0.05)
    np.testing.assert_allclose(one.coverage, [0.4, 0.8], atol=0.02)
    assert image.factor == one.factor[::-1]
    assert one.r < whole.r


def test_summary_judges_factor_on_subject_it_was_not_fitted_to() -> None:
    """One subject's errors are ten times the other's: either factor is far from what the other needs."""
    subjects = [{(): errors_of(1.0, 0), (0,): errors_of(spread, 1)} for spread in (2.0, 20.0)]
    one = summarise_subsets(RIG, subjects, PLAIN).rows[1]
    covered = 1.0, 0.08  # with a factor of 20, and of 2
    assert one.coverage[1] == pytest.approx(np.mean(covered), abs=0.01)


def test_summary_leaves_out_untrusted_muscle() -> None:
    subjects = [{(): errors_of(1.0, seed), (0,): errors_of(2.0, 10 + seed)} for seed in range(3)]
    subjects[0][0,].measured[:, 1] = np.nan
    subsets = summarise_subsets(RIG, subjects, PLAIN)
    assert np.isfinite([row.r for row in subsets.rows]).all()
    np.testing.assert_allclose(subsets.rows[1].factor, [2.0, 2.0], atol=0.05)


@pytest.fixture(scope="module")
def walks(make_recording: RecordingFactory) -> list[NDArray[np.object_]]:
    return [make_recording([("walking", 75.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]


@pytest.mark.slow
def test_with_subsets_measures_before_and_after_calibration(trained_bundle: Bundle, walks: list) -> None:
    known = replace(trained_bundle, uncertainty=UNCERTAINTY)
    seen: list[tuple[int, int]] = []
    networks = [(estimator_of(known), ["1", "2", "3"])]
    measured = with_subsets(known, walks, networks, "made-up networks", lambda *done: seen.append(done))
    figures = measured.subset_figures
    assert figures is not None
    assert figures.calibrated is not None
    assert "3 subjects (1, 2, 3) by made-up networks; calibrated" in figures.definition
    assert len(figures.uncalibrated.rows) == len(figures.calibrated.rows) == 63
    assert figures.uncalibrated.whole.r > 0.5
    assert figures.uncalibrated.whole.r > max(row.r for row in figures.uncalibrated.rows if len(row.missing) == 5)
    assert seen[-1] == (3, 3)
    assert measured.weights is known.weights


@pytest.mark.slow
def test_with_subsets_needs_intervals_and_subjects(trained_bundle: Bundle, walks: list) -> None:
    with refusal("no intervals", "--interval-folds"):
        with_subsets(replace(trained_bundle, uncertainty=None), walks, [], "none")
    known = replace(trained_bundle, uncertainty=UNCERTAINTY)
    with refusal("only 1 subject"):
        with_subsets(known, walks, [(estimator_of(known), ["1"])], "one")
