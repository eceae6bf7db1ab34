"""Whatever engine: a step is the network's forward pass, at the cost of one sample and for hours."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, refusal
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.streaming import engine as engines
from imu_emg_estimator.streaming.engine import ENGINES, Engine, available_engines, make_engine

SAMPLES = 120
TOLERANCE = 2e-5
Float32 = NDArray[np.float32]
Start = Callable[[Bundle], Engine]


@pytest.fixture(params=ENGINES)
def start(request: pytest.FixtureRequest) -> Start:
    """Function that makes the engine of a bundle."""
    name: str = request.param
    if name not in available_engines():
        pytest.skip(f"{engines.LIBRARY[name]} is not installed")
    return lambda bundle: make_engine(bundle.config, bundle.weights, name)


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> Float32:
    return np.random.default_rng(2).standard_normal((SAMPLES, bundle.config.inputs)).astype(np.float32)


@torch.no_grad()
def offline(bundle: Bundle, rows: Float32) -> Float32:
    """Mean and log deviation [samples, 2 muscles] of the network over all rows at once."""
    return torch.cat(network_of(bundle)(torch.from_numpy(rows)[None]), dim=2)[0].numpy()


def stepped(engine: Engine, rows: Float32) -> Float32:
    return np.stack([np.concatenate(engine.step(row)) for row in rows])


def assert_equal(outputs: Float32, expected: Float32) -> None:
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"band": 1},
        {"kernel": 1},
        {"layers": 1, "heads": 1},
        {"heads": 8},
        {"band": 200, "layers": 3},
        {"band": 6, "dilation": 4},
        {"band": 1, "dilation": 7, "layers": 1},
        {"width": 24, "heads": 4, "feedforward": 7},
        {"width": 64, "layers": 3, "band": 16, "dilation": 4, "kernel": 17, "feedforward": 128},
    ],
    ids=str,
)
def test_engine_steps_equal_network(
    make_bundle: BundleFactory, start: Start, rows: Float32, shape: dict[str, int]
) -> None:
    bundle = make_bundle(**shape)
    engine = start(bundle)
    assert_equal(stepped(engine, rows), offline(bundle, rows))
    assert engine.steps == SAMPLES


def test_engine_reset_clears_state(bundle: Bundle, start: Start, rows: Float32) -> None:
    engine = start(bundle)
    stepped(engine, 100 * rows[::-1])
    engine.reset()
    assert engine.steps == 0
    assert_equal(stepped(engine, rows), offline(bundle, rows))


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("dilation", [1, 4])
def test_engine_positions_stay_exact_for_hours(
    make_bundle: BundleFactory, start: Start, rows: Float32, hours: int, dilation: int
) -> None:
    """With phases in single precision the error would be 0.01 after an hour."""
    bundle = make_bundle(dilation=dilation, band=6)
    engine = start(bundle)
    # An engine that starts there: a multiple of the dilation, so that its sequences are the network's.
    engine.steps = dilation * round(hours * 3600 * bundle.rig.rate)
    field = bundle.config.receptive_field  # before it, that engine has seen less
    assert_equal(stepped(engine, rows)[field:], offline(bundle, rows)[field:])


def test_engine_survives_large_attention_scores(bundle: Bundle, start: Start, rows: Float32) -> None:
    """Scores of hundreds, of both signs, which a share of e^score could not hold."""
    weights = {name: 10 * value if "query_key_value" in name else value for name, value in bundle.weights.items()}
    loud = replace(bundle, weights=weights)
    np.testing.assert_allclose(stepped(start(loud), rows), offline(loud, rows), rtol=0, atol=1e-3)


def test_engines_share_no_state(bundle: Bundle, start: Start, rows: Float32) -> None:
    one, other = start(bundle), start(bundle)
    together = [(np.concatenate(one.step(row)), np.concatenate(other.step(-row))) for row in rows]
    assert_equal(np.array([pair[0] for pair in together]), offline(bundle, rows))
    assert_equal(np.array([pair[1] for pair in together]), offline(bundle, -rows))


def test_engine_copies_its_row(bundle: Bundle, start: Start, rows: Float32) -> None:
    """A caller may use one array for all its rows."""
    engine = start(bundle)
    row, outputs = np.empty_like(rows[0]), []
    for values in rows:
        row[:] = values
        outputs.append(np.concatenate(engine.step(row)))
    assert_equal(np.array(outputs), offline(bundle, rows))


def test_engine_keeps_weights_unchanged(bundle: Bundle, start: Start, rows: Float32) -> None:
    before = {name: value.copy() for name, value in bundle.weights.items()}
    stepped(start(bundle), rows[:10])
    for name, value in before.items():
        np.testing.assert_array_equal(bundle.weights[name], value)


def test_engine_outlives_its_weights(make_bundle: BundleFactory, start: Start, rows: Float32) -> None:
    """ONNX Runtime and NumPy views know nothing of the life of an array that is not theirs."""
    engine, expected = start(make_bundle()), offline(make_bundle(), rows)
    rubbish = [np.full(1000, np.nan, dtype=np.float32) for _ in range(1000)]
    assert_equal(stepped(engine, rows), expected)
    del rubbish


# the choice


def test_make_engine_auto_takes_fastest_installed(bundle: Bundle) -> None:
    chosen = make_engine(bundle.config, bundle.weights)
    assert chosen.name == available_engines()[0]
    assert [name for name in ENGINES if name in available_engines()] == available_engines()


def test_make_engine_auto_without_onnxruntime_and_torch(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: object() if name == "numpy" else None)
    assert available_engines() == ["numpy"]
    assert make_engine(bundle.config, bundle.weights).name == "numpy"


def test_make_engine_refuses_missing_library(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: object() if name == "numpy" else None)
    with refusal("onnx", "onnxruntime", "not installed"):
        make_engine(bundle.config, bundle.weights, "onnx")


@pytest.mark.parametrize("error", [ImportError, OSError, AttributeError, RuntimeError, MemoryError])
def test_make_engine_auto_skips_unloadable_library(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Such as one that was made for another NumPy: installed, but of no use."""

    def fail(*_: object) -> Engine:
        raise error("no\nuse")

    monkeypatch.setattr(engines, "_skipped", {})
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr(engines, "crash_of", lambda *_: "")
    load = engines.load_maker
    monkeypatch.setattr(engines, "load_maker", lambda name: fail if name == "onnx" else load(name))
    with pytest.warns(engines.EngineWarning, match=rf"onnxruntime does not work here \({error.__name__}: no use\)"):
        assert make_engine(bundle.config, bundle.weights).name == "numpy"
    assert make_engine(bundle.config, bundle.weights).name == "numpy"  # and is not told again
    assert len(engines.skipped_engines()) == 1
    with refusal("onnx", "onnxruntime", "cannot be loaded", "no use"):
        make_engine(bundle.config, bundle.weights, "onnx")


def test_make_engine_auto_passes_over_crash(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_skipped", {})
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr(engines, "crash_of", lambda *_: "SIGILL")
    with pytest.warns(engines.EngineWarning, match=r"\(SIGILL\).*pip install"):
        assert make_engine(bundle.config, bundle.weights).name == "numpy"


def test_make_engine_refuses_unknown_name(bundle: Bundle) -> None:
    with refusal("'abacus'", "auto", *ENGINES):
        make_engine(bundle.config, bundle.weights, "abacus")


@pytest.mark.parametrize("name", ["onnx", "numpy"])
def test_import_of_engines_leaves_torch_out(name: str) -> None:
    code = f"""
import sys
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.shipped_files import shipped_bundle
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
import numpy as np
estimator = StreamingEstimator(Bundle.load(shipped_bundle()), engine={name!r})
estimator.step(np.zeros((6, 6)))
assert "torch" not in sys.modules and "scipy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
