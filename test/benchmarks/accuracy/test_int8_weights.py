"""int8 weights are a quarter of the bytes, as near as the grid allows, and estimate nearly the same."""

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory

from benchmarks.accuracy.baseline_networks import LstmNetwork
from benchmarks.accuracy.int8_weights import from_int8, quantised, to_int8
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import GegluTransformer, network_of, weights_of
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.model.offline_estimate import estimate_recording


def test_quantise_rounds_weights_and_keeps_rest(bundle: Bundle) -> None:
    small = to_int8(bundle.weights)
    restored = from_int8(small)
    assert set(restored) == set(bundle.weights)
    for name, value in bundle.weights.items():
        if name.endswith("bias") or "norm" in name:
            np.testing.assert_array_equal(restored[name], value)
            continue
        assert small.integers[name].dtype == np.int8
        per_channel = np.abs(small.integers[name]).reshape(len(value), -1).max(axis=1)
        assert per_channel.tolist() == [127] * len(value)  # no channel wastes its grid
        step = np.abs(value).reshape(len(value), -1).max(axis=1) / 127
        error = np.abs(restored[name] - value).reshape(len(value), -1).max(axis=1)
        assert (error <= 0.501 * step).all()
    np.testing.assert_allclose(from_int8(to_int8(restored))["head.weight"], restored["head.weight"], rtol=1e-6)


def test_quantise_keeps_channel_of_zeros() -> None:
    weights = {"w": np.array([[0.0, 0.0], [1.0, -0.5]], np.float32)}
    np.testing.assert_allclose(from_int8(to_int8(weights))["w"], weights["w"], atol=0.004)


def test_size_counts_bytes_of_arrays() -> None:
    small = to_int8({"w": np.ones((3, 4, 5), np.float32), "b": np.ones(3, np.float32)})
    assert small.nbytes == 3 * 4 * 5 + 3 * 4 + 3 * 4
    weights = weights_of(GegluTransformer(ModelConfig(inputs=72, muscles=2)))
    assert to_int8(weights).nbytes < 0.28 * sum(value.nbytes for value in weights.values())


@pytest.mark.slow
def test_quantised_estimates_are_close(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 10.0), ("standing", 5.0)], seed=11)
    network = network_of(trained_bundle)
    before, after = (
        np.nan_to_num(estimate_recording(each, trained_bundle.normalisation, recording.imu)[0])
        for each in (network, quantised(network))
    )
    assert 0 < np.abs(after - before).max() < 0.1
    for muscle in range(2):
        assert np.corrcoef(before[:, muscle], after[:, muscle])[0, 1] > 0.999
    np.testing.assert_array_equal(weights_of(network)["head.weight"], trained_bundle.weights["head.weight"])


def test_quantise_works_on_any_network(bundle: Bundle) -> None:
    network = LstmNetwork(bundle.config).eval()
    with torch.no_grad():
        before, after = (each(torch.randn(1, 20, bundle.config.inputs))[0] for each in (network, quantised(network)))
    assert after.shape == before.shape
    assert not torch.equal(quantised(network).recurrence.lstm.weight_ih_l0, network.recurrence.lstm.weight_ih_l0)
    assert torch.equal(quantised(network).recurrence.lstm.bias_ih_l0, network.recurrence.lstm.bias_ih_l0)
