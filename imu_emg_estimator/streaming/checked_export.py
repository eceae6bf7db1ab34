"""Export of a bundle to ONNX, checked against the engine that needs nothing but NumPy before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.onnx_export import bundle_to_onnx
from imu_emg_estimator.model.onnx_streaming_step import NEXT, state_shapes
from imu_emg_estimator.streaming.engine import LIBRARY, available_engines
from imu_emg_estimator.streaming.streaming_estimator import Prepared
from imu_emg_estimator.utils.atomic_files import write_atomically

TOLERANCE = 1e-4
ROWS = 50  # beside the receptive field
LATE = 1 << 20  # rows; hours, where phases in single precision would have gone wrong


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        size: of the file [bytes].
        rows: number of rows that it was checked on.
        largest_difference: between its outputs and those of the NumPy engine.
    """

    model_id: str
    size: int
    rows: int
    largest_difference: float


def export_bundle(bundle: Bundle, path: Path) -> Export:
    """Write the streaming step of a bundle as an ONNX file, whole and checked or not at all.

    Raises:
        InputError: ONNX Runtime is not installed, the file cannot be written, or it does not do what the bundle does.
    """
    if "onnx" not in available_engines():
        raise InputError(f"export needs {LIBRARY['onnx']} to check what it writes; pip install {LIBRARY['onnx']}")
    model = bundle_to_onnx(bundle)
    rows = made_up_rows(bundle)
    # np.max, because max() may lose a NaN.
    differences = [run_model(model, bundle, rows, start) - run_bundle(bundle, rows, start) for start in (0, LATE)]
    difference = float(np.max(np.abs(differences)))
    if not difference <= TOLERANCE:
        raise InputError(
            f"the export of {bundle.model_id} is off by {difference:.1e} in ONNX Runtime, so nothing was written; "
            "install another release of onnxruntime, and report this one"
        )
    write_atomically(path, model)
    return Export(bundle.model_id, len(model), 2 * len(rows), difference)


def made_up_rows(bundle: Bundle) -> NDArray[np.float32]:
    """Rows [rows, sensors, 6] as the network knows them, in which sensors and parts of them are missing."""
    generator = np.random.default_rng(0)
    mean, std = bundle.normalisation.mean, bundle.normalisation.std
    rows = mean + std * generator.standard_normal((bundle.config.receptive_field + ROWS, *mean.shape))
    gone = generator.random(rows.shape[:2]) < 0.05
    rows[gone] = np.nan
    rows[::7, 0, 3] = np.inf
    rows[::11, -1, 2] = -np.inf
    return rows.astype(np.float32)


def run_model(model: bytes, bundle: Bundle, rows: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """Activation and deviation [rows, 2 muscles] by an exported model, whose first row is the start-th."""
    from imu_emg_estimator.streaming.onnx_engine import make_session

    session = make_session(model, threads=1)
    states = {name: np.zeros(shape, dtype=np.float32) for name, shape in state_shapes(bundle.config).items()}
    names = ["activation", "deviation", *(name + NEXT for name in states)]
    outputs = []
    for step, row in enumerate(rows, start):
        activation, deviation, *following = session.run(names, {"imu": row, "step": np.array([step]), **states})
        states = dict(zip(states, following, strict=True))
        outputs.append(np.concatenate([activation, deviation]))
    return np.array(outputs)


def run_bundle(bundle: Bundle, rows: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """The same by the NumPy engine."""
    prepared = Prepared(bundle, "numpy")
    prepared.engine.steps = start
    return np.array([np.concatenate(prepared.step(row)) for row in rows])
