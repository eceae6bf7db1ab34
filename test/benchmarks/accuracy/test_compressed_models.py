"""Distilled and int8 models are models of the benchmark like any other: fitted, kept, adapted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from benchmarks.accuracy.adaptation_methods import MethodSettings
from benchmarks.accuracy.compressed_models import COMPRESSED, SMALL, TEACHERS, fit_teachers
from benchmarks.accuracy.int8_weights import from_int8, to_int8
from benchmarks.accuracy.models import Budget, FittedNetwork, load, save
from imu_emg_estimator.model.causal_network import weights_of
from imu_emg_estimator.recording import FloatArray, Recording

TINY = Budget(2, 2, 32, {"width": 8, "layers": 1, "heads": 2, "band": 8, "kernel": 3, "feedforward": 8, "dilation": 2})


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 8.0)], subject=str(seed), seed=seed) for seed in (1, 2)]


def fitted(name: str, recordings: Sequence[Recording]) -> FittedNetwork:
    model = COMPRESSED[name].fit(recordings, TINY, 0, {"learning_rate": 1e-3, "dropout": 0.3})
    assert isinstance(model, FittedNetwork)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_model_roundtrip_estimates(name: str, recordings: list[Recording], tmp_path: Path) -> None:
    model = fitted(name, recordings)
    expected = (SMALL["width"], SMALL["layers"], SMALL["feedforward"]) if name == "student" else (8, 1, 8)
    config = model.estimator.network.config
    assert (config.width, config.layers, config.feedforward, config.dropout) == (*expected, 0.3)
    save(model, tmp_path / "model")
    estimated, kept = (each.estimate(recordings[:1]) for each in (model, load(tmp_path / "model")))
    assert estimated.shape == (len(recordings[0]), 2)
    np.testing.assert_array_equal(estimated, kept)


@pytest.mark.slow
def test_int8_weights_stay_int8_when_adapted(recordings: list[Recording], tmp_path: Path) -> None:
    save(fitted("int8", recordings), tmp_path / "model")
    model = load(tmp_path / "model")
    assert isinstance(model, FittedNetwork)
    adapted = model.adapted(recordings[:1], MethodSettings(method="all_weights", steps=10, batch=2, sequence=32))
    for each in (model, adapted):
        weights = weights_of(each.estimator.network)
        for name, value in from_int8(to_int8(weights)).items():
            np.testing.assert_allclose(value, weights[name], rtol=1e-5, atol=1e-9)
    first, second = (head_of(each) for each in (model, adapted))
    assert not np.array_equal(first, second)


def head_of(model: FittedNetwork) -> FloatArray:
    return weights_of(model.estimator.network)["head.weight"]


@pytest.mark.slow
def test_ensembles_share_no_teacher(recordings: list[Recording]) -> None:
    heads = [
        weights_of(teacher.network)["head.weight"].tobytes()
        for seed in (0, 1)
        for teacher in fit_teachers(recordings, TINY, seed)
    ]
    assert len(set(heads)) == 2 * TEACHERS
