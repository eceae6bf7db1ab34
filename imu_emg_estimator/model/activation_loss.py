"""The loss that a network learns by: error of the mean, and likelihood of the standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.model.causal_network import Network
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE

CORRELATION_SHARE = 0.2  # of a loss that has one
MIN_VARIANCE = 0.0025  # references squared; a flatter sequence has no correlation worth training on


def activation_loss(
    model: Network,
    inputs: Tensor,
    target: Tensor,
    weight: Tensor,
    huber: float,
    phase: int | None = None,
    kind: str = "huber",
) -> Tensor:
    """Error of the mean plus the Gaussian likelihood that teaches the standard deviation.

    ``target`` and ``weight`` are [batch, samples, muscles], already aligned with the outputs;
    of them only the samples of ``phase`` count, where one is given, as in ``Network.tokens``.
    The kinds of error are those of ``TrainingSettings.loss``.
    """
    if phase is not None:
        target, weight = (part[:, phase :: model.config.dilation] for part in (target, weight))
    mean, log_deviation = model(inputs, phase)
    return estimate_loss(mean, log_deviation, target, weight, huber, kind)


def estimate_loss(
    mean: Tensor, log_deviation: Tensor, target: Tensor, weight: Tensor, huber: float, kind: str = "huber"
) -> Tensor:
    """``activation_loss`` of what a network gave; all [batch, samples, muscles]."""
    total = weight.sum().clamp_min(1.0)
    log_deviation = log_deviation.clamp(*LOG_DEVIATION_RANGE)
    if kind == "gaussian":
        return (_likelihood(mean, log_deviation, target) * weight).sum() / total
    likelihood = (_likelihood(mean.detach(), log_deviation, target) * weight).sum() / total
    return mean_loss(mean, target, weight, huber, kind) + 0.1 * likelihood


def mean_loss(mean: Tensor, target: Tensor, weight: Tensor, huber: float, kind: str = "huber") -> Tensor:
    """Error of the mean alone, all [batch, samples, muscles]; Huber's for ``gaussian``, which needs a deviation."""
    error = smooth_l1_loss(mean, target, reduction="none", beta=huber) / huber
    loss = (error * weight).sum() / weight.sum().clamp_min(1.0)
    if kind == "correlation":
        loss = loss + CORRELATION_SHARE * (1.0 - _correlation(mean, target, weight))
    return torch.as_tensor(loss)


def _likelihood(mean: Tensor, log_deviation: Tensor, target: Tensor) -> Tensor:
    """Negative Gaussian log likelihood, without its constant."""
    return 0.5 * ((target - mean) / log_deviation.exp()) ** 2 + log_deviation


def _correlation(mean: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Correlation over the samples of each sequence and muscle, averaged over those that have some."""
    count = weight.sum(dim=1, keepdim=True).clamp_min(1.0)
    guess, truth = (part - (part * weight).sum(dim=1, keepdim=True) / count for part in (mean, target))
    power = (weight * guess**2).sum(dim=1) * (weight * truth**2).sum(dim=1)
    r = (weight * guess * truth).sum(dim=1) / (power + MIN_VARIANCE**2 * count[:, 0] ** 2).sqrt()
    known = weight.sum(dim=1) > 0
    return (r * known).sum() / known.sum().clamp_min(1)
