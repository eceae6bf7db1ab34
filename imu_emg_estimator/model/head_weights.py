"""The weights and the bias of a network's linear heads as one array."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from imu_emg_estimator.recording import FloatArray


def head_weights(head: nn.Linear) -> FloatArray:
    """Join weights and bias of a head into one array [muscles, width + 1]."""
    return np.concatenate([head.weight.detach().numpy(), head.bias.detach().numpy()[:, None]], axis=1)


@torch.no_grad()
def set_head_weights(head: nn.Linear, values: FloatArray) -> None:
    """Copy an array [muscles, width + 1] into weights and bias of a head."""
    head.weight.copy_(torch.from_numpy(values[:, :-1]))
    head.bias.copy_(torch.from_numpy(values[:, -1]))
