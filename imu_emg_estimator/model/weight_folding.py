"""Folding of the normalisations' weights into the linear layers that follow: the same network, less to compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray


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
