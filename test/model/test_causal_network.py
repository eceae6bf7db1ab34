"""The network looks only back, only so far, and its parts are what their formulas say."""

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal
from torch import Tensor

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import (
    GEGLU,
    BandedAttention,
    CausalConvolution,
    network_of,
    rotary_phases,
    rotate,
    weights_of,
)
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.model.offline_estimate import estimate_recording

SAMPLES = 100


@pytest.fixture(scope="module")
def inputs(bundle: Bundle) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((1, SAMPLES, bundle.config.inputs))).float()


@torch.no_grad()
def changed_outputs(bundle: Bundle, inputs: Tensor, sample: int) -> list[int]:
    """Samples at which any output differs when the input at one sample does."""
    model = network_of(bundle)
    other = inputs.clone()
    other[:, sample] += 1.0
    differs = [(a - b).abs().amax(dim=(0, 2)) > 1e-6 for a, b in zip(model(inputs), model(other), strict=True)]
    assert torch.equal(differs[0], differs[1])
    return [int(index) for index in torch.nonzero(differs[0])]


@pytest.mark.parametrize("sample", [0, 40, SAMPLES - 1])
def test_network_input_reaches_receptive_field_exactly(bundle: Bundle, inputs: Tensor, sample: int) -> None:
    """Nothing before it: causal. Nothing after the field. And the field is not stated too large."""
    after = min(sample + bundle.config.receptive_field, SAMPLES)
    assert changed_outputs(bundle, inputs, sample) == list(range(sample, after))


@torch.no_grad()
@pytest.mark.parametrize("samples", [1, 5, 11, 12, 13, 24, 37])
def test_network_does_not_depend_on_sequence_length(bundle: Bundle, inputs: Tensor, samples: int) -> None:
    model = network_of(bundle)
    for part, whole in zip(model(inputs[:, :samples]), model(inputs), strict=True):
        torch.testing.assert_close(part, whole[:, :samples], rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_dilated_network_equals_separate_phases(make_bundle: BundleFactory, phase: int) -> None:
    bundle = make_bundle(dilation=3)
    model = network_of(bundle)
    inputs = torch.randn(2, SAMPLES, bundle.config.inputs)
    for part, whole in zip(model(inputs, phase), model(inputs), strict=True):
        torch.testing.assert_close(part, whole[:, phase::3], rtol=0, atol=1e-5)


@torch.no_grad()
def test_dilated_network_has_dilated_causal_receptive_field(make_bundle: BundleFactory) -> None:
    bundle = make_bundle(dilation=3)
    inputs = torch.randn(1, SAMPLES, bundle.config.inputs)
    reached = changed_outputs(bundle, inputs, 10)
    assert reached[0] == 10
    assert reached[-1] == 10 + bundle.config.receptive_field - 1


@torch.no_grad()
def test_network_keeps_sequences_of_batch_apart(bundle: Bundle, inputs: Tensor) -> None:
    model = network_of(bundle)
    batch = torch.cat([inputs, inputs.flip(1), 2 * inputs])
    for together, alone in zip(model(batch), zip(*(model(one[None]) for one in batch), strict=True), strict=True):
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("samples", "band"), [(1, 4), (4, 4), (23, 4), (23, 1), (23, 64)])
def test_attention_equals_its_definition(samples: int, band: int) -> None:
    """softmax(q k / sqrt(d)) v over the band, with rotary positions, one query after the other."""
    torch.manual_seed(0)
    width, heads = 12, 2
    attention = BandedAttention(width, heads, band)
    x = torch.randn(1, samples, width)
    query, key, value = attention.query_key_value(x[0]).reshape(samples, 3, heads, width // heads).unbind(1)
    cosine, sine = rotary_phases(samples, width // heads)
    query, key = (rotate(part, cosine[:, None], sine[:, None]) for part in (query, key))
    attended = torch.zeros(samples, heads, width // heads)
    for i in range(samples):
        seen = slice(max(0, i - band + 1), i + 1)
        for head in range(heads):
            score = key[seen, head] @ query[i, head] / (width // heads) ** 0.5
            attended[i, head] = score.softmax(0) @ value[seen, head]
    expected = attention.output(attended.flatten(1))
    torch.testing.assert_close(attention(x)[0], expected, rtol=0, atol=1e-5)


def test_rotary_scores_depend_on_distance_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 8, dtype=torch.float64)
    cosine, sine = (phase.double() for phase in rotary_phases(2000, 8))

    def score(query_at: int, key_at: int) -> float:
        return float(rotate(query, cosine[query_at], sine[query_at]) @ rotate(key, cosine[key_at], sine[key_at]))

    assert score(1990, 1960) == pytest.approx(score(30, 0), abs=1e-5)
    assert score(30, 0) != pytest.approx(score(31, 0), abs=1e-3)
    assert rotate(query, cosine[777], sine[777]).norm() == pytest.approx(float(query.norm()), abs=1e-6)


@torch.no_grad()
def test_convolution_applies_oldest_tap_first() -> None:
    convolution = CausalConvolution(2, 3, kernel=4)
    x = torch.randn(1, 10, 2)
    weight, bias = convolution.convolution.weight, convolution.convolution.bias
    expected = torch.stack([torch.einsum("oit,ti->o", weight, x[0, i - 3 : i + 1]) for i in range(3, 10)]) + bias
    torch.testing.assert_close(
        convolution(x)[0, 3:], torch.nn.functional.gelu(expected, approximate="tanh"), rtol=0, atol=1e-5
    )


@torch.no_grad()
def test_geglu_equals_its_formula() -> None:
    geglu = GEGLU(6, 5)
    x = torch.randn(3, 6)
    gate, value = geglu.gate_and_value.weight.split(5)
    gate_bias, value_bias = geglu.gate_and_value.bias.split(5)
    a = x @ gate.T + gate_bias
    gelu = 0.5 * a * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (a + 0.044715 * a**3)))
    expected = (gelu * (x @ value.T + value_bias)) @ geglu.output.weight.T + geglu.output.bias
    torch.testing.assert_close(geglu(x), expected, rtol=0, atol=1e-5)


def test_deviation_head_has_no_gradient_on_features(bundle: Bundle, inputs: Tensor) -> None:
    model = network_of(bundle)
    _, log_deviation = model(inputs)
    log_deviation.sum().backward()
    learns = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learns == {"deviation_head.weight", "deviation_head.bias"}


def test_weights_roundtrip(bundle: Bundle) -> None:
    weights = weights_of(network_of(bundle))
    assert {name: value.shape for name, value in weights.items()} == weight_shapes(bundle.config)
    for name, value in bundle.weights.items():
        np.testing.assert_array_equal(weights[name], value)


@pytest.mark.parametrize("look_ahead", [-3, 0, 3])
def test_estimate_recording_is_aligned_to_its_instant(
    make_bundle: BundleFactory, make_recording: RecordingFactory, look_ahead: int
) -> None:
    """A change of the input at sample i first changes the estimate for i - look_ahead."""
    bundle = make_bundle(look_ahead=look_ahead)
    imu = make_recording([("walking", 3.0)]).imu
    other = imu.copy()
    other[50:, :, 0] += 5.0
    model = network_of(bundle)
    (before, _), (after, deviation) = (estimate_recording(model, bundle.normalisation, rows) for rows in (imu, other))
    known = slice(max(0, -look_ahead), len(imu) - max(0, look_ahead))
    assert np.flatnonzero(np.isfinite(before).all(axis=1)).tolist() == list(range(len(imu)))[known]
    assert np.flatnonzero((before[known] != after[known]).any(axis=1))[0] + known.start == 50 - look_ahead
    assert (before[known] >= 0).all()
    assert (deviation[known] > 0).all()


def test_estimate_recording_shorter_than_look_ahead_is_nan(
    make_bundle: BundleFactory, make_recording: RecordingFactory
) -> None:
    bundle = make_bundle(look_ahead=3)
    estimate, _ = estimate_recording(network_of(bundle), bundle.normalisation, make_recording().imu[:2])
    assert estimate.shape == (2, 2)
    assert np.isnan(estimate).all()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"width": 15}, "heads"),
        ({"width": 6, "heads": 2}, "even heads"),
        ({"heads": 0}, "heads"),
        ({"band": 0}, "band"),
        ({"kernel": 10**9}, "kernel"),
        ({"layers": 65}, "layers"),
        ({"look_ahead": -1001}, "look_ahead"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"dropout": 0}, "dropout"),
        ({"layers": 2.0}, "layers"),
        ({"layers": True}, "layers"),
        ({"layers": "2"}, "layers"),
        ({"colour": 1}, "colour"),
    ],
)
def test_network_config_names_bad_field(bundle: Bundle, change: dict[str, object], part: str) -> None:
    with refusal("model configuration", part):
        ModelConfig.from_dict(bundle.config.to_dict() | change)


def test_network_config_names_missing_field(bundle: Bundle) -> None:
    values = bundle.config.to_dict()
    del values["band"]
    with refusal("band"):
        ModelConfig.from_dict(values)
