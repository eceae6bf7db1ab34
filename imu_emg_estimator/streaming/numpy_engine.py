"""The engine of a robot that has nothing but NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imu_emg_estimator.model.configuration import ROTARY_BASE, ModelConfig
from imu_emg_estimator.streaming.engine import Engine, Float32

NORM_EPSILON = np.float32(1e-5)
GELU_SCALE = np.float32(np.sqrt(2 / np.pi))


def make(config: ModelConfig, weights: Mapping[str, Float32], threads: int) -> Engine:
    """See ``engine.make_engine``; the threads of NumPy's BLAS are set before it is loaded, by OMP_NUM_THREADS."""
    return NumpyEngine(config, weights)


class NumpyEngine:
    """Streaming steps of the causal GEGLU-Transformer.

    Args:
        config: shape of the network.
        weights: float32 tensors by name, as in a Bundle.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Float32]) -> None:
        self.config = config
        # [width, kernel * inputs], taps in order of time: one dot product with the flattened history.
        self._convolution = np.ascontiguousarray(
            weights["front_end.convolution.weight"].transpose(0, 2, 1).reshape(config.width, -1)
        )
        self._convolution_bias = weights["front_end.convolution.bias"]
        self._layers = [_Layer(config, weights, f"layers.{index}.") for index in range(config.layers)]
        self._norm = (weights["norm.weight"], weights["norm.bias"])
        self._heads = np.concatenate([weights["head.weight"], weights["deviation_head.weight"]])
        self._heads_bias = np.concatenate([weights["head.bias"], weights["deviation_head.bias"]])
        self._frequency = ROTARY_BASE ** (-np.arange(0, config.head_width, 2, dtype=np.float64) / config.head_width)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen so far."""
        self.steps = 0
        self._history = np.zeros((self.config.kernel, self.config.inputs), dtype=np.float32)
        for layer in self._layers:
            layer.reset()

    def step(self, features: Float32) -> tuple[Float32, Float32]:
        """Feature row [inputs] -> mean and log standard deviation, each [muscles]."""
        self._history[:-1] = self._history[1:]
        self._history[-1] = features
        x = _gelu(self._convolution @ self._history.ravel() + self._convolution_bias)
        # Phases in float64: after an hour their float32 rounding would be larger than the rotation itself.
        angle = self.steps // self.config.dilation * self._frequency
        cosine, sine = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        for layer in self._layers:
            x = layer.step(x, self.steps, cosine, sine)
        outputs = self._heads @ _layer_norm(x, *self._norm) + self._heads_bias
        self.steps += 1
        return outputs[: self.config.muscles], outputs[self.config.muscles :]


class _Layer:
    """One encoder layer with its ring buffers of keys and values."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Float32], prefix: str) -> None:
        self._band = config.band
        self._dilation = config.dilation
        self._shape = (config.heads, config.head_width)
        self._scale = np.float32(config.head_width**-0.5)

        def pair(name: str) -> tuple[Float32, Float32]:
            return weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]

        self._attention_norm = pair("attention_norm")
        self._query_key_value = pair("attention.query_key_value")
        self._attention_output = pair("attention.output")
        self._feedforward_norm = pair("feedforward_norm")
        self._gate_and_value = pair("feedforward.gate_and_value")
        self._feedforward_output = pair("feedforward.output")
        self.reset()

    def reset(self) -> None:
        heads, head_width = self._shape
        # One ring for each of the interleaved sequences: a token attends to its own alone.
        self._keys = np.zeros((self._dilation, heads, self._band, head_width), dtype=np.float32)
        self._values = np.zeros_like(self._keys)

    def step(self, x: Float32, position: int, cosine: Float32, sine: Float32) -> Float32:
        x = x + self._attend(_layer_norm(x, *self._attention_norm), position, cosine, sine)
        gate_and_value = _linear(_layer_norm(x, *self._feedforward_norm), self._gate_and_value)
        gate, value = np.split(gate_and_value, 2)
        return x + _linear(_gelu(gate) * value, self._feedforward_output)

    def _attend(self, x: Float32, position: int, cosine: Float32, sine: Float32) -> Float32:
        query, key, value = _linear(x, self._query_key_value).reshape(3, *self._shape)
        token, sequence = divmod(position, self._dilation)
        keys, values = self._keys[sequence], self._values[sequence]
        slot, filled = token % self._band, min(token + 1, self._band)
        keys[:, slot] = _rotate(key, cosine, sine)
        values[:, slot] = value
        # The order of the ring does not matter: rotary keys carry their own position.
        scores = (keys[:, :filled] @ _rotate(query, cosine, sine)[..., None])[..., 0] * self._scale
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        attended = (share[:, None] @ values[:, :filled])[:, 0]
        return _linear(attended.ravel(), self._attention_output)


def _linear(x: Float32, weight_and_bias: tuple[Float32, Float32]) -> Float32:
    weight, bias = weight_and_bias
    result: Float32 = weight @ x + bias
    return result


def _layer_norm(x: Float32, weight: Float32, bias: Float32) -> Float32:
    centred = x - x.mean()
    result: Float32 = centred / np.sqrt((centred * centred).mean() + NORM_EPSILON) * weight + bias
    return result


def _gelu(x: Float32) -> Float32:
    """The tanh form, as in training."""
    result: Float32 = np.float32(0.5) * x * (1 + np.tanh(GELU_SCALE * (x + np.float32(0.044715) * x * x * x)))
    return result


def _rotate(x: Float32, cosine: Float32, sine: Float32) -> Float32:
    """Rotate the pairs (first half, second half) of the last axis."""
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
