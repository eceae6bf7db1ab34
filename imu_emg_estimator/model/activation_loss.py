"""The loss that a network learns by: error of the mean, and likelihood of the standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from imu_emg_estimator.model.causal_network import Network
from imu_emg_estimator.model.network_config import LOG_DEVIATION_RANGE

LIKELIHOOD_SHARE = 0.1  # of the loss
MIN_VARIANCE = 0.0025  # references squared; a flatter sequence has no correlation worth training on


def activation_loss(
    model: Network,
    inputs: Tensor,
    target: Tensor,
    weight: Tensor,
    huber: float,
    phase: int | None = None,
    correlation_share: float = 0.0,
) -> Tensor:
    """Return the loss of a network on a batch, see ``estimate_loss``.

    Args:
        inputs: features [batch, samples, inputs].
        target, weight: [batch, samples, muscles], aligned with the outputs.
        huber: error [references] where the loss turns from square to linear.
        phase: count only the samples of this phase, see ``Network.tokens``; None = all.
    """
    if phase is not None:
        target, weight = (part[:, phase :: model.config.dilation] for part in (target, weight))
    mean, log_deviation = model(inputs, phase)
    return estimate_loss(mean, log_deviation, target, weight, huber, correlation_share)


def estimate_loss(
    mean: Tensor, log_deviation: Tensor, target: Tensor, weight: Tensor, huber: float, correlation_share: float = 0.0
) -> Tensor:
    """Return the error of the mean plus the Gaussian likelihood that teaches the deviation, and the deviation alone.

    All tensors are [batch, samples, muscles].
    """
    log_deviation = log_deviation.clamp(*LOG_DEVIATION_RANGE)
    likelihood = (negative_log_likelihood(mean.detach(), log_deviation, target) * weight).sum()
    total = weight.sum().clamp_min(1.0)
    return mean_loss(mean, target, weight, huber, correlation_share) + LIKELIHOOD_SHARE * (likelihood / total)


def mean_loss(mean: Tensor, target: Tensor, weight: Tensor, huber: float, correlation_share: float = 0.0) -> Tensor:
    """Return Huber's error of the mean, plus this share of one minus the correlation within each sequence.

    All tensors are [batch, samples, muscles].
    """
    error = smooth_l1_loss(mean, target, reduction="none", beta=huber) / huber
    loss = (error * weight).sum() / weight.sum().clamp_min(1.0)
    if correlation_share:
        loss = loss + correlation_share * (1.0 - _correlation(mean, target, weight))
    return torch.as_tensor(loss)


def negative_log_likelihood(mean: Tensor, log_deviation: Tensor, target: Tensor) -> Tensor:
    """Return the negative Gaussian log likelihood of every element, without its constant."""
    return 0.5 * ((target - mean) / log_deviation.exp()) ** 2 + log_deviation


def _correlation(mean: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Correlate over the samples of each sequence and muscle, and average over those with any weight."""
    count = weight.sum(dim=1, keepdim=True).clamp_min(1.0)
    guess, truth = (part - (part * weight).sum(dim=1, keepdim=True) / count for part in (mean, target))
    power = (weight * guess**2).sum(dim=1) * (weight * truth**2).sum(dim=1)
    r = (weight * guess * truth).sum(dim=1) / (power + MIN_VARIANCE**2 * count[:, 0] ** 2).sqrt()
    known = weight.sum(dim=1) > 0
    return (r * known).sum() / known.sum().clamp_min(1)
