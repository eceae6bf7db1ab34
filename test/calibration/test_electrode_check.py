"""The electrode check finds channels that carry another muscle or nothing, and leaves weak and noisy ones alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.calibration.closed_form import blocks_of
from imu_emg_estimator.calibration.electrode_check import ElectrodeCheck, movement_r, sources_of_channels
from imu_emg_estimator.datasets.hugadb import RIG

TWINS = [1, 0]
SAMPLES = 1800  # 30 s


def bursts() -> NDArray[np.float64]:
    """Estimates of two muscles [samples, 2], one for each leg."""
    phase = 2 * np.pi * np.arange(SAMPLES) / 60
    return np.stack([np.exp(3 * (np.cos(phase) - 1)), np.exp(3 * (np.cos(phase + np.pi) - 1))], axis=1)


def noise(seed: int, scale: float = 0.3) -> NDArray[np.float64]:
    return scale * np.random.default_rng(seed).standard_normal((SAMPLES, 2))


def test_sources_do_not_depend_on_scale() -> None:
    envelope = [20.0, 3.0] * (bursts() + noise(0))
    assert sources_of_channels(envelope, bursts(), TWINS) == [0, 1]


def test_sources_find_exchanged_channels() -> None:
    assert sources_of_channels(bursts()[:, ::-1] + noise(0), bursts(), TWINS) == [1, 0]


def test_sources_find_single_channel_of_twin() -> None:
    envelope = bursts()[:, [1, 1]] + noise(0)
    assert sources_of_channels(envelope, bursts(), TWINS) == [1, 1]
    envelope[:, 0] = np.nan
    assert sources_of_channels(envelope, bursts(), TWINS) == [0, 1]


def test_sources_are_not_told_apart_where_both_sides_do_the_same() -> None:
    both = bursts()[:, [0, 0]]
    both[:, 1] += 0.2 * bursts()[:, 1]
    assert sources_of_channels(both[:, ::-1] + noise(0, 0.05), both, TWINS) == [0, 1]


def test_sources_need_more_than_seconds_or_noise() -> None:
    envelope = bursts()[:, ::-1] + noise(0)
    envelope[120:] = np.nan
    assert sources_of_channels(envelope, bursts(), TWINS) == [0, 1]
    assert sources_of_channels(noise(1), bursts(), TWINS) == [0, 1]
    assert sources_of_channels(np.zeros((SAMPLES, 2)), bursts(), TWINS) == [0, 1]


def test_movement_r_finds_channel_without_movement() -> None:
    tokens = np.append(bursts(), np.ones((SAMPLES, 1)), axis=1)
    head = np.array([1.0, 0.0, 0.0])

    def follows(target: NDArray[np.float64]) -> bool:
        return movement_r(blocks_of(tokens, target, np.ones(SAMPLES)), head) >= 0.25

    assert follows(bursts()[:, 0] + noise(0, 0.8)[:, 0])
    assert follows(bursts()[:, 1])  # what the head can learn
    assert not follows(noise(0)[:, 0])
    assert not follows(np.full(SAMPLES, 0.2))


def test_emg_does_not_follow_the_movement_below_a_correlation_of_a_quarter() -> None:
    found = ElectrodeCheck(*[None] * 3, {0: 0.249, 1: 0.25, 3: -0.1}, *[None] * 2)  # type: ignore[arg-type]
    assert found.unrelated == [0, 3]


@pytest.mark.parametrize("unmeasured", [None, 0, 1])
def test_twins_are_compared_where_both_are_measured(unmeasured: int | None) -> None:
    envelope, amplitude = bursts() + noise(0), np.ones(2)
    if unmeasured is not None:
        amplitude[unmeasured] = np.nan
    data = SimpleNamespace(amplitude=amplitude)
    found = ElectrodeCheck(None, data, [], {}, envelope, bursts())  # type: ignore[arg-type]
    assert list(found.twin_correlations(RIG)) == ([(0, 1)] if unmeasured is None else [])
