"""Causal networks: IMU features in, muscle activation out.

``Network`` is their base: convolutional front end, interleaved token sequences and linear heads. ``GegluTransformer``
is that of the product, the network of arXiv:2604.25670 (convolution, positions, self-attention with GEGLU
feed-forward, linear head), made causal: every part uses past samples only, attention is banded over the last ``band``
tokens, and positions are rotary (Su et al., arXiv:2104.09864), so only distances matter and a cached key stays valid
as the band moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv1d, gelu, pad, scaled_dot_product_attention

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.network_config import ROTARY_BASE, ModelConfig
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


class BandedAttention(nn.Module):
    """Self-attention in which a token attends to the last ``band`` tokens, itself included.

    The sequence is cut into blocks of ``band``; a query needs only its own block and the one before.
    """

    def __init__(self, width: int, heads: int, band: int) -> None:
        super().__init__()
        self.heads = heads
        self.band = band
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        _, samples, width = x.shape
        blocks = -(-samples // self.band)
        x = pad(x, (0, 0, 0, blocks * self.band - samples))
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.query_key_value(x).chunk(3, dim=2)
        )
        cosine, sine = rotary_phases(blocks * self.band, width // self.heads, x.device)
        query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        attended = scaled_dot_product_attention(
            self._blocks(query),
            self._with_previous(key),
            self._with_previous(value),
            attn_mask=self._mask(blocks, x.device),
        )
        joined = attended.transpose(1, 2).flatten(2, 3).transpose(1, 2).flatten(2)
        result: Tensor = self.output(joined[:, :samples])
        return result

    def _blocks(self, x: Tensor) -> Tensor:
        """[batch, heads, samples, head] -> [batch, blocks, heads, band, head]."""
        blocks: Tensor = x.unflatten(2, (-1, self.band)).transpose(1, 2)
        return blocks

    def _with_previous(self, x: Tensor) -> Tensor:
        """Join each block with the one before it: [batch, blocks, heads, 2 band, head]."""
        blocks = self._blocks(x)
        previous = pad(blocks, (0, 0, 0, 0, 0, 0, 1, 0))[:, :-1]
        return torch.cat([previous, blocks], dim=3)

    def _mask(self, blocks: int, device: torch.device) -> Tensor:
        """Return a mask [blocks, 1, band, 2 band], True where a query may attend."""
        query = torch.arange(self.band, device=device)[:, None] + self.band
        key = torch.arange(2 * self.band, device=device)[None]
        mask = (key <= query) & (key > query - self.band)
        mask = mask.expand(blocks, 1, -1, -1).clone()
        mask[0, :, :, : self.band] = False
        return mask


class GEGLU(nn.Module):
    """Gated feed-forward Wo [GELU(W1 x) * W2 x] over the last axis: [..., width] -> [..., width].

    Source: Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_and_value = nn.Linear(width, 2 * hidden)
        self.output = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)
        product: Tensor = gelu(gate, approximate="tanh") * value
        return torch.as_tensor(self.output(product))


class EncoderLayer(nn.Module):
    """Pre-norm attention and GEGLU feed-forward, each with a residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = BandedAttention(config.width, config.heads, config.band)
        self.feedforward_norm = nn.LayerNorm(config.width)
        self.feedforward = GEGLU(config.width, config.feedforward)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        x = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return x


class GegluTransformer(Network):
    """The network of this package: see ``Network`` for its shapes."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))

    def body(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def rotary_phases(samples: int, head_width: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return cosine and sine [samples, head_width / 2] of the rotary angles, computed in float64."""
    frequency = ROTARY_BASE ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angle = torch.arange(samples, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float().to(device), angle.sin().float().to(device)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate the pairs (first half, second half) of the last axis by their angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def network_of(bundle: Bundle) -> GegluTransformer:
    """Build the network of a bundle, in evaluation mode."""
    model = GegluTransformer(bundle.config)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in bundle.weights.items()})
    return model.eval()


def weights_of(model: Network) -> dict[str, NDArray[np.float32]]:
    """Return the weights by name, as a Bundle holds them."""
    return {name: value.detach().cpu().numpy().astype(np.float32) for name, value in model.state_dict().items()}


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
