"""The C++ example reproduces the estimates of Python on a file.

It needs ONNX Runtime for C++ where CMake finds it, or in the folder that ONNXRUNTIME_ROOT names.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.checked_export import TOLERANCE, export_bundle
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.utils.shipped_files import shipped_bundle

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp_onnx"
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cmake"):
        pytest.skip("CMake is not installed")
    folder = tmp_path_factory.mktemp("cpp_onnx")
    found = subprocess.run(["cmake", "-S", str(EXAMPLE), "-B", str(folder)], capture_output=True, text=True)
    if "ONNX Runtime for C++ is missing" in found.stderr:
        pytest.skip("ONNX Runtime for C++ is not here; set ONNXRUNTIME_ROOT to an unpacked release")
    assert found.returncode == 0, found.stderr
    run("cmake", "--build", str(folder))
    return folder / "estimate"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def write_rows(path: Path, imu: Array) -> None:
    """Write columns in the order of the rig; nan and an empty field both mean that a value is missing."""
    rows = [[f"{value:.9g}" if np.isfinite(value) else "" for value in row.ravel()] for row in imu]
    rows[0] = [field or "nan" for field in rows[0]]
    path.write_text("\n".join([",".join("channel" for _ in rows[0]), *map(",".join, rows)]) + "\n")


def read_estimates(path: Path) -> tuple[Sequence[str], Array]:
    header, *lines = path.read_text().splitlines()
    return header.split(","), np.array([[float(field) for field in line.split(",")] for line in lines])


@pytest.mark.parametrize("shipped", [True, False])
def test_estimate_equals_python(
    program: Path, make_bundle: BundleFactory, make_recording: RecordingFactory, tmp_path: Path, shipped: bool
) -> None:
    bundle = (
        replace(Bundle.load(shipped_bundle()), subset_figures=None) if shipped else make_bundle(look_ahead=0, kernel=1)
    )
    imu = make_recording([("standing", 2.0), ("walking", 10.0)]).imu.astype(np.float32)
    imu[:, 5, 3:], imu[200:230, 0], imu[300:302] = np.nan, np.nan, np.nan
    model, rows, estimates = (tmp_path / name for name in ("model.onnx", "rows.csv", "estimates.csv"))
    export_bundle(bundle, model)
    write_rows(rows, imu)
    assert bundle.model_id in run(str(program), str(model), str(rows), str(estimates))
    header, written = read_estimates(estimates)
    muscles = list(bundle.rig.muscle_names)
    assert header == ["row", *muscles, *(f"{muscle}_std" for muscle in muscles)]
    estimator = StreamingEstimator(bundle)
    expected = [[*each.activation, *each.deviation] for row in imu if (each := estimator.step(row))]
    np.testing.assert_array_equal(written[:, 0], np.arange(len(imu) - bundle.config.look_ahead))
    np.testing.assert_allclose(written[:, 1:], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("line", ["1,2", ",".join(["1"] * 37), ",".join(["1"] * 35 + ["one"])])
def test_estimate_refuses_malformed_line(program: Path, bundle: Bundle, tmp_path: Path, line: str) -> None:
    model, rows = tmp_path / "model.onnx", tmp_path / "rows.csv"
    export_bundle(bundle, model)
    rows.write_text(f"header\n{line}\n")
    done = subprocess.run([program, model, rows, tmp_path / "out.csv"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "36 numbers" in done.stderr
