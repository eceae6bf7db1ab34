"""Adapters: small sets of parameters that change a network for a subject, and fold back into its weights.

Each is put onto a network as parametrisations of its weights, so that training sees no difference; ``fold`` then
writes the changed weights into their places, and nothing that runs the network needs to know of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from imu_emg_estimator.model.causal_network import Network
from imu_emg_estimator.recording import FloatArray


class LowRank(nn.Module):
    """LoRA: a weight [rows, ...] plus a product of two thin matrices, initially zero.

    Source: Hu et al. 2021, arXiv:2106.09685.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.flatten(1).shape
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


class Embedding(nn.Module):
    """Embedding of the subject [size]; zero for an unknown subject."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(size))


class Modulation(nn.Module):
    """A weight plus fixed directions [..., size] times the subject's embedding [size]."""

    def __init__(self, embedding: Embedding, directions: Tensor) -> None:
        super().__init__()
        self.embedding = embedding
        self.directions = nn.Parameter(directions, requires_grad=False)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.directions @ self.embedding.value


def add_low_rank(network: Network, rank: int) -> list[nn.Parameter]:
    """Add LoRA to every linear layer and convolution; return the trainable parameters, biases of the heads included."""
    added: list[nn.Parameter] = []
    for module in list(network.modules()):
        if isinstance(module, (nn.Linear, nn.Conv1d)):
            low_rank = LowRank(module.weight, rank)
            parametrize.register_parametrization(module, "weight", low_rank)
            added.extend(low_rank.parameters())
    biases = [head.bias for head in (network.head, network.deviation_head)]
    return [*added, *biases]


def add_film(network: Network, directions: Mapping[str, FloatArray]) -> Embedding:
    """FiLM: gains and offsets of the normalisation layers depend linearly on the subject's embedding.

    The modulation acts on what a normalisation layer gives, so it folds into that layer's weight and bias exactly.

    Args:
        directions: by name of the gain or offset [width]: how it changes with the embedding, [width, size].

    Source: Perez et al. 2018, arXiv:1709.07871.
    """
    embedding = Embedding(next(iter(directions.values())).shape[1])
    for name, direction in directions.items():
        path, _, attribute = name.rpartition(".")
        parametrize.register_parametrization(
            network.get_submodule(path), attribute, Modulation(embedding, torch.tensor(direction, dtype=torch.float32))
        )
    return embedding


def fold(network: Network) -> Network:
    """Fold the adapters into the weights in place, and remove them."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return network


def norm_parameters(network: Network) -> dict[str, nn.Parameter]:
    """Return gains and offsets of all normalisation layers by name."""
    return {
        f"{path}.{name}": parameter
        for path, module in network.named_modules()
        if isinstance(module, nn.LayerNorm)
        for name, parameter in module.named_parameters(recurse=False)
    }


def biases(network: Network) -> dict[str, nn.Parameter]:
    """Return all biases by name."""
    return {name: parameter for name, parameter in network.named_parameters() if name.rpartition(".")[2] == "bias"}
