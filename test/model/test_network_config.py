"""ModelConfig: sizes within bounds, so that no file makes a reader allocate without end."""

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, refusal

from imu_emg_estimator.model.causal_network import GegluTransformer, network_of
from imu_emg_estimator.model.network_config import ModelConfig, fold_norms, weight_shapes

GOOD = ModelConfig(inputs=66, muscles=2)


def changed(**change: object) -> ModelConfig:
    return ModelConfig.from_dict(GOOD.to_dict() | change)


def test_config_has_these_sizes_unless_others_are_given() -> None:
    sizes = {"width": 64, "layers": 3, "heads": 4, "band": 16, "dilation": 1, "kernel": 9, "feedforward": 128}
    assert GOOD.to_dict() == {"inputs": 66, "muscles": 2, **sizes, "look_ahead": 3, "dropout": 0.1}
    assert (GOOD.head_width, GOOD.context, GOOD.receptive_field) == (16, 16, 54)
    wide = changed(dilation=4, heads=2)
    assert (wide.head_width, wide.context, wide.receptive_field) == (32, 64, 189)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("inputs", 4096),
        ("muscles", 256),
        ("width", 1024),
        ("layers", 64),
        ("band", 8192),
        ("dilation", 64),
        ("kernel", 512),
        ("feedforward", 8192),
    ],
)
def test_config_has_sizes_from_one_to_a_largest(name: str, largest: int) -> None:
    assert getattr(changed(**{name: largest}), name) == largest
    smallest = {"width": 8}.get(name, 1)
    assert getattr(changed(**{name: smallest}), name) == smallest
    for value in (0, largest + 1):
        with refusal(f"{name} is {value}, not within 1 to {largest}"):
            changed(**{name: value})


def test_config_has_at_most_64_heads_of_an_even_width() -> None:
    assert changed(heads=64, width=128).head_width == 2
    with refusal("heads is 65, not within 1 to 64"):
        changed(heads=65, width=130)
    for heads, width in ((4, 66), (4, 20), (3, 64)):
        with refusal(f"width {width} does not split into {heads} even heads"):
            changed(heads=heads, width=width)


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("look_ahead", -1001, False),
        ("look_ahead", -1000, True),
        ("look_ahead", 1000, True),
        ("look_ahead", 1001, False),
        ("dropout", -0.01, False),
        ("dropout", 0.0, True),
        ("dropout", 0.99, True),
        ("dropout", 1.0, False),
    ],
)
def test_config_bounds_look_ahead_and_dropout(name: str, value: float, good: bool) -> None:
    if good:
        assert getattr(changed(**{name: value}), name) == value
    else:
        with refusal("look_ahead or dropout is out of bounds"):
            changed(**{name: value})


def test_config_knows_how_far_an_estimate_reaches() -> None:
    config = ModelConfig(inputs=1, muscles=1, layers=3, band=16, dilation=2, kernel=9)
    assert (config.context, config.receptive_field) == (32, 99)


def test_weight_shapes_follow_the_config() -> None:
    shapes = weight_shapes(ModelConfig(inputs=5, muscles=2, width=8, layers=2, heads=2, kernel=3, feedforward=16))
    assert shapes["front_end.convolution.weight"] == (8, 5, 3)
    assert shapes["layers.1.attention.query_key_value.weight"] == (24, 8)
    assert shapes["layers.1.feedforward.gate_and_value.bias"] == (32,)
    assert shapes["layers.0.feedforward.output.weight"] == (8, 16)
    assert shapes["deviation_head.weight"] == (2, 8)
    assert "layers.2.attention.output.weight" not in shapes


@torch.no_grad()
def test_folded_weights_give_same_outputs(make_bundle: BundleFactory) -> None:
    bundle = make_bundle(layers=3)
    folded = fold_norms(3, bundle.weights)
    network = GegluTransformer(bundle.config).eval()
    rest = network.load_state_dict({name: torch.from_numpy(value) for name, value in folded.items()}, strict=False)
    assert rest.unexpected_keys == []
    assert len(rest.missing_keys) == 2 * (2 * 3 + 1)
    assert all("norm" in name for name in rest.missing_keys), "a fresh norm has weights 1 and biases 0"
    rows = torch.randn(1, 60, bundle.config.inputs, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(network(rows), network_of(bundle)(rows), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_fold_keeps_given_weights(make_bundle: BundleFactory) -> None:
    bundle = make_bundle()
    before = {name: value.copy() for name, value in bundle.weights.items()}
    fold_norms(bundle.config.layers, bundle.weights)
    for name, value in before.items():
        np.testing.assert_array_equal(bundle.weights[name], value)
