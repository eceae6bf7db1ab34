"""Figures equal their formulas, and are NaN where they are not defined."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr

from imu_emg_estimator.signals.accuracy_metrics import score

Array = NDArray[np.float64]


@pytest.fixture
def pair() -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    measured = generator.gamma(2.0, 20.0, 500)
    return measured, 0.7 * measured + 10.0 * generator.standard_normal(500) + 5.0


def test_score_equals_formulas(pair: tuple[Array, Array]) -> None:
    measured, estimated = pair
    result = score(measured, estimated)
    error = measured - estimated
    assert result.r == pytest.approx(pearsonr(measured, estimated)[0])
    assert result.r2 == pytest.approx(1 - (error**2).sum() / ((measured - measured.mean()) ** 2).sum())
    assert result.nrmse == pytest.approx(np.sqrt((error**2).mean()) / (measured.max() - measured.min()))
    assert result.samples == 500


def test_score_of_perfect_estimate(pair: tuple[Array, Array]) -> None:
    result = score(pair[0], pair[0])
    assert (result.r, result.r2, result.nrmse) == pytest.approx((1.0, 1.0, 0.0))


def test_r_ignores_scale_and_offset_unlike_r2(pair: tuple[Array, Array]) -> None:
    measured, estimated = pair
    moved = score(measured, 3.0 * estimated - 100.0)
    assert moved.r == pytest.approx(score(measured, estimated).r)
    assert moved.r2 < 0


def test_score_leaves_out_unknown_samples(pair: tuple[Array, Array]) -> None:
    measured, estimated = (values.copy() for values in pair)
    measured[:50], measured[60], estimated[100:150] = np.nan, np.inf, np.nan
    known = np.r_[50:60, 61:100, 150:500]
    assert score(measured, estimated) == score(pair[0][known], pair[1][known])
    assert score(measured, estimated).samples == len(known)


@pytest.mark.parametrize("measured", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, np.nan, 1.0]])
def test_score_without_variation_is_nan(measured: list[float]) -> None:
    result = score(np.array(measured), np.arange(float(len(measured))))
    assert np.isnan([result.r, result.r2, result.nrmse]).all()


def test_score_of_constant_estimate(pair: tuple[Array, Array]) -> None:
    measured = pair[0]
    result = score(measured, np.full(500, measured.mean()))
    assert result.r == 0.0
    assert result.r2 == pytest.approx(0.0, abs=1e-12)
    assert result.nrmse == pytest.approx(measured.std() / np.ptp(measured))


def test_score_in_single_precision(pair: tuple[Array, Array]) -> None:
    measured, estimated = ((values + 1e5).astype(np.float32) for values in pair)
    assert score(measured, estimated) == score(measured.astype(np.float64), estimated.astype(np.float64))
