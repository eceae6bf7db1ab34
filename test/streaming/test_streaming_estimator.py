"""What is estimated live equals what is estimated offline, through gaps and resets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.bundle_files import SUBSET_FIGURES
from fixtures.factories import BundleFactory, RecordingFactory, random_bundle
from fixtures.live_estimates import TOLERANCE, Array, live, values

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty
from imu_emg_estimator.model.offline_estimate import published_estimate
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.motion_statistics import motion_statistics
from imu_emg_estimator.streaming.engine import ENGINES
from imu_emg_estimator.streaming.motion_monitor import MotionMonitor
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution
from imu_emg_estimator.utils.shipped_files import shipped_bundle

WINDOW_S = 2.0
SCORE_PERIOD_S = 0.1


def offline(bundle: Bundle, imu: Array) -> Array:
    """Activation and deviation [samples, 2 muscles], NaN where not known yet."""
    return np.hstack(published_estimate(bundle, imu))


def assert_live_is_offline(estimates: Array, expected: Array, look_ahead: int) -> None:
    """Live, the estimate for an instant comes look_ahead rows after it; a forecast before it."""
    if look_ahead < 0:
        estimates, expected, look_ahead = expected, estimates, -look_ahead
    assert np.isnan(estimates[:look_ahead]).all()
    end = len(expected) - look_ahead
    np.testing.assert_allclose(estimates[look_ahead:], expected[:end], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("look_ahead", [-3, 0, 1, 3])
def test_estimator_equals_offline(make_bundle: BundleFactory, imu: Array, look_ahead: int) -> None:
    bundle = make_bundle(look_ahead=look_ahead)
    estimator = StreamingEstimator(bundle)
    assert_live_is_offline(live(estimator, imu), offline(bundle, imu), look_ahead)
    assert estimator.steps == len(imu)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [{}, {"dilation": 4, "band": 6, "look_ahead": 3}], ids=str)
def test_estimator_equals_offline_with_every_engine(
    make_bundle: BundleFactory, other: Bundle, imu: Array, engine: str, shape: dict[str, int]
) -> None:
    """Before a swap and after it."""
    bundles = [replace(each, config=make_bundle(**shape).config) for each in (make_bundle(**shape), other)]
    look_ahead = bundles[0].config.look_ahead
    estimator = StreamingEstimator(bundles[0], engine=engine)
    assert_live_is_offline(live(estimator, imu[:101]), offline(bundles[0], imu[:101]), look_ahead)
    estimator.adopt(estimator.prepare(bundles[1]))
    after = live(estimator, imu[101:])
    np.testing.assert_allclose(after, offline(bundles[1], imu)[101 - look_ahead : -look_ahead], rtol=0, atol=TOLERANCE)


def test_estimator_equals_offline_with_trained_network(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    imu = make_recording([("standing", 3.0), ("walking", 10.0)], seed=5).imu
    estimates = live(StreamingEstimator(trained_bundle), imu)
    assert_live_is_offline(estimates, offline(trained_bundle, imu), trained_bundle.config.look_ahead)
    assert np.nanmax(estimates[:, :2]) > 0.5


@pytest.mark.slow
def test_estimator_equals_offline_with_shipped_network_on_real_subject(hugadb_folder: Path) -> None:
    """A subject with a corrupted gyroscope, by the network that robots run."""
    recordings = hugadb.load(hugadb_folder, ["5"])
    recording = next(each for each in recordings if np.isnan(each.imu).any() and each.is_movement().all())
    bundle = Bundle.load(shipped_bundle())
    imu = recording.imu[:1500]
    assert_live_is_offline(live(StreamingEstimator(bundle), imu), offline(bundle, imu), bundle.config.look_ahead)


def test_estimator_equals_offline_after_reset(bundle: Bundle, imu: Array) -> None:
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[::-1])
    estimator.reset()
    assert estimator.steps == 0
    assert_live_is_offline(live(estimator, imu), offline(bundle, imu), bundle.config.look_ahead)


def test_step_activation_is_nonnegative_and_deviation_positive(bundle: Bundle, imu: Array) -> None:
    estimates = live(StreamingEstimator(bundle), 20 * imu)[bundle.config.look_ahead :]
    assert (estimates[:, :2] >= 0).all()
    assert (estimates[:, :2] == 0).any(), "no estimate was at the bound: the test shows nothing"
    assert (estimates[:, 2:] > 0).all()


@pytest.mark.parametrize(("log_deviation", "bound"), [(-50.0, -5.0), (50.0, 2.0)])
def test_step_bounds_deviation_as_offline(bundle: Bundle, imu: Array, log_deviation: float, bound: float) -> None:
    extreme = {"deviation_head.bias": np.full(2, log_deviation, np.float32)}
    bundle = replace(bundle, weights={**bundle.weights, **extreme})
    estimates = live(StreamingEstimator(bundle), imu)
    assert_live_is_offline(estimates, offline(bundle, imu), bundle.config.look_ahead)
    np.testing.assert_allclose(estimates[bundle.config.look_ahead :, 2:], np.exp(bound), rtol=1e-5)


def test_step_names_masked_sensors(bundle: Bundle, imu: Array) -> None:
    estimator = StreamingEstimator(bundle)
    estimates = [estimator.step(row) for row in imu]
    missing = {index: np.flatnonzero(estimates[index].missing).tolist() for index in (39, 40, 61, 100)}
    assert missing == {39: [5], 40: [0, 5], 61: [0, 1, 2, 3, 4, 5], 100: [2, 5]}


def test_step_does_not_miss_unused_gyroscopes(bundle: Bundle, imu: Array) -> None:
    mean, std = bundle.normalisation.mean.copy(), bundle.normalisation.std.copy()
    mean[:, 3:] = std[:, 3:] = np.nan
    blind = replace(bundle, normalisation=Normalisation(mean, std))
    without = imu.copy()
    without[..., 3:] = np.nan
    given, missing = StreamingEstimator(blind), StreamingEstimator(blind)
    for row, poorer in zip(imu, without, strict=True):
        one, other = given.step(row), missing.step(poorer)
        np.testing.assert_array_equal(values(one), values(other))
        if one is not None and other is not None:
            np.testing.assert_array_equal(one.missing, ~np.isfinite(row[:, :3]).all(axis=1))
            np.testing.assert_array_equal(one.missing, other.missing)
    assert_live_is_offline(live(StreamingEstimator(blind), imu), offline(blind, imu), bundle.config.look_ahead)


def test_estimator_warms_up_until_band_is_filled(bundle: Bundle, imu: Array) -> None:
    estimator = StreamingEstimator(bundle)
    for _ in range(2):
        warming = [estimate.warming_up for row in imu if (estimate := estimator.step(row))]
        assert sum(warming) == bundle.config.band - 1 - bundle.config.look_ahead
        assert warming == sorted(warming, reverse=True)
        estimator.reset()


# how sure it is


UNCERTAINTY = Uncertainty(
    "made up",
    (0.5,),
    uncalibrated=DeviationScale((1.5, 2.0), (0.5, 0.0), (0.3, 1.0), ((0.7, 0.7),)),
    calibrated=DeviationScale((0.5, 0.6), (1.0, 1.0), (0.0, 0.0), ((0.7, 0.7),)),
)


def test_step_scales_deviation_as_offline(bundle: Bundle, imu: Array) -> None:
    """And otherwise for a subject's own bundle."""
    scaled = replace(bundle, uncertainty=UNCERTAINTY)
    own = replace(scaled, parent_id=scaled.model_id)
    estimates = [live(StreamingEstimator(each), imu) for each in (bundle, scaled, own)]
    for each, values_ in zip((bundle, scaled, own), estimates, strict=True):
        assert_live_is_offline(values_, offline(each, imu), bundle.config.look_ahead)
    np.testing.assert_allclose(estimates[2][:, 2:], estimates[0][:, 2:] * [0.5, 0.6], rtol=1e-5)
    np.testing.assert_array_equal(estimates[1][:, :2], estimates[0][:, :2])


def test_step_scales_deviation_for_missing_sensors_as_offline(bundle: Bundle, imu: Array) -> None:
    """At once when sensors go, and for a while after they are back; with what is left by a catch-up, too."""
    imu = np.concatenate([imu, *[imu[:30]] * 8])
    imu[:, 5] = imu[:, 4]  # nothing is missing at first
    known = replace(bundle, subset_figures=SUBSET_FIGURES)
    without, with_ = (live(StreamingEstimator(each), imu)[:, 2:] for each in (bundle, known))
    factor = with_ / without
    np.testing.assert_array_equal(factor[2:40], 1.0)
    np.testing.assert_allclose(factor[[40, 59]], [[1.25, 1.5]] * 2, rtol=1e-6)
    np.testing.assert_allclose(factor[[60, 61]], [[2.0, 3.0]] * 2, rtol=1e-6, err_msg="not measured: the largest")
    assert (np.diff(factor[90:100], axis=0) < 0).all()
    assert (factor[90:95] > 1.1).all(), "the gap is still in the network's context"
    np.testing.assert_array_equal(factor[-1], 1.0)
    assert_live_is_offline(live(StreamingEstimator(known), imu), offline(known, imu), bundle.config.look_ahead)
    estimator = StreamingEstimator(bundle)
    live(estimator, imu[:80])
    estimator.adopt(estimator.prepare(known))
    np.testing.assert_allclose(live(estimator, imu[80:])[:, 2:], with_[80:], atol=TOLERANCE)


@pytest.fixture(scope="module")
def knowing(bundle: Bundle, make_recording: RecordingFactory) -> Bundle:
    """The bundle, with what three subjects' motion looked like."""
    subjects = [make_recording([("walking", 30.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    distribution = fit_distribution(subjects)
    return replace(bundle, distribution=replace(distribution, threshold=1.3 * distribution.threshold))


@pytest.fixture(scope="module")
def turned(make_recording: RecordingFactory) -> Array:
    """A subject who, ten seconds on, turns a thigh's sensor by a quarter, and ten seconds on turns it back."""
    imu = make_recording([("walking", 30.0)], subject="9", seed=9).imu
    rows = slice(588, 1176)
    for part in (0, 3):
        imu[rows, 2, part], imu[rows, 2, part + 2] = imu[rows, 2, part + 2], -imu[rows, 2, part].copy()
    return imu


def test_step_flags_rotated_sensor_until_turned_back(knowing: Bundle, turned: Array) -> None:
    estimator = StreamingEstimator(knowing)
    estimates = [estimate for row in turned if (estimate := estimator.step(row))]
    raised = np.array([estimate.out_of_distribution for estimate in estimates])
    assert not raised[:580].any()
    assert raised[588 + 60 : 1176].all(), "not noticed within a second"
    assert not raised[1176 + 600 :].any()
    assert np.isnan(estimates[0].score)
    assert (np.array([estimate.score for estimate in estimates[200:580]]) > 0).all()


@pytest.mark.parametrize("value", [1e200, 1e6, np.nan])
def test_step_flags_rotated_sensor_after_one_absurd_sample(knowing: Bundle, turned: Array, value: float) -> None:
    """What is no acceleration takes no part in the statistics: the alarms are those without it within a window."""
    estimator, undisturbed = StreamingEstimator(knowing), StreamingEstimator(knowing)
    window = round(WINDOW_S * knowing.rig.rate)
    for index, row in enumerate(turned[:1000]):
        absurd = row.copy()
        if index == 400:
            absurd[1, 0] = value
        found, expected = estimator.step(absurd), undisturbed.step(row)
        assert (found is None) == (expected is None)
        if found and expected and not 400 <= index < 400 + window:
            assert found.out_of_distribution == expected.out_of_distribution


def test_step_flags_motion_of_which_nothing_is_known(knowing: Bundle, turned: Array) -> None:
    """A score that is not a number is not below the threshold."""
    estimator = StreamingEstimator(knowing)
    for row in turned[:300]:
        estimator.step(row)
    unknown = [estimator.step(np.full_like(row, np.nan)) for row in turned[300:700]][-1]
    assert unknown is not None
    assert np.isnan(unknown.score)
    assert unknown.out_of_distribution


def test_step_score_equals_offline(knowing: Bundle, turned: Array) -> None:
    assert knowing.distribution is not None
    monitor = MotionMonitor(6, knowing.rig.rate)
    live_ = [monitor.step(row, knowing.distribution) for row in turned]
    every = round(SCORE_PERIOD_S * knowing.rig.rate)
    expected = knowing.distribution.scores(*motion_statistics(turned, knowing.rig.rate, every))
    np.testing.assert_allclose(live_[::every], expected, rtol=1e-6)


def test_step_without_distribution_flags_nothing(bundle: Bundle, turned: Array) -> None:
    estimator = StreamingEstimator(bundle)
    estimates = [estimate for row in turned[:800] if (estimate := estimator.step(row))]
    assert not any(estimate.out_of_distribution for estimate in estimates)
    assert np.isnan([estimate.score for estimate in estimates]).all()


def test_adopt_keeps_score_and_reset_clears_it(knowing: Bundle, other: Bundle, turned: Array) -> None:
    alone, swapped = StreamingEstimator(knowing), StreamingEstimator(knowing)
    for row in turned[:700]:
        alone.step(row)
        swapped.step(row)
    swapped.adopt(swapped.prepare(replace(other, distribution=knowing.distribution)))
    expected, estimate = alone.step(turned[700]), swapped.step(turned[700])
    assert expected is not None
    assert estimate is not None
    assert estimate.score == expected.score
    assert estimate.out_of_distribution
    swapped.reset()
    after = [estimate for row in turned[:30] if (estimate := swapped.step(row))]
    assert np.isnan([estimate.score for estimate in after]).all()


def test_estimates_of_known_weights_are_these() -> None:
    """A bundle keeps its meaning: what features, attention and outputs are made of does not change unnoticed."""
    rows = np.sin(np.arange(60 * 36).reshape(60, 6, 6) * 0.37) * 2.0 + [0, 0, 9.81, 0, 0, 0]
    rows[40:, 2] = np.nan
    estimator = StreamingEstimator(random_bundle(), engine="numpy")
    estimates = [estimate for row in rows if (estimate := estimator.step(row))]
    assert len(estimates) == 58
    found = [[*estimates[index].activation, *estimates[index].deviation] for index in (0, 30, 57)]
    expected = [[0.0, 0.0, 1.73336, 0.43851], [0.0, 0.0, 2.90796, 0.38387], [0.78747, 0.0, 3.0677, 0.24246]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("logarithm", "bound"), [(50.0, 2.0), (-50.0, -5.0)])
def test_deviation_is_bounded(bundle: Bundle, logarithm: float, bound: float) -> None:
    weights = bundle.weights | {"deviation_head.bias": np.full(2, logarithm, np.float32)}
    estimator = StreamingEstimator(replace(bundle, weights=weights), engine="numpy")
    (deviation,) = {float(each) for row in np.ones((3, 6, 6)) if (e := estimator.step(row)) for each in e.deviation}
    assert deviation == pytest.approx(np.exp(bound), rel=1e-5)
