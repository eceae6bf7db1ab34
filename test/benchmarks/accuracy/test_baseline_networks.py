"""Networks to compare with: causal, as large as the GEGLU-Transformer, and different from it in one thing each."""

import pytest
import torch
from torch import Tensor, nn

from benchmarks.accuracy.baseline_networks import (
    WINDOW,
    CnnLstmNetwork,
    GeluTransformer,
    LstmNetwork,
    MlpNetwork,
    TcnNetwork,
)
from imu_emg_estimator.model.causal_network import GegluTransformer, Network
from imu_emg_estimator.model.network_config import ModelConfig

BASELINES = (MlpNetwork, LstmNetwork, CnnLstmNetwork, TcnNetwork, GeluTransformer)
SHAPE = ModelConfig(inputs=72, muscles=2, dilation=4, band=16)  # the benchmark's
TINY = ModelConfig(5, 2, width=16, layers=1, heads=2, band=8, dilation=3, kernel=3, feedforward=16, dropout=0.0)
every_baseline = pytest.mark.parametrize("architecture", BASELINES)


def weights(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def tiny(architecture: type[Network], config: ModelConfig = TINY) -> Network:
    torch.manual_seed(0)
    return architecture(config).eval()


def signals(samples: int = 80) -> Tensor:
    return torch.randn(2, samples, TINY.inputs, generator=torch.Generator().manual_seed(1))


def reached(model: Network, changed: int, samples: int = 80) -> list[int]:
    """Samples at which the estimate depends on the input at one sample."""
    x = signals(samples)
    y = x.clone()
    y[:, changed] += 1.0
    difference = (model(y)[0] - model(x)[0]).abs().amax(dim=(0, 2))
    return [int(index) for index in torch.nonzero(difference > 1e-7)[:, 0]]


@every_baseline
def test_baselines_have_as_many_weights_as_geglu_transformer(architecture: type[Network]) -> None:
    assert weights(architecture(SHAPE)) == pytest.approx(weights(GegluTransformer(SHAPE)), rel=0.1)


def test_gelu_and_geglu_have_equal_weights_in_the_same_transformer() -> None:
    assert weights(GeluTransformer(SHAPE)) == pytest.approx(weights(GegluTransformer(SHAPE)), rel=0.002)
    shapes = [{name: value.shape for name, value in kind(SHAPE).state_dict().items() if "feedforward." not in name}
              for kind in (GeluTransformer, GegluTransformer)]  # fmt: skip
    assert shapes[0] == shapes[1]


@every_baseline
def test_baselines_give_mean_and_deviation_of_every_sample(architecture: type[Network]) -> None:
    mean, log_deviation = tiny(architecture)(signals())
    assert mean.shape == log_deviation.shape == (2, 80, TINY.muscles)


@every_baseline
def test_baselines_are_causal(architecture: type[Network]) -> None:
    after = reached(tiny(architecture), changed=40)
    assert min(after) >= 40


@every_baseline
def test_baselines_use_every_sample(architecture: type[Network]) -> None:
    """A token stands for all samples since the one before, or motion between them would be lost."""
    model = tiny(architecture)
    for changed in (38, 39, 40):
        assert 40 in reached(model, changed)


@pytest.mark.slow
@every_baseline
def test_baselines_dilated_equal_separate_phases(architecture: type[Network]) -> None:
    model, x = tiny(architecture), signals()
    for phase in range(TINY.dilation):
        torch.testing.assert_close(model(x, phase)[0], model(x)[0][:, phase :: TINY.dilation])


def test_mlp_input_is_its_window() -> None:
    last = max(reached(tiny(MlpNetwork), changed=20))
    assert last == 20 + TINY.dilation * (WINDOW - 1) + TINY.kernel - 1


@pytest.mark.parametrize("architecture", [LstmNetwork, CnnLstmNetwork])
def test_lstm_uses_distant_past(architecture: type[Network]) -> None:
    assert max(reached(tiny(architecture), changed=5, samples=40)) == 39


def test_lstm_reads_samples_without_convolving_them() -> None:
    """Its front end is linear."""
    front_end, x = tiny(LstmNetwork).front_end, signals()
    start = front_end(torch.zeros_like(x))
    torch.testing.assert_close(front_end(3 * x) - start, 3 * (front_end(x) - start), atol=1e-5, rtol=1e-4)


def test_tcn_has_dilated_receptive_field() -> None:
    assert max(reached(tiny(TcnNetwork), changed=5, samples=200)) > 5 + 40 * TINY.dilation


@every_baseline
def test_baselines_use_all_weights(architecture: type[Network]) -> None:
    model = tiny(architecture).train()
    mean, log_deviation = model(signals())
    (mean.square().sum() + log_deviation.square().sum()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []
