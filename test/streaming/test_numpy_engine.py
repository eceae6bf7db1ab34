"""The engine's step is the network's forward pass, at the cost of one sample and without its memory of the start."""

import numpy as np
import pytest
import torch
from helpers import BundleFactory
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.transformer import network_of
from imu_emg_estimator.streaming.numpy_engine import NumpyEngine

SAMPLES = 120
Float32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> Float32:
    return np.random.default_rng(2).standard_normal((SAMPLES, bundle.config.inputs)).astype(np.float32)


@torch.no_grad()
def offline(bundle: Bundle, rows: Float32) -> Float32:
    """Mean and log deviation [samples, 2 muscles] of the network over all rows at once."""
    return torch.cat(network_of(bundle)(torch.from_numpy(rows)[None]), dim=2)[0].numpy()


def stepped(engine: NumpyEngine, rows: Float32) -> Float32:
    return np.stack([np.concatenate(engine.step(row)) for row in rows])


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"band": 1},
        {"kernel": 1},
        {"layers": 1, "heads": 1},
        {"band": 200, "layers": 3},
        {"band": 6, "dilation": 4},
        {"band": 1, "dilation": 7, "layers": 1},
        {"width": 24, "heads": 4, "feedforward": 7},
    ],
    ids=str,
)
def test_steps_equal_the_network(make_bundle: BundleFactory, rows: Float32, shape: dict[str, int]) -> None:
    bundle = make_bundle(**shape)
    engine = NumpyEngine(bundle.config, bundle.weights)
    np.testing.assert_allclose(stepped(engine, rows), offline(bundle, rows), rtol=0, atol=1e-5)
    assert engine.steps == SAMPLES


def test_after_a_reset_nothing_is_remembered(bundle: Bundle, rows: Float32) -> None:
    engine = NumpyEngine(bundle.config, bundle.weights)
    stepped(engine, 100 * rows[::-1])
    engine.reset()
    assert engine.steps == 0
    np.testing.assert_allclose(stepped(engine, rows), offline(bundle, rows), rtol=0, atol=1e-5)


@pytest.mark.parametrize("hours", [1, 24])
def test_positions_stay_exact_for_hours(bundle: Bundle, rows: Float32, hours: int) -> None:
    """With phases in single precision the error would be 0.01 after an hour."""
    engine = NumpyEngine(bundle.config, bundle.weights)
    engine.steps = round(hours * 3600 * bundle.rig.rate)
    field = bundle.config.receptive_field  # before it, an engine that starts there has seen less
    np.testing.assert_allclose(stepped(engine, rows)[field:], offline(bundle, rows)[field:], rtol=0, atol=1e-5)


def test_two_engines_share_nothing(bundle: Bundle, rows: Float32) -> None:
    one, other = (NumpyEngine(bundle.config, bundle.weights) for _ in range(2))
    together = [(np.concatenate(one.step(row)), np.concatenate(other.step(-row))) for row in rows]
    np.testing.assert_allclose([pair[0] for pair in together], offline(bundle, rows), rtol=0, atol=1e-5)
    np.testing.assert_allclose([pair[1] for pair in together], offline(bundle, -rows), rtol=0, atol=1e-5)


def test_given_row_is_not_kept(bundle: Bundle, rows: Float32) -> None:
    """A caller may use one array for all its rows."""
    engine = NumpyEngine(bundle.config, bundle.weights)
    row, outputs = np.empty_like(rows[0]), []
    for values in rows:
        row[:] = values
        outputs.append(np.concatenate(engine.step(row)))
    np.testing.assert_allclose(outputs, offline(bundle, rows), rtol=0, atol=1e-5)


def test_outputs_are_not_written_over(bundle: Bundle, rows: Float32) -> None:
    engine = NumpyEngine(bundle.config, bundle.weights)
    first, _ = engine.step(rows[0])
    kept = first.copy()
    engine.step(rows[1])
    np.testing.assert_array_equal(first, kept)
