"""Ridge regression from sums is ridge regression, and its strength comes from what was left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.regression import STRENGTHS, Sums, _solved_over_rows, ridge, ridge_of_few

Array = NDArray[np.float64]


def data(rows: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array, Array]:
    """Rows with the intercept's 1, targets of two outputs, and the coefficients that made them."""
    generator = np.random.default_rng(seed)
    inputs = np.concatenate([generator.standard_normal((rows, 12)), np.ones((rows, 1))], axis=1)
    truth = np.random.default_rng(7).normal([0.0, 3.0], size=(13, 2))
    return inputs, inputs @ truth + noise * generator.standard_normal((rows, 2)), truth


def test_ridge_equals_closed_form() -> None:
    rows, target, _ = data()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(rows))
    penalty = 0.1 * weight.sum() * np.eye(13)
    penalty[-1, -1] = 0.0
    expected = np.linalg.solve((rows.T * weight) @ rows + penalty, (rows.T * weight) @ target)
    solved = Sums.of(rows, target, weight).solve(0.1, np.zeros((13, 2)))
    np.testing.assert_allclose(solved, expected, rtol=1e-3, atol=1e-4)


def test_shrinkage_goes_from_fit_to_prior() -> None:
    rows, target, truth = data(noise=0.0)
    sums, prior = Sums.of(rows, target, np.ones(len(rows))), np.full((13, 2), 0.7)
    np.testing.assert_allclose(sums.solve(1e9, prior)[:-1], prior[:-1], atol=1e-6)
    np.testing.assert_allclose(sums.solve(1e-12, prior), truth, atol=1e-4)


def test_error_from_sums_equals_error_of_rows() -> None:
    (rows, target, truth), weight = data(), np.linspace(0.0, 1.0, 200)
    first, second = (Sums.of(rows[part], target[part], weight[part]) for part in (slice(0, 80), slice(80, 200)))
    expected = (weight[:80, None] * (target[:80] - rows[:80] @ truth) ** 2).sum()
    assert first.error(truth) == pytest.approx(expected)
    assert ((first + second) - second).error(truth) == pytest.approx(expected)


def test_chosen_strength_follows_noise() -> None:
    """What is noise in the parts left out is not fitted, what is not is."""
    for noise, least, most in ((0.1, 0.0, 0.05), (100.0, 0.5, 5.0)):
        rows, target, truth = data(80, noise)
        fitted = ridge([Sums.of(rows[i::4], target[i::4], np.ones(20)) for i in range(4)])
        unshrunk = np.linalg.lstsq(rows, target)[0]
        assert least < np.abs(fitted - unshrunk)[:-1].mean()
        assert np.abs(fitted - truth)[:-1].mean() < most


def test_ridge_keeps_prior_without_left_out_rows() -> None:
    rows, target, _ = data(3)
    prior = np.zeros((13, 2))
    kept = Sums.of(rows, target, np.ones(3)).solve(STRENGTHS[-1], prior)
    np.testing.assert_allclose(ridge([Sums.of(rows, target, np.ones(3))]), kept)


@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_dual_solution_equals_primal(strength: float) -> None:
    rows, target, truth = data(9)
    expected = Sums.of(rows, target, np.ones(9)).solve(strength, truth)
    np.testing.assert_allclose(_solved_over_rows(rows, target, truth, strength), expected, rtol=1e-4, atol=1e-5)


def test_few_rows_move_prior_towards_truth() -> None:
    rows, target, truth = data(10)
    prior = truth + 0.5
    moved = ridge_of_few(rows, target, prior)
    assert np.abs(moved - truth).mean() < 0.8 * np.abs(prior - truth).mean()
    np.testing.assert_allclose(ridge_of_few(rows, rows @ prior, prior), prior, atol=1e-8)
