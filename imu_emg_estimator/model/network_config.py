"""Shape and folding of the network's weights; free of torch, so that any engine can read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.json_values import from_decoded

ROTARY_BASE = 1000.0  # of the rotary angles' geometric series
LOG_DEVIATION_RANGE = (-5.0, 2.0)  # bounds of the network's uncertainty; beyond, a likelihood explodes


@dataclass(frozen=True)
class ModelConfig:
    """Hyperparameters of the causal GEGLU-Transformer.

    Attributes:
        inputs: channels of a sample, see ``masked_imu_features.features``.
        muscles: estimated muscles.
        width: size of a token.
        layers: encoder layers.
        heads: attention heads; width / heads must be even (rotary positions).
        band: tokens that a token attends to, itself included.
        dilation: samples between those tokens: 4 lets it attend to itself, the fourth sample before, the eighth ...
        kernel: samples that the convolutional front end sees, the newest included.
        feedforward: hidden size of the GEGLU feed-forward.
        look_ahead: samples by which an estimate lags its newest input; negative = a forecast.
        dropout: share of activations dropped while training.
    """

    inputs: int
    muscles: int
    width: int = 64
    layers: int = 3
    heads: int = 4
    band: int = 16
    dilation: int = 1
    kernel: int = 9
    feedforward: int = 128
    look_ahead: int = 3
    dropout: float = 0.1

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def context(self) -> int:
        """Number of samples that the attention of one layer spans."""
        return self.dilation * self.band

    @property
    def receptive_field(self) -> int:
        """Number of feature rows that an estimate can depend on."""
        return self.dilation * self.layers * (self.band - 1) + self.kernel

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> ModelConfig:
        """Build from decoded JSON; raises InputError unless every field is there, of its type and within bounds."""
        config = from_decoded(cls, values, "model configuration", optional=())
        if not isinstance(config.dropout, float):
            raise InputError(f"model configuration: dropout is {config.dropout!r}, not a decimal number")
        bounds = {
            "inputs": 4096,
            "muscles": 256,
            "width": 1024,
            "layers": 64,
            "heads": 64,
            "band": 8192,
            "dilation": 64,
            "kernel": 512,
            "feedforward": 8192,
        }
        for name, largest in bounds.items():
            if not 1 <= (value := getattr(config, name)) <= largest:
                raise InputError(f"model configuration: {name} is {value}, not within 1 to {largest}")
        if not -1000 <= config.look_ahead <= 1000 or not 0.0 <= config.dropout < 1.0:
            raise InputError("model configuration: look_ahead or dropout is out of bounds")
        if config.width % config.heads or config.head_width % 2:
            raise InputError(f"model configuration: width {config.width} does not split into {config.heads} even heads")
        return config


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of all weights of a GEGLU-Transformer of this configuration."""
    width, muscles = config.width, config.muscles
    shapes: dict[str, tuple[int, ...]] = {
        "front_end.convolution.weight": (width, config.inputs, config.kernel),
        "front_end.convolution.bias": (width,),
    }
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for norm in ("attention_norm", "feedforward_norm"):
            shapes[f"{prefix}{norm}.weight"] = shapes[f"{prefix}{norm}.bias"] = (width,)
        linear = {
            "attention.query_key_value": (3 * width, width),
            "attention.output": (width, width),
            "feedforward.gate_and_value": (2 * config.feedforward, width),
            "feedforward.output": (width, config.feedforward),
        }
        for name, shape in linear.items():
            shapes[f"{prefix}{name}.weight"], shapes[f"{prefix}{name}.bias"] = shape, shape[:1]
    shapes["norm.weight"] = shapes["norm.bias"] = (width,)
    for head in ("head", "deviation_head"):
        shapes[f"{head}.weight"], shapes[f"{head}.bias"] = (muscles, width), (muscles,)
    return shapes


def fold_norms(layers: int, weights: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[np.float64]]:
    """Fold the weights and biases of every normalisation into the linear layers that read it.

    Args:
        layers: of the encoder.
        weights: by name, as a Bundle holds them.

    Returns:
        Weights of a network whose normalisations have none.
    """
    folded = {name: value.astype(np.float64) for name, value in weights.items()}
    for norm, linear in _readers(layers):
        gain, offset = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
        folded[f"{linear}.bias"] += folded[f"{linear}.weight"] @ offset
        folded[f"{linear}.weight"] *= gain
    return {name: value for name, value in folded.items() if "norm." not in name}


def _readers(layers: int) -> Iterator[tuple[str, str]]:
    """Yield each normalisation with a linear layer that reads it."""
    for layer in range(layers):
        yield f"layers.{layer}.attention_norm", f"layers.{layer}.attention.query_key_value"
        yield f"layers.{layer}.feedforward_norm", f"layers.{layer}.feedforward.gate_and_value"
    yield "norm", "head"
    yield "norm", "deviation_head"
