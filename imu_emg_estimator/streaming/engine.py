"""Engine: computes the network one sample at a time, with whichever library is installed.

A step equals the banded forward pass over the whole sequence, at the cost of
one token: the keys and values that it attends to are kept from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.network_config import ModelConfig

Float32 = NDArray[np.float32]
Maker = Callable[[ModelConfig, Mapping[str, Float32], int], "Engine"]

ENGINES = ("onnx", "numpy", "torch")  # fastest first
AUTO = "auto"
LIBRARY = {"onnx": "onnxruntime", "numpy": "numpy", "torch": "torch"}


class Engine(Protocol):
    """Streaming steps of the causal GEGLU-Transformer; for one thread at a time.

    Attributes:
        steps: rows taken since the start or the last reset; may be set before the first step, and positions
            then count from there.
    """

    steps: int

    def reset(self) -> None:
        """Forget all rows."""

    def step(self, features: Float32) -> tuple[Float32, Float32]:
        """Take one row.

        Args:
            features: [inputs], see ``masked_imu_features.features``; copied.

        Returns:
            Mean and log standard deviation, each [muscles]; the next step may overwrite them.
        """


def available_engines() -> list[str]:
    """List the engines whose library is installed, fastest first."""
    return [name for name in ENGINES if find_spec(LIBRARY[name]) is not None]


def make_engine(config: ModelConfig, weights: Mapping[str, Float32], name: str = AUTO, threads: int = 1) -> Engine:
    """Make an engine in its initial state.

    Args:
        config: shape of the network.
        weights: float32 tensors by name, as in a Bundle.
        name: one of ENGINES, or ``auto`` for the fastest that is installed.
        threads: number that a step may use; one is best for networks of this size.

    Raises:
        InputError: there is no such engine, or its library is not installed or cannot be loaded.
    """
    available = available_engines()
    if name == AUTO:
        return _first_that_loads(available)(config, weights, threads)
    if name not in ENGINES:
        raise InputError(f"engine '{name}' does not exist; give {AUTO}, {', '.join(ENGINES)}")
    if name not in available:
        raise InputError(f"engine '{name}' needs {LIBRARY[name]}, which is not installed; install it or give '{AUTO}'")
    try:
        return _maker(name)(config, weights, threads)
    except ImportError as error:
        raise InputError(
            f"engine '{name}' needs {LIBRARY[name]}, which cannot be loaded ({error}); "
            f"install it again or give '{AUTO}'"
        ) from None


def _first_that_loads(names: Sequence[str]) -> Maker:
    for name in names:
        # A library built for another NumPy, or one that lacks a library itself, must not stop a robot.
        with suppress(ImportError):
            return _maker(name)
    raise InputError(f"none of {', '.join(LIBRARY.values())} can be loaded; install one of them")


def _maker(name: str) -> Maker:
    # Imported only when chosen: a robot need not load, or have, the libraries of the others.
    maker: Maker = import_module(f"imu_emg_estimator.streaming.{name}_engine").make
    return maker
