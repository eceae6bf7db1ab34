"""One training on several processes, GPUs or machines: what ``torchrun`` starts, each with its share of every batch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from imu_emg_estimator.errors import InputError


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that ``torchrun`` has started; all but the first are silent. Else there is only this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            out, err = (sys.stdout, sys.stderr) if rank() == 0 else (nowhere, nowhere)
            with redirect_stdout(out), redirect_stderr(err):
                yield
    finally:
        distributed.destroy_process_group()


def processes() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0; the first one writes files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def check_share(units: int) -> None:
    """Raise InputError where a batch has fewer units than there are processes."""
    if processes() > units:
        raise InputError(f"{processes()} processes cannot share the {units} parts of a batch; start {units} at most")


def own_share(batch: Sequence[NDArray[Any]], units: int) -> tuple[list[NDArray[Any]], float]:
    """Return this process's rows of a batch, and the factor of its loss in the mean over processes.

    Args:
        batch: arrays [rows, ...].
        units: equal parts of the rows that must stay together: single sequences, or episodes.
    """
    if processes() == 1:
        return list(batch), 1.0
    rows = np.arange(len(batch[0])).reshape(units, -1)[rank() :: processes()].ravel()
    return [array[rows] for array in batch], len(rows) * processes() / len(batch[0])


def shared_loss(model: nn.Module, loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the loss such that its gradients are the mean over all processes."""
    return DistributedDataParallel(_Loss(model, loss)) if distributed.is_initialized() else loss


class _Loss(nn.Module):
    """The loss as a module that holds the model whose gradients are shared."""

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self._loss = model, loss

    def forward(self, *arguments: Any) -> Tensor:
        return self._loss(*arguments)


def mean_over_processes(value: Tensor) -> float:
    """Return the mean of a number."""
    value = value.detach().clone()
    if distributed.is_initialized():
        distributed.all_reduce(value)
    return float(value) / processes()


def gathered(state: Tensor) -> list[Tensor]:
    """Return the tensor [values] of every process, which is on the CPU."""
    if not distributed.is_initialized():
        return [state]
    own = state.cuda() if torch.cuda.is_available() else state
    parts = [torch.empty_like(own) for _ in range(processes())]
    distributed.all_gather(parts, own)
    return [part.cpu() for part in parts]
