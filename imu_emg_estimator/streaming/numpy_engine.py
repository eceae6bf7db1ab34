"""The engine on NumPy, for robots that have no other library.

A step is about a hundred calls on small arrays, so its cost is the number of calls. Everything that does not
depend on the input is therefore done to the weights, once:

- Only normalisations read the stream between the layers, and they subtract its mean. So the stream is kept
  without its mean, by removing the mean from everything that is added to it, and a normalisation is reduced to
  one factor. Its own weights are folded into the matrix that follows.
- A bias is one more column of its matrix, for an input that is always 1.
- The pairs that rotary positions turn lie side by side: complex numbers, times a phase.
- GELU(x) ~ x (1 + tanh(s x + s c x^3)) / 2: the gates are scaled so that the argument is g (g g + k).

A step allocates nothing: results go to arrays made at the start.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.network_config import ROTARY_BASE, ModelConfig, fold_norms
from imu_emg_estimator.streaming.engine import Engine, Float32

NORM_EPSILON = 1e-5
GELU_SCALE, GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715
GATE_SCALE = (GELU_SCALE * GELU_CUBIC) ** (1 / 3)
GATE_OFFSET = np.float32(GELU_SCALE / GATE_SCALE)
ONE = np.float32(1.0)


def make(config: ModelConfig, weights: Mapping[str, Float32], threads: int) -> Engine:
    """See ``engine.make_engine``; NumPy's BLAS has one number of threads for the whole process."""
    with suppress(ImportError):  # no distribution of ROS has a key for it; the node has set OMP_NUM_THREADS by now
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads, user_api="blas")
    return NumpyEngine(config, weights)


class NumpyEngine:
    """Streaming steps of the causal GEGLU-Transformer.

    Args:
        config: shape of the network.
        weights: float32 tensors by name, as in a Bundle.
    """

    name = "numpy"

    def __init__(self, config: ModelConfig, weights: Mapping[str, Float32]) -> None:
        self._config = config
        wide = fold_norms(config.layers, weights)
        self._front_end = _FrontEnd(config, wide)
        self._layers = [_Layer(config, wide, f"layers.{index}.") for index in range(config.layers)]
        self._heads = _NormedLinear(wide, "head", "deviation_head")
        self._mean, self._log_deviation = np.split(self._heads.result, 2)
        frequency = ROTARY_BASE ** (-np.arange(0, config.head_width, 2, dtype=np.float64) / config.head_width)
        self._turn = 1j * frequency
        self._angle = np.empty_like(self._turn)
        self._phase = np.empty(config.width, dtype=np.complex64)  # of all queries, then of all keys
        self._phases = self._phase.reshape(2 * config.heads, -1)
        self.reset()

    def reset(self) -> None:
        """Forget all rows."""
        self.steps = 0
        self._token = -1
        self._front_end.reset()
        for layer in self._layers:
            layer.reset()

    def step(self, features: Float32) -> tuple[Float32, Float32]:
        """Take a feature row [inputs]; return mean and log standard deviation [muscles], valid until the next step."""
        token, sequence = divmod(self.steps, self._config.dilation)
        if token != self._token:
            self._set_phase(token)
        x = self._front_end.step(features)
        for layer in self._layers:
            layer.step(x, token, sequence, self._phase)
        self._heads.of(x)
        self.steps += 1
        return self._mean, self._log_deviation

    def _set_phase(self, token: int) -> None:
        # In complex128: after an hour float32 angles are coarser than the turn from token to token.
        np.multiply(self._turn, token, out=self._angle)
        np.exp(self._angle, out=self._angle)
        np.copyto(self._phases, self._angle, casting="same_kind")
        self._token = token


class _FrontEnd:
    """Convolution over the last samples, and GELU.

    Every row is written twice, ``kernel`` rows apart, so that the last ``kernel`` rows are always contiguous and in
    order.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, NDArray[np.float64]]) -> None:
        kernel, inputs = config.kernel, config.inputs
        # [width, kernel * inputs], taps in order of time.
        matrix = weights["front_end.convolution.weight"].transpose(0, 2, 1).reshape(config.width, -1)
        self._matrix = _float32(GATE_SCALE * matrix)
        self._bias = _float32(GATE_SCALE * weights["front_end.convolution.bias"])
        self._kernel = kernel
        self._rows = np.zeros((2 * kernel, inputs), dtype=np.float32)
        self._pairs = [self._rows[slot::kernel] for slot in range(kernel)]
        self._windows = [self._rows[slot + 1 : slot + 1 + kernel].reshape(-1) for slot in range(kernel)]
        self._gate = np.empty(config.width, dtype=np.float32)
        self._stream = np.empty(config.width, dtype=np.float32)
        self._half = np.float32(0.5 / GATE_SCALE)

    def reset(self) -> None:
        self._rows.fill(0.0)
        self._slot = 0

    def step(self, features: Float32) -> Float32:
        """Take a feature row [inputs]; return a token [width] without its mean."""
        slot, gate, stream = self._slot, self._gate, self._stream
        self._pairs[slot][:] = features
        np.dot(self._matrix, self._windows[slot], out=gate)
        np.add(gate, self._bias, out=gate)
        _gelu(gate, stream)
        np.multiply(stream, self._half, out=stream)
        np.subtract(stream, np.add.reduce(stream) / len(stream), out=stream)
        self._slot = (slot + 1) % self._kernel
        return stream


class _Layer:
    """One encoder layer with its ring buffers of keys and values."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, NDArray[np.float64]], prefix: str) -> None:
        heads, band, width = config.heads, config.band, config.head_width
        self._band = band
        normed = _NormedLinear(weights, f"{prefix}attention.query_key_value")
        normed.arrange(_side_by_side(config))
        normed.scale(slice(0, config.width), width**-0.5)  # of the scores, done to the queries
        self._query_key_value = normed
        query, key, value = normed.result.reshape(3, heads, width)
        self._query, self._key, self._value = query[..., None], key, value
        self._turned = normed.result[: 2 * config.width].view(np.complex64)
        # One ring for each of the interleaved sequences: a token attends only to its own.
        self._keys = np.zeros((config.dilation, heads, band, width), dtype=np.float32)
        # With a column of ones, which gives the sum of the attention weights.
        self._values = np.ones((config.dilation, heads, band, width + 1), dtype=np.float32)
        self._scores = np.empty((heads, band, 1), dtype=np.float32)
        self._share = self._scores.reshape(heads, 1, band)
        self._extreme = np.empty((heads, 1, 1), dtype=np.float32)
        self._sums = np.empty((heads, 1, width + 1), dtype=np.float32)
        self._attended, self._total = self._sums[..., :-1], self._sums[..., -1:]
        self._output = _Residual(weights, f"{prefix}attention.output")
        self._attention_input = self._output.input.reshape(heads, 1, width)

        self._gate_and_value = _NormedLinear(weights, f"{prefix}feedforward.gate_and_value")
        self._gate_and_value.scale(slice(0, config.feedforward), GATE_SCALE)
        self._gate, self._gated = np.split(self._gate_and_value.result, 2)
        self._feedforward_output = _Residual(weights, f"{prefix}feedforward.output", 0.5 / GATE_SCALE)

    def reset(self) -> None:
        self._keys.fill(0.0)
        self._values[..., :-1] = 0.0

    def step(self, x: Float32, token: int, sequence: int, phase: NDArray[np.complex64]) -> None:
        """Add this layer's output to the stream [width]."""
        self._query_key_value.of(x)
        self._attend(token, self._keys[sequence], self._values[sequence], phase)
        self._output.add_to(x)
        self._gate_and_value.of(x)
        product = self._feedforward_output.input
        _gelu(self._gate, product)
        np.multiply(product, self._gated, out=product)
        self._feedforward_output.add_to(x)

    def _attend(self, token: int, keys: Float32, values: Float32, phase: NDArray[np.complex64]) -> None:
        scores, extreme = self._scores, self._extreme
        np.multiply(self._turned, phase, out=self._turned)
        slot = token % self._band
        keys[:, slot] = self._key
        values[:, slot, :-1] = self._value
        # The order of the ring does not matter: rotary keys carry their own position.
        np.matmul(keys, self._query, out=scores)
        if token + 1 < self._band:
            scores[:, token + 1 :] = -np.inf
        np.maximum.reduce(scores, axis=1, out=extreme, keepdims=True)
        np.subtract(scores, extreme, out=scores)
        np.exp(scores, out=scores)
        np.matmul(self._share, values, out=self._sums)
        np.divide(self._attended, self._total, out=self._attention_input)


class _NormedLinear:
    """A normalisation of the stream and the linear layers that read it: one factor and one matrix.

    Attributes:
        result: [outputs] of all the layers, computed by ``of``.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float64]], *layers: str) -> None:
        weight = np.concatenate([weights[f"{layer}.weight"] for layer in layers])
        bias = np.concatenate([weights[f"{layer}.bias"] for layer in layers])
        self._matrix = _with_column(weight, bias)
        self.result = np.empty(len(bias), dtype=np.float32)
        self._input = np.ones(self._matrix.shape[1], dtype=np.float32)
        self._normed = self._input[:-1]
        self._width = len(self._normed)

    def arrange(self, order: NDArray[np.intp]) -> None:
        self._matrix = self._matrix[order]

    def scale(self, outputs: slice, factor: float) -> None:
        self._matrix[outputs] *= np.float32(factor)

    def of(self, x: Float32) -> None:
        """Compute ``result`` from a stream [width] without its mean."""
        factor = 1.0 / math.sqrt(float(np.dot(x, x)) / self._width + NORM_EPSILON)
        np.multiply(x, np.float32(factor), out=self._normed)
        np.dot(self._matrix, self._input, out=self.result)


class _Residual:
    """A linear layer whose result is added to the stream, without its mean.

    Attributes:
        input: [inputs], to be filled in by the caller.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float64]], layer: str, factor: float = 1.0) -> None:
        weight, bias = factor * weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        self._matrix = _with_column(weight - weight.mean(axis=0), bias - bias.mean())
        extended = np.ones(self._matrix.shape[1], dtype=np.float32)
        self._extended, self.input = extended, extended[:-1]
        self._result = np.empty(len(bias), dtype=np.float32)

    def add_to(self, x: Float32) -> None:
        np.dot(self._matrix, self._extended, out=self._result)
        np.add(x, self._result, out=x)


def _gelu(gate: Float32, out: Float32) -> None:
    """Compute 2 GATE_SCALE GELU(x), in the tanh form as in training, of a gate that holds GATE_SCALE x."""
    np.multiply(gate, gate, out=out)
    np.add(out, GATE_OFFSET, out=out)
    np.multiply(out, gate, out=out)
    np.tanh(out, out=out)
    np.add(out, ONE, out=out)
    np.multiply(out, gate, out=out)


def _side_by_side(config: ModelConfig) -> NDArray[np.intp]:
    """Return the order of queries, keys and values in which each pair that is turned lies side by side."""
    outputs = np.arange(3 * config.width).reshape(3, config.heads, 2, config.head_width // 2)
    outputs[:2] = outputs[:2].swapaxes(2, 3).reshape(outputs[:2].shape)
    return outputs.ravel()


def _with_column(matrix: NDArray[np.float64], column: NDArray[np.float64]) -> Float32:
    return _float32(np.concatenate([matrix, column[:, None]], axis=1))


def _float32(values: NDArray[np.float64]) -> Float32:
    return np.ascontiguousarray(values, dtype=np.float32)
