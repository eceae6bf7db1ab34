"""The loss of the activation: its correlation is the weighted one of the field."""

import numpy as np
import pytest
import torch

from imu_emg_estimator.model.activation_loss import _correlation, estimate_loss, mean_loss, negative_log_likelihood


def test_correlation_equals_numpy_on_trusted_samples() -> None:
    rng = np.random.default_rng(0)
    mean, target = 3.0 * rng.random((2, 50, 2)), 2.0 + 0.5 * rng.random((2, 50, 2))
    weight = np.ones((2, 50, 2))
    weight[:, 30:] = 0.0
    expected = [np.corrcoef(mean[s, :30, m], target[s, :30, m])[0, 1] for s in range(2) for m in range(2)]
    value = _correlation(*(torch.as_tensor(part) for part in (mean, target, weight)))
    assert float(value) == pytest.approx(np.mean(expected), abs=1e-3)


def test_correlation_of_weights_between_none_and_one() -> None:
    rng = np.random.default_rng(1)
    mean, target, weight = rng.random((1, 40, 1)), 4.0 * rng.random((1, 40, 1)), rng.random((1, 40, 1))
    cov = np.cov(mean[0, :, 0], target[0, :, 0], aweights=weight[0, :, 0])
    value = _correlation(*(torch.as_tensor(part) for part in (mean, target, weight)))
    assert float(value) == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]), abs=1e-3)


def test_correlation_leaves_out_muscles_without_any_weight() -> None:
    mean = torch.linspace(0.0, 1.0, 20).reshape(1, 20, 1).repeat(1, 1, 2)
    weight = torch.ones((1, 20, 2))
    weight[..., 1] = 0.0
    assert float(_correlation(mean, mean, weight)) == pytest.approx(1.0, abs=1e-3)


def batch(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1)


def test_mean_loss_is_square_below_the_limit_and_linear_above() -> None:
    """In units of the limit: half the square of the error, or the error less a half."""
    mean, target, weight = batch(0.1, 0.0, 1.0), batch(0.0, 0.2, 0.0), batch(1.0, 1.0, 1.0)
    expected = ((0.1 / 0.5) ** 2 / 2 + (0.2 / 0.5) ** 2 / 2 + (1.0 / 0.5 - 0.5)) / 3
    assert float(mean_loss(mean, target, weight, huber=0.5)) == pytest.approx(expected)


def test_mean_loss_is_weighted_and_nothing_without_weight() -> None:
    mean, target = batch(1.0, 3.0, 2.0), batch(0.0, 0.0, 0.0)
    assert float(mean_loss(mean, target, batch(1.0, 0.0, 1.0), huber=1.0)) == pytest.approx((0.5 + 1.5) / 2)
    assert float(mean_loss(mean, target, batch(0.0, 0.0, 0.0), huber=1.0)) == 0.0
    assert float(mean_loss(mean, target, batch(0.25, 0.0, 0.0), huber=1.0)) == pytest.approx(0.25 * 0.5)


def test_mean_loss_takes_a_share_of_one_minus_the_correlation() -> None:
    target, weight = batch(*np.sin(np.arange(40.0)).tolist()), torch.ones(1, 40, 1)
    plain = float(mean_loss(-target, target, weight, huber=1.0))
    assert float(mean_loss(-target, target, weight, huber=1.0, correlation_share=0.3)) == pytest.approx(
        plain + 0.6, abs=1e-3
    )


def test_likelihood_is_least_at_the_true_deviation() -> None:
    def likelihood(deviation: float) -> float:
        return float(negative_log_likelihood(batch(1.0), batch(np.log(deviation)), batch(1.5)))

    assert likelihood(0.5) == pytest.approx(0.5 + np.log(0.5))
    assert likelihood(1.0) == pytest.approx(0.125)
    assert likelihood(0.5) < min(likelihood(0.45), likelihood(0.55))


def test_loss_of_an_estimate_adds_a_tenth_of_the_likelihood() -> None:
    mean, target, weight = batch(1.0, 5.0), batch(1.5, 0.0), batch(1.0, 0.0)
    log_deviation = batch(np.log(0.5), 0.0)
    expected = 0.5 * 0.5**2 + 0.1 * (0.5 + np.log(0.5))
    assert float(estimate_loss(mean, log_deviation, target, weight, huber=1.0)) == pytest.approx(expected)


def test_likelihood_teaches_the_deviation_alone() -> None:
    mean, log_deviation = batch(1.0).requires_grad_(), batch(0.0).requires_grad_()
    estimate_loss(mean, log_deviation, batch(1.0), batch(1.0), huber=1.0).backward()
    assert float(mean.grad.abs().sum()) == 0.0
    assert float(log_deviation.grad) == pytest.approx(0.1)
