"""Weights of 8 bits: a matrix takes a quarter of its bytes in a bundle's file, and is float32 again once loaded.

Symmetric, one scale per output channel (Jacob et al. 2018, arXiv:1712.05877). Only weights are rounded: the engines
compute in float32 as before, so that a step takes as long. A scale has 16 significant bits, so that its products with
up to 127 are exact: whether a matrix lies on the grid is seen from its values, and nothing is lost in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_LEVEL = 127  # without -128, so that the grid is symmetric
DROPPED_BITS = 8  # of the 24 significant bits of a scale
SCALE = ".scale"  # ends the name of the scales [outputs] of a matrix

Float32 = NDArray[np.float32]


def rounded(weights: Mapping[str, Float32]) -> dict[str, Float32]:
    """Round matrices [outputs, ...] to the grid; biases and normalisations stay as they are."""
    return {name: _on_grid(value) if value.ndim > 1 else value for name, value in weights.items()}


def packed(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Replace each float32 matrix that lies on the grid by its levels in 8 bits and its scales."""
    result = dict(tensors)
    for name, value in tensors.items():
        if value.dtype == np.float32 and value.ndim > 1 and _on_grid(value).tobytes() == value.tobytes():
            result |= {name: _levels(value), name + SCALE: _scales(value).reshape(-1)}
    return result


def unpacked(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Undo ``packed``; raises KeyError or ValueError where levels and scales do not fit."""
    result = dict(tensors)
    for name, value in tensors.items():
        if value.dtype == np.int8:
            result[name] = value * result.pop(name + SCALE).reshape(-1, *[1] * (value.ndim - 1))
    return result


def _on_grid(weights: Float32) -> Float32:
    return np.asarray(_levels(weights) * _scales(weights))


def _levels(weights: Float32) -> NDArray[np.int8]:
    return np.asarray(np.clip(np.rint(weights / _scales(weights)), -MAX_LEVEL, MAX_LEVEL), np.int8)


def _scales(weights: Float32) -> Float32:
    """Return the weight per level [outputs, 1, ...] by each output's largest weight; 1 where all are zero."""
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(MAX_LEVEL), np.float32(1.0)).astype(np.float32)
    bits = scale.view(np.uint32) + np.uint32(1 << (DROPPED_BITS - 1))
    return np.asarray(bits >> DROPPED_BITS << DROPPED_BITS).astype(np.uint32).view(np.float32)
