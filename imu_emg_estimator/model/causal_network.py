"""Base of the causal networks: convolutional front end, interleaved token sequences and linear heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, pad

from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.recording import FloatArray
from imu_emg_estimator.signals.masked_imu_features import Normalisation


class CausalConvolution(nn.Module):
    """1-D convolution over the last ``kernel`` samples: [batch, samples, inputs] -> [batch, chosen samples, width]."""

    def __init__(self, inputs: int, width: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.convolution = nn.Conv1d(inputs, width, kernel)

    def forward(self, x: Tensor, start: int = 0, stride: int = 1) -> Tensor:
        result: Tensor = gelu(causal(self.convolution, x, start, stride), approximate="tanh")
        return result


def causal(convolution: nn.Conv1d, x: Tensor, start: int = 0, stride: int = 1) -> Tensor:
    """Convolve [batch, samples, inputs] over the past of samples start, start + stride, ...; zeros are padded."""
    padded = pad(x.transpose(1, 2), (convolution.kernel_size[0] - 1, 0))[:, :, start:]
    return conv1d(padded, convolution.weight, convolution.bias, stride=stride).transpose(1, 2)


class Network(nn.Module):
    """Features [batch, samples, inputs] -> mean and log standard deviation, each [batch, samples, muscles].

    The estimate at a sample is for the instant ``look_ahead`` samples before it.

    A convolutional front end turns every sample into a token, the ``body`` relates tokens that
    are ``dilation`` samples apart, and two linear heads read the result. An envelope of a few
    hertz needs no token at every sample to look back to, but an estimate is wanted at every one:
    the samples fall into ``dilation`` interleaved sequences that never meet. So training may
    pick one of them, at a fraction of the cost.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end: nn.Module = CausalConvolution(config.inputs, config.width, config.kernel)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.muscles)
        self.deviation_head = nn.Linear(config.width, config.muscles)

    def body(self, x: Tensor) -> Tensor:
        """Relate the tokens of one interleaved sequence causally: [batch, tokens, width], same shape out."""
        raise NotImplementedError

    def tokens(self, features: Tensor, phase: int | None = None) -> Tensor:
        """Compute the tokens that the heads read.

        Args:
            features: [batch, samples, inputs].
            phase: only the samples phase, phase + dilation, ...; None = every sample.

        Returns:
            [batch, chosen samples, width].
        """
        if phase is not None:
            chosen: Tensor = self.norm(self.body(self.front_end(features, phase, self.config.dilation)))
            return chosen
        tokens = self.front_end(features)
        interleaved = self._interleaved(tokens)
        every: Tensor = self.norm(self.body(interleaved))
        return self._in_order(every, len(tokens), tokens.shape[1])

    def forward(self, features: Tensor, phase: int | None = None) -> tuple[Tensor, Tensor]:
        tokens = self.tokens(features, phase)
        # The uncertainty must not bend the features that the estimate needs.
        return self.head(tokens), self.deviation_head(tokens.detach())

    def _interleaved(self, x: Tensor) -> Tensor:
        """[batch, samples, width] -> [batch * dilation, tokens, width]."""
        padded = pad(x, (0, 0, 0, -x.shape[1] % self.config.dilation))
        result: Tensor = padded.unflatten(1, (-1, self.config.dilation)).transpose(1, 2).flatten(0, 1)
        return result

    def _in_order(self, x: Tensor, batch: int, samples: int) -> Tensor:
        """Undo ``_interleaved``."""
        result: Tensor = x.unflatten(0, (batch, self.config.dilation)).transpose(1, 2).flatten(1, 2)[:, :samples]
        return result


@dataclass(frozen=True)
class Estimator:
    """A trained network in memory with its normalisation and reference amplitude; a Bundle is its file.

    Attributes:
        amplitude: [muscles] EMG envelope that an activation of 1 stands for.
    """

    network: Network
    normalisation: Normalisation
    amplitude: FloatArray


def head_weights(head: nn.Linear) -> FloatArray:
    """Join weights and bias of a head into one array [muscles, width + 1]."""
    return np.concatenate([head.weight.detach().numpy(), head.bias.detach().numpy()[:, None]], axis=1)


@torch.no_grad()
def set_head_weights(head: nn.Linear, values: FloatArray) -> None:
    """Copy an array [muscles, width + 1] into weights and bias of a head."""
    head.weight.copy_(torch.from_numpy(values[:, :-1]))
    head.bias.copy_(torch.from_numpy(values[:, -1]))
