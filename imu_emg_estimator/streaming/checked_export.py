"""Export a bundle to ONNX, after checking the model against the NumPy engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.onnx_export import bundle_to_onnx
from imu_emg_estimator.model.onnx_streaming_step import NEXT, state_shapes
from imu_emg_estimator.streaming.engine import LIBRARY, available_engines
from imu_emg_estimator.streaming.streaming_estimator import PreparedBundle
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.optional_packages import needs

TOLERANCE = 1e-4
EXTRA_ROWS = 50  # beyond the receptive field
LATE_STEP = 1 << 20  # hours after the start, where phases in single precision would be wrong


@dataclass(frozen=True)
class Export:
    """A file that was written.

    Attributes:
        size: of the file [bytes].
        rows: number of rows that the model was checked on.
        largest_difference: between its outputs and those of the NumPy engine.
    """

    model_id: str
    size: int
    rows: int
    largest_difference: float


def export_bundle(bundle: Bundle, path: Path) -> Export:
    """Write the streaming step of a bundle as an ONNX file, unless its check fails.

    Raises:
        InputError: ONNX Runtime is not installed, the file cannot be written, or the model's outputs differ from the
            bundle's.
    """
    if "onnx" not in available_engines():
        raise InputError(f"export, to check what it writes, {needs(LIBRARY['onnx'])}")
    model = bundle_to_onnx(bundle)
    rows = random_rows(bundle)
    # np.max, because max() may lose a NaN.
    differences = [run_model(model, bundle, rows, start) - run_bundle(bundle, rows, start) for start in (0, LATE_STEP)]
    difference = float(np.max(np.abs(differences)))
    if not difference <= TOLERANCE:
        raise InputError(
            f"the export of {bundle.model_id} is off by {difference:.1e} in ONNX Runtime, so nothing was written; "
            "install another release of onnxruntime, and report this one as a bug"
        )
    write_atomically(path, model)
    return Export(bundle.model_id, len(model), 2 * len(rows), difference)


def random_rows(bundle: Bundle) -> NDArray[np.float32]:
    """Draw rows [rows, sensors, 6] like the training data, in which sensors and parts of sensors are missing."""
    generator = np.random.default_rng(0)
    mean, std = bundle.normalisation.mean, bundle.normalisation.std
    rows = mean + std * generator.standard_normal((bundle.config.receptive_field + EXTRA_ROWS, *mean.shape))
    missing = generator.random(rows.shape[:2]) < 0.05
    rows[missing] = np.nan
    rows[::7, 0, 3] = np.inf
    rows[::11, -1, 2] = -np.inf
    return rows.astype(np.float32)


def run_model(model: bytes, bundle: Bundle, rows: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """Run an exported model from the step ``start`` on; return activation and deviation [rows, 2 muscles]."""
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
    """Do the same with the NumPy engine; the factor for missing sensors is not in the graph."""
    prepared = PreparedBundle(replace(bundle, subset_figures=None), "numpy")
    prepared.engine.steps = start
    return np.array([np.concatenate(prepared.step(row)) for row in rows])
