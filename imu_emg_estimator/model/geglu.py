"""GEGLU feed-forward: Wo [GELU(W1 x) * W2 x].

Source: Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202;
used for IMU to EMG in arXiv:2604.25670.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu


class GEGLU(nn.Module):
    """Gated feed-forward over the last axis: [..., width] -> [..., width]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_and_value = nn.Linear(width, 2 * hidden)
        self.output = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)
        product: Tensor = gelu(gate, approximate="tanh") * value
        return torch.as_tensor(self.output(product))
