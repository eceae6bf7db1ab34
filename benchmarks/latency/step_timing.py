"""Timing of steps in its own process: ``python -m benchmarks.latency.step_timing JOB`` prints JSON.

JOB is JSON, see ``measure``. Besides the streaming engines there are two ways without state, in torch:
``window``, the usual way, runs the network on the whole window at every step; ``sequence`` runs it only on the
interleaved sequence of the newest sample, which requires knowledge of the network.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.arithmetic_floor import multiply_adds
from benchmarks.latency.latency_figures import percentiles
from benchmarks.latency.measured_processes import memory_of
from benchmarks.latency.random_bundles import made_up_motion
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.masked_imu_features import features

WINDOW, SEQUENCE = "window", "sequence"
ROWS = 512  # of input, repeated
WARM_UP_CALLS = 20
MIN_CALLS = 20  # that are timed

Step = Callable[[int], Any]


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Time an engine on several networks, one thread.

    Args:
        job: ``engine`` is a streaming engine, ``window`` or ``sequence``; ``seconds`` of timing for each case;
            ``cases`` name a ``bundle`` (path) and, for those without state, the ``rows`` of their window.

    Returns:
        ``start_s`` until the first network can step, imports included, ``memory`` then, and for every case the
        ``multiply_adds`` of a streaming step, and percentiles [us] of a ``step`` of the engine and of an
        ``estimate`` (features, motion and scaling with it).
    """
    began = time.perf_counter()
    first = _maker(job["engine"])(Bundle.load(Path(job["cases"][0]["bundle"])), job["cases"][0]["rows"])
    first[0](0)
    loaded = time.perf_counter() - began
    memory = memory_of(None)
    return {
        "engine": job["engine"],
        "start_s": loaded,
        "memory": memory,
        "cases": [_case(job["engine"], case, float(job["seconds"])) for case in job["cases"]],
    }


def _case(engine: str, case: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    bundle = Bundle.load(Path(case["bundle"]))
    step, estimate = _maker(engine)(bundle, case["rows"])
    # The time of a step is constant only once ring buffers and windows are full.
    full = bundle.config.context if estimate is not None else 0
    figures: dict[str, Any] = {"multiply_adds": multiply_adds(bundle.config)}
    figures["step"] = _timed(step, full + WARM_UP_CALLS, seconds)
    if estimate is not None:
        figures["estimate"] = _timed(estimate, full + WARM_UP_CALLS, seconds)
    return figures


def _maker(engine: str) -> Callable[[Bundle, int], tuple[Step, Step | None]]:
    if engine in (WINDOW, SEQUENCE):
        return lambda bundle, rows: (_whole_window(bundle, rows, engine == SEQUENCE), None)
    return lambda bundle, rows: _streaming(bundle, engine)


def _streaming(bundle: Bundle, name: str) -> tuple[Step, Step]:
    from imu_emg_estimator.streaming.engine import make_engine
    from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator

    engine = make_engine(bundle.config, bundle.weights, name)
    estimator = StreamingEstimator(bundle, name)
    motion = made_up_motion(bundle, ROWS)
    inputs = features(motion, bundle.normalisation)
    return lambda index: engine.step(inputs[index % ROWS]), lambda index: estimator.step(motion[index % ROWS])


def _whole_window(bundle: Bundle, rows: int, newest_sequence: bool) -> Step:
    import torch

    from imu_emg_estimator.model.causal_network import network_of

    torch.set_num_threads(1)
    network = network_of(bundle)
    inputs = features(made_up_motion(bundle, ROWS + rows), bundle.normalisation)
    phase = (rows - 1) % bundle.config.dilation if newest_sequence else None

    def step(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        window = torch.from_numpy(inputs[index % ROWS : index % ROWS + rows])[None]
        with torch.inference_mode():
            mean, deviation = network(window, phase)
        return mean[0, -1].numpy(), deviation[0, -1].numpy()

    return step


def _timed(step: Step, warm_up: int, seconds: float) -> dict[str, Any]:
    """Return percentiles [us] of the time of a call, and ``processor_p50`` of the processor time of all threads.

    Where other jobs run, long calls are interrupted more often than short ones: then the two differ, and only the
    second can be compared.
    """
    for index in range(warm_up):
        step(index)
    times: list[tuple[int, int]] = []
    end = time.perf_counter_ns() + round(1e9 * seconds)
    while len(times) < MIN_CALLS or time.perf_counter_ns() < end:
        used, began = time.process_time_ns(), time.perf_counter_ns()
        step(len(times))
        times.append((time.perf_counter_ns() - began, time.process_time_ns() - used))
    wall, processor = np.array(times).T / 1e3
    return {**percentiles(wall), "processor_p50": float(np.median(processor)), "calls": len(times)}


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
