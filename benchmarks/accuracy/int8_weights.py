"""Int8 weights: a network in little more than a quarter of the bytes.

Symmetric, one scale per output channel, as is usual for weights (Jacob et al. 2018, arXiv:1712.05877). Only the
weights are quantised, not the activations: the arithmetic stays in float32, so this measures the effect of int8 on
accuracy and memory, but not that of integer arithmetic.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from imu_emg_estimator.model.causal_network import Network, weights_of

MAX_LEVEL = 127  # without -128, so that the grid is symmetric


@dataclass(frozen=True)
class Int8Weights:
    """Int8 weights of a network by name.

    Attributes:
        integers: [outputs, ...] of linear layers, convolutions and recurrences.
        scales: [outputs] weight per integer step, for each of ``integers``.
        floats: the unchanged rest: biases and normalisation layers.
    """

    integers: Mapping[str, NDArray[np.int8]]
    scales: Mapping[str, NDArray[np.float32]]
    floats: Mapping[str, NDArray[np.float32]]

    @property
    def nbytes(self) -> int:
        """Return the size of the weights [bytes]."""
        return sum(array.nbytes for part in (self.integers, self.scales, self.floats) for array in part.values())


def to_int8(weights: Mapping[str, NDArray[np.float32]]) -> Int8Weights:
    """Round weights with an output channel and inputs to the int8 grid; see ``weights_of``."""
    matrices = {name: value for name, value in weights.items() if value.ndim > 1}
    scales = {name: _scale(value) for name, value in matrices.items()}
    integers = {name: np.rint(value / _beside(scales[name], value)) for name, value in matrices.items()}
    return Int8Weights(
        integers={name: value.astype(np.int8) for name, value in integers.items()},
        scales=scales,
        floats={name: value for name, value in weights.items() if name not in matrices},
    )


def from_int8(weights: Int8Weights) -> dict[str, NDArray[np.float32]]:
    """Convert back to float weights, as a Bundle or a network holds them."""
    matrices = {name: value * _beside(weights.scales[name], value) for name, value in weights.integers.items()}
    return {**matrices, **weights.floats}


def quantised(network: Network) -> Network:
    """Copy a network with its float weights rounded to the int8 grid: it estimates what the int8 version would.

    Weights are quantised, activations are not; see the module.
    """
    result = copy.deepcopy(network)
    weights = from_int8(to_int8(weights_of(network)))
    result.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
    return result.eval()


def _scale(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scale of each output channel by its largest weight; 1 where all are zero."""
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    return np.where(largest > 0, largest / MAX_LEVEL, 1.0).astype(np.float32)


def _beside(scale: NDArray[np.float32], weights: NDArray[np.generic]) -> NDArray[np.float32]:
    """Reshape scales [outputs] to multiply weights [outputs, ...]."""
    return scale.reshape(-1, *[1] * (weights.ndim - 1))
