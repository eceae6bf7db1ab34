"""Baselines of the GEGLU-Transformer with the same inputs, heads and training, and nearly as many weights.

Each differs from it in the body alone, and only the LSTM in the front end. All are causal. Weights at the
benchmark's shape (48 inputs, 2 muscles, width 64, dilation 4), beside 153,476 of the GEGLU-Transformer:
MLP 151,332, LSTM 155,652, CNN-LSTM 150,660, TCN 152,260, GELU-Transformer 153,284.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from imu_emg_estimator.model.causal_network import CausalConvolution, EncoderLayer, GegluTransformer, Network, causal
from imu_emg_estimator.model.network_config import ModelConfig

WINDOW = 16  # tokens in the input of the MLP
TCN_KERNEL = 3
TCN_BLOCKS = 5  # each with twice the receptive field of the previous one


class MlpNetwork(Network):
    """A multilayer perceptron over the last 16 tokens at once: 1.1 s at the benchmark's dilation and rate."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        hidden = 3 * config.width // 2
        self.perceptron = nn.Sequential(
            CausalConvolution(config.width, hidden, WINDOW),  # a linear layer over the flattened window
            *_hidden_layer(hidden, hidden, config.dropout),
            *_hidden_layer(hidden, hidden, config.dropout),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, config.width),
        )

    def body(self, x: Tensor) -> Tensor:
        result: Tensor = self.perceptron(x)
        return result


class CnnLstmNetwork(Network):
    """The convolutional front end, then two LSTM layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.recurrence = _Recurrence(config, hidden=11 * config.width // 8)

    def body(self, x: Tensor) -> Tensor:
        result: Tensor = self.recurrence(x)
        return result


class LstmNetwork(Network):
    """Two LSTM layers on the samples themselves: no convolution, each token projects those since the last one."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.front_end = _StackedSamples(config.inputs, config.width, config.dilation)
        self.recurrence = _Recurrence(config, hidden=3 * config.width // 2)

    def body(self, x: Tensor) -> Tensor:
        result: Tensor = self.recurrence(x)
        return result


class TcnNetwork(Network):
    """Residual blocks of dilated causal convolutions, after Bai et al. 2018, arXiv:1803.01271."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.blocks = nn.Sequential(*(_TcnBlock(config, 2**block) for block in range(TCN_BLOCKS)))

    def body(self, x: Tensor) -> Tensor:
        result: Tensor = self.blocks(x)
        return result


class GeluTransformer(GegluTransformer):
    """The same Transformer with a plain GELU feed-forward: half as wide again, so of equal weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            layer.feedforward = _GeluFeedForward(config.width, 3 * config.feedforward // 2)  # type: ignore[assignment]


class _GeluFeedForward(nn.Module):
    """W2 GELU(W1 x) over the last axis: [..., width] -> [..., width]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.output = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.output(gelu(self.hidden(x), approximate="tanh"))
        return result


class _StackedSamples(nn.Module):
    """Linear projection of the newest ``count`` samples: [batch, samples, inputs] -> [batch, chosen samples, width]."""

    def __init__(self, inputs: int, width: int, count: int) -> None:
        super().__init__()
        self.projection = nn.Conv1d(inputs, width, count)

    def forward(self, x: Tensor, start: int = 0, stride: int = 1) -> Tensor:
        return causal(self.projection, x, start, stride)


class _Recurrence(nn.Module):
    """Two LSTM layers, projected to the width of a token: [batch, tokens, width], same shape out."""

    def __init__(self, config: ModelConfig, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.width, hidden, num_layers=2, dropout=config.dropout, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.output(self.dropout(self.lstm(x)[0]))
        return result


class _TcnBlock(nn.Module):
    """Pre-norm, two dilated causal convolutions, a residual: [batch, tokens, width], same shape out."""

    def __init__(self, config: ModelConfig, dilation: int) -> None:
        super().__init__()
        self.reach = (TCN_KERNEL - 1) * dilation
        self.norm = nn.LayerNorm(config.width)
        self.first = nn.Conv1d(config.width, config.width, TCN_KERNEL, dilation=dilation)
        self.second = nn.Conv1d(config.width, config.width, TCN_KERNEL, dilation=dilation)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).transpose(1, 2)
        y = self.dropout(gelu(self.first(pad(y, (self.reach, 0))), approximate="tanh"))
        y = self.dropout(self.second(pad(y, (self.reach, 0))))
        result: Tensor = x + y.transpose(1, 2)
        return result


def _hidden_layer(inputs: int, outputs: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.GELU(approximate="tanh")
