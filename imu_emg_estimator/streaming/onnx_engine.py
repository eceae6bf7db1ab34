"""The engine on ONNX Runtime: the whole step is one call into compiled code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by the import below
import onnxruntime

from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.onnx_streaming_step import NEXT, state_shapes, step_model, step_weights
from imu_emg_estimator.streaming.engine import Engine, Float32

LOG_ERRORS_ONLY = 3  # severity level of ONNX Runtime


def make(config: ModelConfig, weights: Mapping[str, Float32], threads: int) -> Engine:
    """See ``engine.make_engine``."""
    return OnnxEngine(config, weights, threads)


class OnnxEngine:
    """Streaming steps on arrays that are bound once: nothing is copied in or out, rings are written in place.

    Weights are bound, too, so that networks of one shape share a session: making a session holds Python's lock for
    ten milliseconds, which would delay a thread that steps another engine meanwhile.
    """

    name = "onnx"

    def __init__(self, config: ModelConfig, weights: Mapping[str, Float32], threads: int = 1) -> None:
        self._session = _shared_session(config, threads)
        self._states = {name: np.zeros(shape, dtype=np.float32) for name, shape in state_shapes(config).items()}
        self._features = np.zeros((1, config.inputs), dtype=np.float32)
        self._step = np.zeros(1, dtype=np.int64)
        mean, log_deviation = np.zeros((2, 1, config.muscles), dtype=np.float32)
        self._mean, self._log_deviation = mean[0], log_deviation[0]
        inputs: dict[str, NDArray[Any]] = {"features": self._features, "step": self._step, **self._states}
        inputs |= step_weights(config, weights)
        outputs = {name + NEXT: array for name, array in self._states.items()}
        outputs |= {"mean": mean, "log_deviation": log_deviation}
        self._binding = bind(self._session, inputs, outputs)
        self._bound = (inputs, outputs)  # ONNX Runtime does not keep them alive
        self.steps = 0

    def reset(self) -> None:
        """Forget all rows."""
        self.steps = 0
        for array in self._states.values():
            array.fill(0.0)

    def step(self, features: Float32) -> tuple[Float32, Float32]:
        """Take a feature row [inputs]; return mean and log standard deviation [muscles], valid until the next step."""
        self._features[0] = features
        self._step[0] = self.steps
        self._session.run_with_iobinding(self._binding)
        self.steps += 1
        return self._mean, self._log_deviation


@lru_cache(maxsize=4)
def _shared_session(config: ModelConfig, threads: int) -> Any:
    """Return the session for a shape; threads may run it side by side, each with its own binding."""
    return make_session(step_model(config), threads)


def make_session(model: bytes, threads: int) -> Any:
    """Make a session that runs a model on this number of threads, none of which spins."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_reuse = False  # saves a few kB, and makes a step 4 % slower
    options.log_severity_level = LOG_ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bind(session: Any, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]) -> Any:
    """Bind a session to arrays by name; the caller must keep the arrays as long as the binding."""
    binding = session.io_binding()
    for bind_one, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
        for name, array in arrays.items():
            bind_one(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
    return binding
