"""Engine: computes the network one sample at a time, with whichever library is installed.

A step equals the banded forward pass over the whole sequence, at the cost of
one token: the keys and values that it attends to are kept from step to step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.streaming.engine_trial import crash_of
from imu_emg_estimator.utils.optional_packages import install_command, needs

Float32 = NDArray[np.float32]
Maker = Callable[[ModelConfig, Mapping[str, Float32], int], "Engine"]

ENGINES = ("onnx", "numpy", "torch")  # fastest first
AUTO = "auto"
FALLBACK = "numpy"  # whose library everything needs
LIBRARY = {"onnx": "onnxruntime", "numpy": "numpy", "torch": "torch"}

_skipped: dict[str, str] = {}  # engine: why ``auto`` passes it over in this process


class EngineWarning(RuntimeWarning):
    """A faster engine is installed, but does not work here."""


class Engine(Protocol):
    """Streaming steps of the causal GEGLU-Transformer; for one thread at a time.

    Attributes:
        name: one of ENGINES.
        steps: rows taken since the start or the last reset; may be set before the first step, and positions
            then count from there.
    """

    name: str
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
        name: one of ENGINES, or ``auto`` for the fastest that works here; ``skipped_engines`` tells which did not.
        threads: number that a step may use; one is best for networks of this size.

    Raises:
        InputError: there is no such engine, or its library is not installed or cannot be loaded.
    """
    available = available_engines()
    if name == AUTO:
        return _first_that_works(available, config, weights, threads)
    if name not in ENGINES:
        raise InputError(f"engine '{name}' does not exist; give {AUTO}, {', '.join(ENGINES)}")
    if name not in available:
        raise InputError(f"engine '{name}' {needs(LIBRARY[name])}; or give '{AUTO}'")
    try:
        return load_maker(name)(config, weights, threads)
    except Exception as error:  # of whatever kind a library raises
        raise InputError(
            f"engine '{name}' needs {LIBRARY[name]}, which cannot be loaded ({_one_line(error)}); "
            f"install it again or give '{AUTO}'"
        ) from None


def load_maker(name: str) -> Maker:
    """Import an engine: a robot need not load, or have, the libraries of the others."""
    maker: Maker = import_module(f"imu_emg_estimator.streaming.{name}_engine").make
    return maker


def skipped_engines() -> list[str]:
    """Return a sentence for each engine that ``auto`` has found not to work in this process."""
    return list(_skipped.values())


def _first_that_works(
    names: Sequence[str], config: ModelConfig, weights: Mapping[str, Float32], threads: int
) -> Engine:
    """Try one after the other: a library that is made for another NumPy or processor must not stop a robot."""
    for name in names:
        if name in _skipped:
            continue
        reason = "" if name == FALLBACK else crash_of(name, LIBRARY[name])
        if not reason:
            try:
                return load_maker(name)(config, weights, threads)
            except Exception as error:  # of whatever kind a library raises
                reason = _one_line(error)
        _skipped[name] = (
            f"{LIBRARY[name]} does not work here ({reason}), so another engine estimates, somewhat slower; install it "
            f"again: {install_command(LIBRARY[name])}"
        )
        warnings.warn(_skipped[name], EngineWarning, stacklevel=3)
    raise InputError(f"none of {', '.join(LIBRARY.values())} can be loaded; install one of them")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
