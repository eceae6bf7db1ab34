"""The engine on torch, made of the network's own layers: the reference for the other engines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from imu_emg_estimator.model.causal_network import EncoderLayer, GegluTransformer, rotate
from imu_emg_estimator.model.network_config import ROTARY_BASE, ModelConfig
from imu_emg_estimator.streaming.engine import Engine, Float32


def make(config: ModelConfig, weights: Mapping[str, Float32], threads: int) -> Engine:
    """See ``engine.make_engine``; torch has one number of threads for the whole process."""
    torch.set_num_threads(threads)
    return TorchEngine(config, weights)


class TorchEngine:
    """Streaming steps of the causal GEGLU-Transformer, eager."""

    name = "torch"

    def __init__(self, config: ModelConfig, weights: Mapping[str, Float32]) -> None:
        self._config = config
        self._network = GegluTransformer(config)
        self._network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        self._network.eval()
        self._frequency = ROTARY_BASE ** (
            -torch.arange(0, config.head_width, 2, dtype=torch.float64) / config.head_width
        )
        self.reset()

    def reset(self) -> None:
        """Forget all rows."""
        config = self._config
        self.steps = 0
        # [layers, keys and values, interleaved sequences, heads, band, head]
        self._rings = torch.zeros(config.layers, 2, config.dilation, config.heads, config.band, config.head_width)
        self._history = torch.zeros(1, config.kernel, config.inputs)

    @torch.inference_mode()
    def step(self, features: Float32) -> tuple[Float32, Float32]:
        """Take a feature row [inputs]; return mean and log standard deviation, each [muscles]."""
        network, config = self._network, self._config
        self._history = torch.cat([self._history[:, 1:], torch.tensor(features).reshape(1, 1, -1)], dim=1)
        token, sequence = divmod(self.steps, config.dilation)
        angle = token * self._frequency
        cosine, sine = angle.cos().float(), angle.sin().float()
        x = network.front_end(self._history, start=config.kernel - 1)[0]
        for layer, rings in zip(network.layers, self._rings[:, :, sequence], strict=True):
            assert isinstance(layer, EncoderLayer)
            x = x + self._attend(layer, layer.attention_norm(x), rings, token, cosine, sine)
            x = x + layer.feedforward(layer.feedforward_norm(x))
        x = network.norm(x)[0]
        self.steps += 1
        return network.head(x).numpy(), network.deviation_head(x).numpy()

    def _attend(
        self, layer: EncoderLayer, x: Tensor, rings: Tensor, token: int, cosine: Tensor, sine: Tensor
    ) -> Tensor:
        attention, band = layer.attention, self._config.band
        query, key, value = attention.query_key_value(x).reshape(3, self._config.heads, 1, -1)
        keys, values = rings
        keys[:, token % band] = rotate(key, cosine, sine)[:, 0]
        values[:, token % band] = value[:, 0]
        # The order of the ring does not matter: rotary keys carry their own position.
        filled = min(token + 1, band)
        attended = scaled_dot_product_attention(rotate(query, cosine, sine), keys[:, :filled], values[:, :filled])
        result: Tensor = attention.output(attended.reshape(1, -1))
        return result
