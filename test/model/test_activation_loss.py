"""The loss of the activation: its correlation is the weighted one of the field."""

import numpy as np
import pytest
import torch

from imu_emg_estimator.model.activation_loss import _correlation


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
