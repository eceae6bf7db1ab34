"""Lower bound of a step's time: its multiplications at the rate of this machine.

``python -m benchmarks.latency.arithmetic_floor MULTIPLY_ADDS`` measures in a process of its own and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from imu_emg_estimator.model.network_config import ModelConfig

COLUMNS = 256  # of the matrix: about the width of a layer's products
MATRIX = 512  # rows and columns of the matrix product
TRIALS = 200
LOOP = 20_000  # additions of the interpreter's own yardstick


def multiply_adds(config: ModelConfig) -> int:
    """Count the multiply-adds of one streaming step with a full band."""
    width, feedforward = config.width, config.feedforward
    attention = 4 * width * width + 2 * config.band * width
    layer = attention + 3 * width * feedforward
    return config.kernel * config.inputs * width + config.layers * layer + 2 * config.muscles * width


def measure(count: int) -> dict[str, Any]:
    """Measure the time of so many multiply-adds on this machine, on one thread.

    Returns:
        ``gemv_us``: median time of a matrix times a vector with as many [us], the floor of a step;
        ``gemv_gflops``, ``gemm_gflops``: rates of this and of a product of two matrices;
        ``interpreter_us``: a fixed loop in Python, for the part of a node's cost that is not arithmetic.
    """
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((max(1, count // COLUMNS), COLUMNS)).astype(np.float32)
    vector, result = matrix[0].copy(), np.empty(len(matrix), np.float32)
    gemv = _median(lambda: np.dot(matrix, vector, out=result), TRIALS)
    square = generator.standard_normal((MATRIX, MATRIX)).astype(np.float32)
    product = np.empty_like(square)
    gemm = _median(lambda: np.dot(square, square, out=product), max(5, TRIALS // 10))
    return {
        "multiply_adds": count,
        "gemv_us": 1e6 * gemv,
        "gemv_gflops": 2e-9 * matrix.size / gemv,
        "gemm_gflops": 2e-9 * MATRIX**3 / gemm,
        "interpreter_us": 1e6 * _median(_loop, max(5, TRIALS // 10)),
    }


def _loop() -> int:
    total = 0
    for index in range(LOOP):
        total += index
    return total


def _median(action: Callable[[], Any], trials: int) -> float:
    """Return the median time of a call [s]."""
    times = []
    for _ in range(trials):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
